// SPDX-License-Identifier: Apache-2.0
#include <heddle/plan/backward_cost.hpp>

#include "../../support/ranks.hpp"

#include <doctest/doctest.h>
#include <heddle/layer/backward.hpp>
#include <heddle/style/linear.hpp>

namespace {

namespace hd = heddle;
using hd::index_t;

constexpr hd::mesh<hd::tp> four{4};
/// One matrix of a layer, cut as a style says.
constexpr hd::layer_shape up{.rows = 10, .width = 16, .out = 22};
constexpr auto back = hd::backward_cost_of<hd::colwise<hd::tp>>(four, 3, up);
static_assert(back.bytes_sent<hd::tp>() == (160 + 2 * 40) * 4);  // the sum of dx: all but its own quarter, that thrice
static_assert(back.flops == 2 * hd::cost_of<hd::colwise<hd::tp>>(four, 3, up).flops);
static_assert(back.activation_bytes == 10 * 16 * 4);
static_assert(hd::backward_cost_of<hd::rowwise<hd::tp>>(four, 0, up).bytes_sent() == 0);

/// A product, and another of it, twice computed.
using none = hd::placement<>;
using product = hd::gemm<none, none, none>;
struct twice {
  using forward = hd::sequence<hd::recompute<hd::sequence<product, hd::activate<hd::relu>, product>>>;
};
struct once {
  using forward = hd::sequence<product, hd::activate<hd::relu>, product>;
};
constexpr hd::layer_shape square{.rows = 3, .width = 5, .out = 5};
static_assert(hd::backward_cost_of<once>(four, 0, square).flops == 4 * 2 * 3 * 5 * 5);
static_assert(hd::backward_cost_of<twice>(four, 0, square).flops == 5 * 2 * 3 * 5 * 5);
static_assert(hd::cost_of<twice>(four, 0, square).flops == 2 * 2 * 3 * 5 * 5);

/// x + x W: the gradients of both branches are summed.
struct forked {
  using forward = hd::residual<hd::sequence<product>>;
};
static_assert(hd::backward_cost_of<forked>(four, 0, square).activation_bytes == 2 * 3 * 5 * 4);

}  // namespace

// One `out` serves both matrices: as many features in as out. Ranks bring equally many rows, and have 3, 3 and 1
// columns.
TEST_CASE("backward cost: a layer on parts of the tokens sends exactly what its bills say") {
  using part = hd::sharded<hd::tokens>;
  using style = hd::layer<hd::colwise<hd::tp, part>, hd::rowwise<hd::tp, part>>;
  for (int const size : {1, 2, 3, 4}) {
    hd::mesh<hd::tp> const grid{size};
    support::on_ranks<hd::tp>(grid, 1, [&](auto& tools) {
      constexpr index_t width = 7;
      index_t const own = hd::ceil_chunk::piece(width, size, tools.rank).size;
      std::vector<float> const numbers(width * width, 0.5F);
      std::tuple const weights{
          hd::linear<float>{.weight = {numbers.data(), {own, width}}, .full_out = width, .full_in = width},
          hd::linear<float>{.weight = {numbers.data(), {width, own}}, .full_out = width, .full_in = width}};
      hd::rows<float const> const x{numbers.data(), hd::extents<hd::tokens, hd::hidden>{2, width}};
      auto const sent = [&] { return tools.groups.template get<hd::tp>().bytes_sent(); };
      index_t const first = sent();
      auto const [y, saved] = hd::forward<style>(tools.execution, weights, x);
      index_t const second = sent();
      hd::backward<style>(tools.execution, weights, saved, x);
      hd::layer_shape const shape{.rows = 2, .width = width, .out = width};
      CHECK(second - first == hd::cost_of<style>(grid, tools.rank, shape).template bytes_sent<hd::tp>());
      CHECK(sent() - second == hd::backward_cost_of<style>(grid, tools.rank, shape).template bytes_sent<hd::tp>());
      CHECK((size == 1 || sent() > second));
    });
  }
}
