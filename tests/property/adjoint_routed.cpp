// SPDX-License-Identifier: Apache-2.0
// The operations that move routed rows and their weights, each a pair of adjoints, exactly; and whole dispatchers.
#include "../support/adjoint.hpp"

#include <doctest/doctest.h>
#include <heddle/dispatcher/all_gather.hpp>
#include <heddle/dispatcher/all_to_all.hpp>
#include <heddle/dispatcher/direct.hpp>
#include <heddle/dispatcher/flex.hpp>
#include <heddle/dispatcher/masked.hpp>
#include <heddle/expert/glu_expert.hpp>
#include <heddle/layer/run.hpp>
#include <heddle/layer/walk_leading.hpp>
#include <heddle/style/identity_experts.hpp>

using namespace heddle;
using namespace support;

namespace {

struct no_weights {
  std::tuple<> weights{};
};
constexpr auto without = [](int) { return no_weights{}; };
using grid_of = mesh<etp, ep>;
using given = sharded<tokens, as_given>;

struct routed_case {
  index_t tokens, slots, experts, width;
};
/// Uneven, fewer experts than ranks, no tokens, one of everything.
constexpr routed_case cases[] = {{5, 2, 7, 3}, {3, 3, 4, 2}, {0, 2, 3, 2}, {1, 1, 1, 1}};

/// `body(own, tokens of the rank)` on every grid of 1, 2, 3, 4, 6 and 8 ranks. `Tokens` says how they lie.
template <class Tokens, class Body, class Weights = decltype(without)>
void on_grids(Body const& body, adjoint_case is = {}, Weights const& weights = without) {
  for (int const ranks : {1, 2, 3, 4, 6, 8}) {
    for (int inner = 1; inner <= ranks; ++inner) {
      if (ranks % inner != 0) continue;
      for (routed_case const& c : cases) {
        CAPTURE(ranks);
        CAPTURE(inner);
        CAPTURE(c.tokens);
        grid_of const grid{inner, ranks / inner};
        is.empty = c.tokens <= 1;
        using lies = placement<on<ep, Tokens>, on<etp, Tokens>>;
        CHECK(try_adjoint<etp, ep, joint<etp, ep>>(
                  grid, weights,
                  [&](auto& own) {
                    bool const parts = std::same_as<Tokens, given>;
                    index_t const height = parts && own.rank % 3 == 2 ? c.tokens / 2 : c.tokens;
                    own.ids(height, c.slots, c.experts,
                            100 + static_cast<std::uint64_t>(held<lies>::number(grid, own.rank)));
                    body(own, height, c);
                  },
                  is) == "");
      }
    }
  }
}

template <class Entry>
using one = placement<Entry>;
/// Rows in expert order, as a permute leaves them.
template <class Own>
index_t permuted(Own& own, index_t height) {
  return run(permute<ep>{}, own.frame, own.template rows<one<on<ep, given>>>(height, 1)).data.template size<tokens>();
}
/// The same behind the exchange.
template <class Own>
index_t exchanged(Own& own, index_t height) {
  index_t const rows = permuted(own, height);
  return run(all_to_all<ep>{}, own.frame, own.template rows<one<on<ep, bucketed>>>(rows, 1))
      .data.template size<tokens>();
}
/// The same behind the gather over etp.
template <class Own>
index_t gathered(Own& own, index_t height) {
  index_t const rows = exchanged(own, height);
  using from = one<on<etp, given>>;
  return run(all_gather<etp, tokens, as_given>{}, own.frame, own.template rows<from>(rows, 1))
      .data.template size<tokens>();
}
/// Rows, and their weights, through one operation.
template <class Operation, class Own>
void check_both(Own& own, index_t rows, index_t width) {
  using from = typename Operation::from;
  own.template check<sequence<Operation>>(own.template rows<from>(rows, width));
  own.template check<sequence<Operation>>(own.template row_weights<from>(rows));
}

}  // namespace

TEST_CASE("adjoint: permute of tokens and of their weights") {
  using from = permute<ep>::from;
  on_grids<given>([](auto& own, index_t height, routed_case const& c) {
    own.template check<sequence<permute<ep>>>(own.template rows<from>(height, c.width));
    own.template check<sequence<permute<ep>>>(own.template weights<from>());
  });
  on_grids<given>([](auto& own, index_t height, routed_case const& c) {
    own.template check<sequence<unpermute<ep>>>(own.template rows<unpermute<ep>::from>(permuted(own, height), c.width));
  });
}

TEST_CASE("adjoint: select of tokens and of their weights") {
  using from = select_local<ep>::from;
  on_grids<varying>([](auto& own, index_t height, routed_case const& c) {
    own.template check<sequence<select_local<ep>>>(own.template rows<from>(height, c.width));
    own.template check<sequence<select_local<ep>>>(own.template weights<from>());
  });
}

TEST_CASE("adjoint: mask") {
  using from = mask_routing<ep>::from;
  on_grids<varying>(
      [](auto& own, index_t, routed_case const&) {
        own.template check<sequence<mask_routing<ep>>>(own.template weights<from>());
      },
      {.alike = false});  // each rank's own choices are left
}

TEST_CASE("adjoint: all_to_all there and back") {
  on_grids<given>([](auto& own, index_t height, routed_case const& c) {
    check_both<all_to_all<ep>>(own, permuted(own, height), c.width);
  });
  on_grids<given>([](auto& own, index_t height, routed_case const& c) {
    check_both<all_to_all_back<ep>>(own, exchanged(own, height), c.width);
  });
}

TEST_CASE("adjoint: routed rows over the tensor group, and the sort of chunks") {
  on_grids<given>([](auto& own, index_t height, routed_case const& c) {
    check_both<all_gather<etp, tokens, as_given>>(own, exchanged(own, height), c.width);
  });
  on_grids<given>([](auto& own, index_t height, routed_case const& c) {
    index_t const rows = gathered(own, height);
    using alike = placement<on<ep, routed>, on<etp, varying>>;
    own.template check<sequence<sort_chunks<ep>>>(own.template rows<alike>(rows, c.width));
    own.template check<sequence<sort_chunks<ep>>>(own.template row_weights<alike>(rows));
    own.template check<sequence<unsort_chunks<ep>>>(own.template rows<alike>(rows, c.width));
  });
}

TEST_CASE("adjoint: gaps behind the rows of every expert, there and back") {
  using into = pad_rows<ep, aligned<3>>;
  on_grids<given>([](auto& own, index_t height, routed_case const& c) {
    using alike = placement<on<ep, routed>, on<etp, varying>>;
    auto const unsorted = own.template rows<alike>(gathered(own, height), 1);
    index_t const count = run(sort_chunks<ep>{}, own.frame, unsorted).data.template size<tokens>();
    check_both<into>(own, count, c.width);
    auto const padded = run(into{}, own.frame, own.template rows<into::from>(count, 1));
    check_both<unpad_rows<ep, aligned<3>>>(own, padded.data.template size<tokens>(), c.width);
  });
}

TEST_CASE("adjoint: gathers and copies of routing weights") {
  using gather = all_gather<ep, tokens, as_given>;
  using into = one<on<ep, given>>;
  on_grids<given>([](auto& own, index_t, routed_case const&) {
    own.template check<sequence<gather>>(own.template weights<into>());
  });
  on_grids<replicated>([](auto& own, index_t, routed_case const&) {
    own.template check<sequence<copy<ep>>>(own.template weights<copy<ep>::from>());
  });
}

TEST_CASE("adjoint: a weight times a row, in each factor, where the experts are and at home") {
  adjoint_case const product{.degree = 2};
  using scale = gate_scale<one<on<ep, routed>>>;
  on_grids<given>(
      [](auto& own, index_t height, routed_case const& c) {
        using rows = one<on<ep, routed>>;
        index_t const count = exchanged(own, height);
        own.template check<sequence<scale>>(own.template rows<rows>(count, c.width),
                                            own.template row_weights<rows>(count));
      },
      product);
  using home = sequence<gate_scale<one<on<ep, bucketed>>, one<on<ep, given>>>, unpermute<ep>>;
  on_grids<given>(
      [](auto& own, index_t height, routed_case const& c) {
        index_t const count = permuted(own, height);
        own.template check<home>(own.template rows<one<on<ep, bucketed>>>(count, c.width),
                                 own.template weights<one<on<ep, given>>>());
      },
      product);
}

namespace {

template <class Dispatcher, class Tokens>
void check_dispatcher() {
  using at_experts = typename dispatch_stage<Dispatcher, weight_at::output>::forward;
  using at_origin = typename dispatch_stage<Dispatcher, weight_at::origin>::forward;
  using lies = placement<on<ep, Tokens>, on<etp, Tokens>>;
  on_grids<Tokens>([](auto& own, index_t height, routed_case const& c) {
    own.template check<at_experts>(own.template rows<lies>(height, c.width), own.template weights<lies>());
  });
  on_grids<Tokens>([](auto& own, index_t height, routed_case const& c) {
    own.template check<at_origin>(own.template rows<lies>(height, c.width), own.template weights<lies>());
  });
}

}  // namespace

TEST_CASE("adjoint: whole dispatchers, rows and weights together") {
  check_dispatcher<all_to_all_dispatcher<>, given>();
  check_dispatcher<all_gather_dispatcher<>, given>();
  check_dispatcher<masked<>, replicated>();
  check_dispatcher<masked<ep, etp, given>, given>();
}

TEST_CASE("adjoint: dispatchers that store rows, send tokens once or align rows") {
  check_dispatcher<direct_dispatcher<>, given>();
  check_dispatcher<direct_dispatcher<ep, etp, on_overflow::error, aligned_rows<4>>, given>();
  check_dispatcher<all_to_all_dispatcher<ep, etp, aligned_rows<4>>, given>();
  check_dispatcher<all_to_all_dispatcher<ep, etp, deduplicated>, given>();
  check_dispatcher<direct_dispatcher<ep, etp, on_overflow::error, deduplicated>, given>();
}

TEST_CASE("adjoint: tokens for experts that return their input, beside rows of the others") {
  using others =
      sequence<on_port<0, sequence<permute<ep>>>, gate_scale<one<on<ep, bucketed>>, one<on<ep, given>>>, unpermute<ep>>;
  using both = sequence<identity_experts<>, leading<2, 1, others>, join<sequence<>, sequence<>>>;
  auto const two_with_weights = [](int) {
    struct {
      moe_weights<double> weights{};
    } held;
    held.weights.fc1.full_experts = 2;
    return held;
  };
  on_grids<given>(
      [](auto& own, index_t height, routed_case const& c) {
        own.template check<both>(own.template rows<one<on<ep, given>>>(height, c.width),
                                 own.template weights<one<on<ep, given>>>());
      },
      {.degree = 2}, two_with_weights);
}

TEST_CASE("adjoint: dispatchers over one group") {
  check_dispatcher<flex_dispatcher<>, given>();
  check_dispatcher<flex_dispatcher<ep, etp, by_direct<>>, given>();
}
