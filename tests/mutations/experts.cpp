// SPDX-License-Identifier: Apache-2.0
// Mutations of the expert styles and of whole mixtures of experts. Mistakes that the types refuse are in compile/.
#include "../support/hf_trial.hpp"

#include "trial.hpp"

using namespace heddle;
using namespace support;
using mutations::check;

namespace {

template <class Style, class Cut = moe_cut>
outcome try_moe(split_of const& split, dealt how = dealt::to_dp) {
  moe_data const data = make_moe({.tokens = 12, .ffn = 8, .experts = 6});
  auto const run = run_moe<Style, float, Cut>(split, data, 1, how);
  return {run.difference(mixture(data.x, data.layer)), run.problem};
}

template <class Sequence>
struct style_of {
  static constexpr fixed_string name = "mutation";
  using weight = placement<>;
  using bias = placement<>;
  using forward = Sequence;
};

// -- the identity expert

template <class Divisor>
struct divided : operation_base<"divided", placement<on<ep, varying>>, placement<on<ep, partial>>, divided<Divisor>> {};
template <class Divisor, class Frame, class Element>
auto run(divided<Divisor>, Frame& frame, activation<Element> x) {
  std::span<std::remove_const_t<Element>> const y =
      frame.template scratch<std::remove_const_t<Element>>(x.data.count());
  for (std::size_t i = 0; i < y.size(); ++i) y[i] = x.data.data()[i] / static_cast<float>(Divisor::of(frame));
  return activation<std::remove_const_t<Element>>{{y.data(), x.data.shape()}, x.full_hidden};
}
struct by_nothing {
  template <class Frame>
  static int of(Frame&) {
    return 1;
  }
};
struct by_world {
  template <class Frame>
  static int of(Frame& frame) {
    return frame.template communicator<tp>().size() * frame.template communicator<dp>().size();
  }
};
template <class Divisor>
using identity_divided = style_of<sequence<divided<Divisor>>>;

// -- the masking router

enum class mask_mistake { keeps_weights, numbers_locally, sentinel, nothing_masked };
template <mask_mistake Mistake>
struct careless_mask
    : operation_base<"careless_mask", placement<on<ep, varying>>, placement<on<ep, varying>>, careless_mask<Mistake>> {
};
template <mask_mistake Mistake, class Frame>
auto run(careless_mask<Mistake>, Frame& frame, gates<> weights) {
  range const own = own_experts<ep>(frame);
  auto const before = frame.routing.ids;
  gates<> const masked = run(mask_routing<ep>{}, frame, weights);
  std::span<std::int32_t> const ids = frame.template scratch<std::int32_t>(before.count());
  for (std::size_t i = 0; i < ids.size(); ++i) {
    ids[i] = frame.routing.ids.data()[i];
    if (Mistake == mask_mistake::numbers_locally && ids[i] >= 0) ids[i] -= static_cast<std::int32_t>(own.begin);
    if (Mistake == mask_mistake::sentinel && ids[i] < 0) ids[i] = static_cast<std::int32_t>(own.size);
    if (Mistake == mask_mistake::nothing_masked) ids[i] = before.data()[i];
  }
  frame.routing.ids = {ids.data(), before.shape()};
  return Mistake == mask_mistake::keeps_weights || Mistake == mask_mistake::nothing_masked ? weights : masked;
}
template <mask_mistake Mistake>
using careless_router = style_of<concat_t<route_like_mixtral::route, sequence<copy<ep>, careless_mask<Mistake>>>>;

// -- experts on every token

using parts = local_experts<grouped>;
using own_parts = parts::parts;
/// Weighs rows twice, or never.
template <bool Twice>
struct careless_scale : operation_base<"careless_scale", ports<own_parts::left, own_parts::entered>, own_parts::left,
                                       careless_scale<Twice>> {};
template <bool Twice, class Frame, class Element>
auto run(careless_scale<Twice>, Frame& frame, activation<Element> x, row_gates<> weights) {
  using scale = gate_scale<own_parts::left, own_parts::entered>;
  if constexpr (Twice) return run(scale{}, frame, run(scale{}, frame, x, weights), weights);
  else return x;
}
template <bool Twice>
using careless_body = concat_t<parts::enter, parts::compute, sequence<careless_scale<Twice>>, parts::leave>;
template <class Body>
using masked_block = routed_block<masking_router::forward, moe_tp_experts<ep, Body, varying>>;
using unsummed_block = style_of<concat_t<sequence<heddle::fork<sequence<>, masking_router::forward>>,
                                         sequence<on_port<0, sequence<copy<ep>>>>, parts::body>>;

// -- cuts of the experts

struct other_experts : moe_cut {  // right sizes, neighbours' experts
  static box fc1(shape_t const& shape, grid_type const& grid, int rank) {
    box part = moe_cut::fc1(shape, grid, rank);
    for (range& piece : part.axes[0]) piece.begin = shape[0] - piece.end();
    return part;
  }
};
struct plain_gate_up : moe_cut {  // fc1 cut in one piece over etp
  static box fc1(shape_t const& shape, grid_type const& grid, int rank) {
    return shard_weight<both<grouped_gemm<ep>, colwise<etp>>>(shape, grid, rank);
  }
};
struct balanced_experts : moe_cut {
  static box fc1(shape_t const& shape, grid_type const& grid, int rank) {
    box part = box::all(shape);
    part.cut<balanced>(0, grid.size<ep>(), grid.coordinate<ep>(rank));
    return part;
  }
};
struct uncut_features {  // every rank of etp a full summand
  static box fc1(shape_t const& shape, grid_type const& grid, int rank) {
    return shard_weight<grouped_gemm<ep>>(shape, grid, rank);
  }
  static box fc2(shape_t const& shape, grid_type const& grid, int rank) {
    return shard_weight<grouped_gemm<ep>>(shape, grid, rank);
  }
};
struct experts_on_features {  // the expert group cuts dimension 1
  static box fc1(shape_t const& shape, grid_type const& grid, int rank) {
    return shard_weight<packed_colwise<ep>>(shape, grid, rank);
  }
  static box fc2(shape_t const& shape, grid_type const& grid, int rank) {
    return shard_weight<rowwise<ep>>(shape, grid, rank);
  }
};
struct swapped_segments : moe_cut {  // up before gate
  static box fc1(shape_t const& shape, grid_type const& grid, int rank) {
    box part = moe_cut::fc1(shape, grid, rank);
    std::swap(part.axes[1].front(), part.axes[1].back());
    return part;
  }
};

// -- dispatch

using a2a = all_to_all_dispatcher<>;
struct unsorted : a2a {
  using move = sequence<all_to_all<ep>, all_gather<etp, tokens, as_given>>;
};
struct unsort_instead;
/// Counts rows by expert and leaves them where they arrived.
struct count_only : operation_base<"count_only", placement<on<ep, routed>>, placement<on<ep, routed>>, unsort_instead> {
};
struct unsort_instead
    : operation_base<"unsort_instead", placement<on<ep, routed>>, placement<on<ep, routed>>, count_only> {};
template <class Frame, class Value>
auto run(count_only, Frame& frame, Value x) {
  static_cast<void>(run(sort_chunks<ep>{}, frame, x));
  return x;
}
template <class Frame, class Value>
auto run(unsort_instead, Frame&, Value x) {
  return x;
}
struct only_counted : a2a {
  using move = sequence<all_to_all<ep>, all_gather<etp, tokens, as_given>, count_only>;
};

/// The parts of an all_to_all layer whose weights wait at the origin.
struct p {
  using dispatch = concat_t<a2a::order, a2a::move>;
  using parts = glu_expert<>::on_groups<ep, etp>;
  using back = conjugate_t<a2a::move>;
  using home = conjugate_t<a2a::order>;
};
using routed_fork = sequence<heddle::fork<sequence<>, route_like_mixtral::route>>;
using rows_home = placement<on<ep, bucketed>>;
using weights_home = placement<on<ep, sharded<tokens, as_given>>>;

/// The weights are dropped on the way.
struct drop_weights : operation_base<"drop_weights", ports<rows_home, weights_home>, rows_home, drop_weights> {};
template <class Frame, class Element>
auto run(drop_weights, Frame&, activation<Element> x, gates<>) {
  return x;
}
using unweighted = style_of<concat_t<
    routed_fork,
    sequence<on_port<0, concat_t<p::dispatch, p::parts::first, p::parts::activate, p::parts::second, p::back>>>,
    sequence<drop_weights>, p::home>>;
/// Only the copy of the best expert is counted.
struct first_copy_only : operation_base<"first_copy_only", rows_home, weights_home, permute<ep>> {};
template <class Frame, class Element>
auto run(first_copy_only, Frame& frame, weighted_copies<Element> x) {
  auto& routing = frame.routing;
  std::span<std::int32_t> const rows = frame.template scratch<std::int32_t>(routing.slot_to_row.count());
  for (std::size_t i = 0; i < rows.size(); ++i) {
    rows[i] = i % static_cast<std::size_t>(routing.slot_to_row.template size<slots>()) == 0
                  ? routing.slot_to_row.data()[i]
                  : -1;
  }
  routing.slot_to_row = {rows.data(), routing.slot_to_row.shape()};
  return run(unpermute<ep>{}, frame, x);
}
using only_best = style_of<concat_t<
    routed_fork,
    sequence<on_port<0, concat_t<p::dispatch, p::parts::first, p::parts::activate, p::parts::second, p::back>>>,
    sequence<gate_scale<rows_home, weights_home>, first_copy_only>>>;

template <class Router>
using with_router = on_expert_grid<expert_parallel<Router, a2a, glu_expert<>>>;

}  // namespace

TEST_CASE("mutations of moe_identity_expert") {
  split_of const split{4, 2, 2, 1};  // the group is half the world
  check("moe_identity_expert", try_identity<moe_identity_expert<ep>>(split, 5),
        {{"not divided", try_identity<identity_divided<by_nothing>>(split, 5)},
         {"divided by the world", try_identity<identity_divided<by_world>>(split, 5)}});
}

TEST_CASE("mutations of ep_router") {
  split_of const split{3, 3, 3, 1};
  moe_sizes const sizes{};
  check(
      "ep_router", try_ep_router<masking_router>(split, sizes),
      {{"gate weights of other ranks' experts kept",
        try_ep_router<careless_router<mask_mistake::keeps_weights>>(split, sizes)},
       {"ids counted from the rank's first expert",
        try_ep_router<careless_router<mask_mistake::numbers_locally>>(split, sizes)},
       {"a sentinel that is an expert's number", try_ep_router<careless_router<mask_mistake::sentinel>>(split, sizes)},
       {"nothing masked", try_ep_router<careless_router<mask_mistake::nothing_masked>>(split, sizes)}});
}

TEST_CASE("mutations of moe_tp_experts") {
  split_of const split{4, 4, 2, 2};
  check("moe_tp_experts", try_moe<masked_block<parts::body>>(split),
        {{"no all_reduce", try_moe<unsummed_block>(split)},
         {"routing weights applied twice", try_moe<masked_block<careless_body<true>>>(split)},
         {"routing weights not applied", try_moe<masked_block<careless_body<false>>>(split)},
         {"tokens that are not on every rank", try_moe<masked_block<parts::body>>({4, 1, 2, 2})}});
}

TEST_CASE("mutations of the cut of experts") {
  split_of const split{8, 2, 2, 2};
  using layer = moe_layer<a2a, grouped, weight_at::origin>;
  check("grouped_gemm with packed_colwise and rowwise inside", try_moe<layer>(split),
        {{"another rank's experts", try_moe<layer, other_experts>(split)},
         {"gate|up cut in one piece", try_moe<layer, plain_gate_up>(split)},
         {"up before gate", try_moe<layer, swapped_segments>(split)},
         {"features not cut over etp", try_moe<layer, uncut_features>(split)},
         {"ep cuts features", try_moe<layer, experts_on_features>(split)},
         {"experts in balanced pieces", try_moe<layer, balanced_experts>({4, 1, 4, 1})}});
}

TEST_CASE("mutations of dispatch and combine") {
  split_of const split{8, 2, 2, 2};
  check("all_to_all", try_moe<moe_layer<a2a, grouped, weight_at::origin>>(split),
        {{"no sort of chunks", try_moe<moe_layer<unsorted, grouped, weight_at::origin>>(split)},
         {"chunks counted and not moved", try_moe<moe_layer<only_counted, grouped, weight_at::origin>>(split)},
         {"copies summed without weights", try_moe<on_expert_grid<unweighted>>(split)},
         {"one copy of a token counted", try_moe<on_expert_grid<only_best>>(split)},
         {"weights applied before the activation", try_moe<moe_layer<a2a, grouped, weight_at::input>>(split)},
         {"weights not renormalised", try_moe<with_router<top_k<kernel::softmax_then_top_k<false>>>>(split)},
         {"one slot fewer", try_moe<with_router<top_k<kernel::softmax_then_top_k<true>, 2>>>(split)}});
  check("masked", try_moe<replicated_moe<grouped>>({4, 4, 2, 2}),
        {{"tokens in parts taken for whole", try_moe<replicated_moe<grouped>>({4, 1, 2, 2})}});
}
