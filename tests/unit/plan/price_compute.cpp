// SPDX-License-Identifier: Apache-2.0
#include <heddle/plan/price_compute.hpp>
// own header first
#include <doctest/doctest.h>
#include <heddle/mesh/mesh.hpp>
#include <heddle/style/linear.hpp>

namespace {

namespace hd = heddle;
using value = hd::detail::priced_value;
using grid = hd::mesh<hd::tp>;

constexpr hd::layer_shape shape{.width = 6, .out = 10, .experts = 5, .top_k = 2, .ffn = 7};
constexpr value x{.rows = 3, .width = 6, .full_width = 6, .element_size = 4};

TEST_CASE("price: multiplications count two operations a product and keep their result") {
  hd::detail::pricing<grid> p{grid{4}, 3, shape};
  using cut = hd::placement<hd::on<hd::tp, hd::sharded<hd::out_features>>>;
  value const y = price(hd::gemm<hd::placement<>, hd::placement<>, cut>{}, p, x);
  CHECK(y.width == 1);  // 10 over 4: 3, 3, 3, 1
  CHECK(y.full_width == 10);
  CHECK(p.report.flops == 2 * 3 * 6 * 1);
  CHECK(p.report.activation_bytes == 3 * 1 * 4);
}

TEST_CASE("price: the first expert matrix is twice ffn wide, the gated unit halves it; without a gate it is ffn wide") {
  hd::detail::pricing<grid> p{grid{1}, 0, shape};
  using none = hd::placement<>;
  value const wide = price(hd::expert_gemm<hd::grouped, none, none, none, hd::fc1_role>{}, p, x);
  CHECK(wide.width == 14);
  CHECK(price(hd::glu<hd::silu>{}, p, wide).width == 7);
  using cut = hd::placement<hd::on<hd::tp, hd::sharded<hd::out_features>>>;
  value const plain = price(hd::expert_gemm<hd::grouped, none, none, cut, hd::fc1_role>{}, p, x);
  CHECK(price(hd::activate<hd::relu>{}, p, plain).width == 7);  // without a gate fc1 is ffn wide
  CHECK(price(hd::choose<void, 3>{}, p, x).width == 3);
  CHECK(price(hd::choose<void, -1>{}, p, x).width == 2);
}

}  // namespace
