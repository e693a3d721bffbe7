// SPDX-License-Identifier: Apache-2.0
#include <heddle/plan/price_walk.hpp>

#include <doctest/doctest.h>
#include <heddle/mesh/mesh.hpp>
#include <heddle/style/shared_expert.hpp>

namespace {

namespace hd = heddle;
using grid = hd::mesh<hd::tp>;
using none = hd::placement<>;
using product = hd::gemm<none, none, none>;
using hd::detail::pricer;

template <class Sequence>
constexpr std::pair<hd::detail::priced_bundle, hd::cost_report> priced(hd::layer_shape const& shape,
                                                                       std::size_t count) {
  hd::detail::pricing<grid> p{grid{2}, 0, shape};
  hd::detail::priced_value const x{shape.rows, shape.width, shape.width, 4};
  hd::detail::priced_bundle bundle{{x, x, x}, count};
  pricer<Sequence>::through(p, bundle);
  return {bundle, p.report};
}

constexpr hd::layer_shape shape{.rows = 3, .width = 6, .out = 5, .experts = 4, .shared = 7};
static_assert(pricer<hd::sequence<>>::entries == 0);
static_assert(pricer<hd::sequence<product, hd::recompute<hd::sequence<product>>>>::entries == 3);

/// The shared expert's first matrix has gate and up columns where a gated activation is next.
static_assert(priced<hd::shared_expert<>::forward>(shape, 1).second.flops == 2 * 3 * 6 * (14 + 7));
static_assert(priced<hd::shared_expert<hd::sequence<hd::activate<hd::relu>>>::forward>(shape, 1).second.flops ==
              2 * 3 * 6 * (7 + 7));
static_assert(priced<hd::shared_expert<hd::sequence<hd::glu<hd::silu>>, true>::forward>(shape, 1).second.flops ==
              2 * 3 * 6 * (14 + 7 + 1));
/// A second lane costs no less.
static_assert(priced<hd::sequence<hd::beside<hd::sequence<product>>>>(shape, 1).second.flops == 2 * 3 * 6 * 5);

}  // namespace

TEST_CASE("price: values that wait keep what they are, and move where those before them become fewer") {
  using waiting = hd::sequence<hd::leading<2, 1, hd::sequence<hd::gate_scale<>, product>>>;
  auto const [bundle, report] = priced<waiting>(shape, 3);
  CHECK(bundle.count == 2);
  CHECK(bundle.values[0].width == 5);
  CHECK(bundle.values[1].width == 6);
  CHECK(report.flops == 2 * 3 * 6 * 5);
  auto const [kept, none_sent] =
      priced<hd::sequence<hd::gate_scale_keep<none>, hd::on_port<0, hd::sequence<product>>>>(shape, 2);
  CHECK(kept.count == 2);
  CHECK(kept.values[0].width == 5);
  CHECK(kept.values[1].width == 6);
  CHECK(none_sent.bytes_sent() == 0);
}
