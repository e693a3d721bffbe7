// SPDX-License-Identifier: Apache-2.0
// The three module styles of Hugging Face's expert parallelism: a router that masks, experts on every token, and the
// expert that returns its input. The same functions judge them and their mutations.
#pragma once

#include "moe_trial.hpp"

namespace support {

/// What runs between the entry and the sum of moe_tp_experts: own rows in, a summand out.
template <class Mode = heddle::grouped>
struct local_experts {
  using parts = typename heddle::glu_expert<Mode>::template on_groups<heddle::ep, heddle::etp>;
  using enter =
      heddle::sequence<heddle::each<heddle::sequence<heddle::copy<heddle::etp>, heddle::select_local<heddle::ep>>>>;
  using compute = heddle::sequence<
      heddle::on_port<0, heddle::concat_t<typename parts::first, typename parts::activate, typename parts::second>>>;
  using weigh = heddle::sequence<heddle::gate_scale<typename parts::left, typename parts::entered>>;
  using leave = heddle::sequence<heddle::unselect_local<heddle::ep>, heddle::all_reduce<heddle::etp>>;
  using body = heddle::concat_t<enter, compute, weigh, leave>;
};

/// Router and experts as one style. `Route` is what the second branch runs, `Experts` a style of two values.
template <class Route, class Experts>
struct routed_block {
  static constexpr heddle::fixed_string name = "routed_block";
  using weight = heddle::placement<>;
  using bias = heddle::placement<>;
  using forward =
      heddle::concat_t<heddle::sequence<heddle::fork<heddle::sequence<>, Route>>, typename Experts::forward>;
  using backward = heddle::conjugate_t<forward>;
};

using masking_router = heddle::ep_router<heddle::ep, route_like_mixtral>;
/// The same router without the mask.
struct plain_router {
  static constexpr heddle::fixed_string name = "plain_router";
  using weight = heddle::placement<>;
  using bias = heddle::placement<>;
  using forward = route_like_mixtral::route;
  using backward = heddle::conjugate_t<forward>;
};

/// What `Style`, an ep_router, leaves on the ranks, against the plain routing: ids and weights of own experts in their
/// places, id -1 and weight 0 in the others'.
template <class Style>
outcome try_ep_router(split_of const& split, moe_sizes const& sizes) {
  moe_data const data = make_moe(sizes);
  grid_type const grid = split.grid();
  outcome result;
  std::mutex mutex;
  try {
    on_ranks<heddle::tp, heddle::dp, heddle::etp, heddle::ep, heddle::edp>(grid, 1, [&](grid_tools& tools) {
      moe_parameters<float> const parameters{data.layer, grid, tools.rank};
      auto const x = all_of<float>(data.x);
      heddle::activation<float const> const in{rows_of(x, data.x[0], data.x[1]), data.x[1]};
      heddle::step_state<> whole;
      heddle::step_state<> masked;
      auto const all = heddle::infer<plain_router>(tools.execution, parameters.weights, in, whole).weights;
      auto const own = heddle::infer<Style>(tools.execution, parameters.weights, in, masked).weights;
      heddle::range const mine =
          ceil_chunk::piece(sizes.experts, grid.size<heddle::ep>(), grid.coordinate<heddle::ep>(tools.rank));
      std::lock_guard const lock{mutex};
      if (own.shape() != all.shape() || masked.routing.ids.shape() != all.shape()) {
        result.problem = "ids and weights are not [tokens, slots]";
        return;
      }
      for (index_t i = 0; i < all.count(); ++i) {
        std::int32_t const id = whole.routing.ids.data()[i];
        bool const here = id >= mine.begin && id < mine.end();
        if (masked.routing.ids.data()[i] != (here ? id : -1))
          result.problem = "expert " + std::to_string(id) + " became " + std::to_string(masked.routing.ids.data()[i]);
        if (own.data()[i] != (here ? all.data()[i] : 0.0F))
          result.problem = "the weight of expert " + std::to_string(id) + " is " + std::to_string(own.data()[i]);
      }
    });
  } catch (std::exception const& problem) {
    result.problem = problem.what();
  }
  return result;
}

/// The outputs of a style, added over ep.
template <class Style>
struct summed_over_ep {
  static constexpr heddle::fixed_string name = "summed";
  using weight = heddle::placement<>;
  using bias = heddle::placement<>;
  using forward = heddle::concat_t<heddle::sequence<heddle::copy<heddle::ep>>, typename Style::forward,
                                   heddle::sequence<heddle::all_reduce<heddle::ep>>>;
  using backward = heddle::conjugate_t<forward>;
};

/// x through an expert that returns its input, its outputs summed over ep: x again. `Style` is that expert.
template <class Style>
outcome try_identity(split_of const& split, index_t height) {
  using summed = summed_over_ep<Style>;
  tensor const x = distinct({height, 6}, 21);
  judgement judge;
  return judge.run<heddle::tp, heddle::dp, heddle::etp, heddle::ep, heddle::edp>(
      split.grid(), 1, [&](grid_tools& tools) {
        auto const local = all_of<float>(x);
        auto const y = heddle::infer<summed>(tools.execution, std::tuple<>{}, rows_of(local, height, 6));
        judge.compare(tools.rank, y.data, x, box::all(x.shape));
      });
}

}  // namespace support
