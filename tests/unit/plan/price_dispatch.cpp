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

TEST_CASE("price: a rank with more experts gets more rows, and sends more home") {
  // Three tokens that choose all of five experts; the ranks have three and two of them.
  for (int rank : {0, 1}) {
    hd::index_t const own = rank == 0 ? 3 : 2;
    hd::detail::pricing<grid> p{grid{2}, rank, {.experts = 5, .top_k = 5}};
    value const copies = price(hd::permute<hd::ep>{}, p, {.rows = 3, .width = 4, .full_width = 4, .element_size = 4});
    value const arrived = price(hd::all_to_all<hd::ep>{}, p, copies);
    CHECK(arrived.rows == 2 * 3 * own);
    hd::index_t const counts = (5 - own) * 8;
    CHECK(p.report.bytes_sent() == (15 - 3 * own) * 16 + counts);
    CHECK(price(hd::all_to_all_back<hd::ep>{}, p, arrived).rows == 15);
    CHECK(p.report.bytes_sent() == (15 - 3 * own) * 16 + counts + 3 * own * 16);
  }
}

TEST_CASE("price: what the routing decides is about so, what tokens decide is exact") {
  hd::detail::pricing<grid> p{grid{4}, 0, {.experts = 8, .top_k = 2}};
  value const x{.rows = 8, .width = 3, .full_width = 3};
  p.send<hd::all_to_all<hd::ep>, hd::ep>(1);
  value const copies = price(hd::permute<hd::ep>{}, p, x);
  price(hd::all_to_all<hd::ep>{}, p, copies);
  p.send_as<hd::ep>("parameters", 1, false);
  price(hd::unpermute<hd::ep>{}, p, copies);
  p.send<hd::all_to_all<hd::ep>, hd::ep>(1);
  CHECK(!p.report.steps[0].about);
  CHECK(p.report.steps[1].about);
  CHECK(!p.report.steps[2].about);
  CHECK(!p.report.steps[3].about);
}

}  // namespace
