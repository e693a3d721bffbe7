// SPDX-License-Identifier: Apache-2.0
// What a hundred and twenty styles cost to compile: forty gated MLPs with their residual connections as one layer, its
// backward pass, both texts, and the reductions its parameter gradients need.
#include <heddle/heddle.hpp>

namespace {

using namespace heddle;

template <class... Styles>
struct skip {
  static constexpr fixed_string name = "skip";
  using weight = placement<>;
  using bias = placement<>;
  using forward = residual<concat_t<typename Styles::forward...>>;
};

template <class... Blocks>
using four = layer<Blocks..., Blocks..., Blocks..., Blocks...>;
template <class... Blocks>
using twenty = four<Blocks..., Blocks..., Blocks..., Blocks..., Blocks...>;

using mlp = skip<packed_colwise<tp>, gated<tp>, rowwise<tp>>;
using sequence_mlp = skip<packed_colwise<tp, two_segments, sharded<tokens>>, gated<tp>, rowwise<tp, sharded<tokens>>>;

struct cut {
  static constexpr fixed_string name = "cut";
  using weight = placement<>;
  using bias = placement<>;
  using forward = sequence<split<tp, tokens>>;
};

template <class A, class B>
struct stacked;
template <class... A, class... B>
struct stacked<layer<A...>, layer<B...>> {
  using type = layer<A..., cut, B...>;
};

using deep = stacked<twenty<mlp>, twenty<sequence_mlp>>::type;

static_assert(deep::gradients::size == 160);
static_assert(describe<deep::forward>().size() > 3000);
static_assert(describe<deep::backward>().size() > 3000);
static_assert(std::same_as<deep::backward::from, dual_t<deep::to>>);

}  // namespace
