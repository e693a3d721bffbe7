// SPDX-License-Identifier: Apache-2.0
#include <heddle/plan/price_shares.hpp>

#include <doctest/doctest.h>
#include <heddle/mesh/mesh.hpp>
#include <heddle/placement/shards.hpp>
#include <heddle/style/linear.hpp>

namespace {

namespace hd = heddle;
using grid = hd::mesh<hd::tp, hd::dp>;
using hd::detail::bias_kind;

using cut = hd::placement<hd::on<hd::tp, hd::sharded<hd::out_features, hd::two_segments>>>;
using state = hd::by_rows<>::state<cut>;

/// What rank `rank` of tp 2 x dp 3 has of a packed axis.
constexpr hd::detail::priced_share share(int rank, hd::index_t full) {
  return hd::detail::share_out<hd::dp>(state{}, cut{}, hd::detail::pricing<grid>{grid{2, 3}, rank, {}}, full);
}
// Halves of 11: tp leaves 6 and 5, dp makes of them 2, 2, 2 and 2, 2, 1.
static_assert(share(0, 22).whole == 12 && share(0, 22).own == 4);
static_assert(share(1, 22).whole == 10 && share(1, 22).own == 4);
static_assert(share(5, 22).own == 2);
static_assert(share(5, 22).all_have && !share(5, 4).all_have);
static_assert(share(5, 4).whole == 2 && share(5, 4).own == 0 && share(1, 4).own == 2);

using none = hd::placement<>;
static_assert(hd::detail::adds_bias<hd::add_bias<none, none>> == bias_kind::of_linear);
static_assert(hd::detail::adds_bias<hd::add_expert_bias<hd::grouped, none, none, hd::fc1_role>> ==
              bias_kind::of_experts);
static_assert(hd::detail::adds_bias<hd::gemm<none, none, none>> == bias_kind::none);

using product = hd::gemm<none, none, none>;
using branch = hd::sequence<product, hd::add_bias<none, none>>;
using inner_type = hd::detail::pricing_of_shares<hd::detail::pricing<grid>, hd::dp, hd::by_rows<>, branch>;

}  // namespace

TEST_CASE("price: a matrix, its bias, and who has one") {
  hd::detail::priced_value const x{.rows = 1, .width = 5, .full_width = 5};
  hd::detail::priced_value const y{.rows = 1, .width = 4, .full_width = 4};
  inner_type two{{grid{1, 3}, 1, {.element_size = 2}}};
  two.meet<product>(x, y);
  // Parts of 4 rows: 2, 2 and none, so ranks say whether they have a bias.
  CHECK(two.gathered == 2 * (2 * 5 * 2) + 2 * 8);
  CHECK(two.scattered == (4 - 2) * 5 * 4);  // sums run in f32
  CHECK(two.whole == 4 * 5 * 2);
  inner_type with{{grid{1, 3}, 0, {.element_size = 2, .biases = true}}};
  with.meet<product>(x, y);
  CHECK(with.gathered == 2 * (2 * 5 * 2 + 2 * 2) + 2 * 8);
  CHECK(with.scattered == (4 - 2) * (5 + 1) * 4);
  CHECK(with.whole == 4 * (5 + 1) * 2);
  with.meet<hd::add_bias<none, none>>(y, y);  // has gone with its matrix
  CHECK(with.whole == 4 * (5 + 1) * 2);
}
