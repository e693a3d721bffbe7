// SPDX-License-Identifier: Apache-2.0
// The grids of the systems that train mixtures of experts, from the sizes that their users give. What is left over of a
// stage's ranks, when experts have taken theirs, holds copies of them: edp.
#pragma once

#include <heddle/mesh/folding.hpp>

namespace heddle::inline HEDDLE_ABI {

using megatron_dense = mesh<tp, cp, dp, pp>;
using megatron_experts = mesh<etp, ep, edp, pp>;
/// Megatron-Core's sizes, in the order tp-cp-ep-dp-pp.
struct megatron_sizes {
  using dense = megatron_dense;
  using experts = megatron_experts;
  int tp = 1, cp = 1, dp = 1, pp = 1;
  int ep = 1;
  int etp = 0;  ///< 0: as tp
};

using torchtitan_dense = mesh<tp, cp, dp, replica, pp>;
using torchtitan_experts = mesh<etp, ep, edp, replica, pp>;
/// torchtitan's sizes: `shard` is FSDP's, `replicate` HSDP's. Experts are not cut inside.
struct torchtitan_sizes {
  using dense = torchtitan_dense;
  using experts = torchtitan_experts;
  int tp = 1, cp = 1, shard = 1, replicate = 1, pp = 1;
  int ep = 1;
};

namespace detail {

/// How many copies of the experts `ranks` ranks hold. Throws `shape` where they hold no whole number.
constexpr int copies_of_experts(int ranks, char const* of, int ep, int etp) {
  long long const one = static_cast<long long>(ep) * etp;
  if (ep < 1 || etp < 1 || ranks % one != 0) {
    throw error(error_kind::shape,
                std::string{of} + " has " + std::to_string(ranks) + " ranks, and ep " + std::to_string(ep) + " x etp " +
                    std::to_string(etp) + " takes " + std::to_string(one),
                "choose ep and etp whose product divides tp x cp x dp");
  }
  return static_cast<int>(ranks / one);
}

}  // namespace detail

// Templates, so that only their users pay for these grids.
/// Dense rank tp + TP*(cp + CP*(dp + DP*pp)), expert rank etp + ETP*(ep + EP*(edp + EDP*pp)), with
/// EDP = TP*CP*DP / (ETP*EP). Throws `error_kind::shape` where that is no whole number.
template <std::same_as<megatron_sizes> Sizes = megatron_sizes>
[[nodiscard]] constexpr auto megatron_grids(Sizes const& n) {
  typename Sizes::dense const dense{n.tp, n.cp, n.dp, n.pp};
  int const inside = n.etp == 0 ? n.tp : n.etp;
  int const copies = detail::copies_of_experts(dense.world() / n.pp, "a pipeline stage", n.ep, inside);
  return folding{dense, typename Sizes::experts{inside, n.ep, copies, n.pp}};
}

/// Dense rank (((pp*R + rep)*S + shard)*CP + cp)*TP + tp, sparse rank ((pp*R + rep)*EFSDP + efsdp)*EP + ep, with
/// EFSDP = S*CP*TP / EP: expert parallelism borrows its ranks from those that share one copy of the dense parameters
/// (dp2ep). `dp` is torchtitan's dp_shard and `edp` its efsdp. Throws `error_kind::shape` where EP does not divide.
template <std::same_as<torchtitan_sizes> Sizes = torchtitan_sizes>
[[nodiscard]] constexpr auto torchtitan_grids(Sizes const& n) {
  typename Sizes::dense const dense{n.tp, n.cp, n.shard, n.replicate, n.pp};
  int const copies = detail::copies_of_experts(dense.world() / n.pp / n.replicate, "a copy of the model", n.ep, 1);
  return folding{dense, typename Sizes::experts{1, n.ep, copies, n.replicate, n.pp}};
}

}  // namespace heddle::inline HEDDLE_ABI
