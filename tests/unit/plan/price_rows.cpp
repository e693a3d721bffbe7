// SPDX-License-Identifier: Apache-2.0
#include <heddle/plan/price_rows.hpp>

#include <doctest/doctest.h>
#include <heddle/compute/expert_gemm.hpp>
#include <heddle/mesh/mesh.hpp>

namespace {

namespace hd = heddle;
using value = hd::detail::priced_value;
using grid = hd::mesh<hd::ep>;
using none = hd::placement<>;

constexpr hd::layer_shape shape{.rows = 9, .width = 6, .experts = 5, .top_k = 2, .element_size = 2, .identity = 2};
constexpr value x{.rows = 9, .width = 6, .full_width = 6, .element_size = 2};

/// The value behind an operation, and the bytes that it makes.
template <class Operation>
constexpr std::pair<value, hd::index_t> priced(int rank = 0) {
  hd::detail::pricing<grid> p{grid{2}, rank, shape};
  value const y = price(Operation{}, p, x);
  return {y, p.report.activation_bytes + p.report.flops + p.report.bytes_sent()};
}

using mode = hd::grouped;
static_assert(priced<hd::add_bias<none, none>>().second == 0);
static_assert(priced<hd::add_expert_bias<mode, none, none, hd::fc1_role>>().second == 0);
static_assert(priced<hd::gate_scale<>>().second == 0);
static_assert(priced<hd::gate_scale_grad<>>().second == 9 * 4);  // one f32 a row
static_assert(priced<hd::weighted_bias_grad<mode, none, none, none, hd::fc2_role>>().second == 9 * 4);
static_assert(priced<hd::mask_padding<>>().second == 0);
static_assert(priced<hd::mask_routing<hd::ep>>().second == 9 * 6 * 2);

// Nine rows of three experts are three each, of two experts five.
static_assert(priced<hd::pad_rows<hd::ep, hd::aligned<4>>>(0).first.rows == 3 * 4);
static_assert(priced<hd::pad_rows<hd::ep, hd::aligned<4>>>(1).first.rows == 2 * 8);
static_assert(priced<hd::pad_rows<hd::ep, hd::aligned<4>>>(1).second == 2 * 8 * 6 * 2);

}  // namespace

TEST_CASE("price: gaps come and go, where there are rows and experts") {
  hd::detail::pricing<grid> p{grid{2}, 0, shape};
  value const wide = price(hd::pad_rows<hd::ep, hd::aligned<16>>{}, p, x);
  CHECK(wide.rows == 48);
  CHECK(price(hd::unpad_rows<hd::ep, hd::aligned<16>>{}, p, wide).rows == 9);
  CHECK(price(hd::pad_rows<hd::ep, hd::aligned<16>>{}, p, value{.rows = 0, .width = 6}).rows == 0);
  hd::detail::pricing<grid> empty{grid{2}, 1, {.experts = 1}};
  CHECK(price(hd::pad_rows<hd::ep, hd::aligned<16>>{}, empty, value{.rows = 0, .width = 6}).rows == 0);
}

TEST_CASE("price: choices of experts that return their input make no copies, until the next routing") {
  hd::detail::pricing<grid> p{grid{2}, 0, shape};
  price(hd::identity_experts<>{}, p, x);
  CHECK(p.shape.experts == 3);
  CHECK(p.copies_of(10) == 12);
  p.begin_routing();
  CHECK(p.shape.experts == 5);
  CHECK(p.copies_of(10) == 20);
}
