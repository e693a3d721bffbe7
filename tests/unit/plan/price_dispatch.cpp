// SPDX-License-Identifier: Apache-2.0
#include <heddle/plan/price_dispatch.hpp>
// own header first
#include <doctest/doctest.h>
#include <heddle/mesh/mesh.hpp>

namespace {

namespace hd = heddle;
using value = hd::detail::priced_value;
using grid = hd::mesh<hd::ep>;

TEST_CASE("price: copies leave, all but those for this rank's own experts, and come back") {
  hd::detail::pricing<grid> p{grid{4}, 0, {.experts = 8, .top_k = 2}};
  value const x{.rows = 8, .width = 3, .full_width = 3, .element_size = 4};
  value const copies = price(hd::permute<hd::ep>{}, p, x);
  CHECK(copies.rows == 16);
  price(hd::all_to_all<hd::ep>{}, p, copies);
  CHECK(p.report.bytes_sent() == 12 * 3 * 4 + 6 * 8);  // rows, and the counts of six foreign experts
  price(hd::all_to_all_back<hd::ep>{}, p, copies);
  CHECK(p.report.bytes_sent() == 2 * 12 * 3 * 4 + 6 * 8);
  CHECK(price(hd::unpermute<hd::ep>{}, p, copies).rows == 8);
}

TEST_CASE("price: a rank that selects takes its share of all copies and gives back whole tokens") {
  hd::detail::pricing<grid> p{grid{4}, 1, {.experts = 8, .top_k = 2}};
  value const x{.rows = 32, .width = 3, .full_width = 3, .element_size = 4};
  value const own = price(hd::select_local<hd::ep>{}, p, x);
  CHECK(own.rows == 16);
  CHECK(price(hd::unselect_local<hd::ep>{}, p, own).rows == 32);
}

}  // namespace
