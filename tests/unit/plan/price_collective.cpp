// SPDX-License-Identifier: Apache-2.0
#include <heddle/plan/price_collective.hpp>
// own header first
#include <doctest/doctest.h>

namespace {

namespace hd = heddle;
using value = hd::detail::priced_value;

template <class Operation, class Grid>
constexpr std::pair<value, hd::index_t> priced(Grid grid, int rank, value x) {
  hd::detail::pricing<Grid> p{grid, rank, {}};
  value const y = price(Operation{}, p, x);
  return {y, p.report.bytes_sent()};
}

constexpr hd::mesh<hd::tp> three{3};
constexpr value whole{.rows = 10, .width = 4, .full_width = 4, .element_size = 2};

static_assert(priced<hd::copy<hd::tp>>(three, 0, whole).second == 0);
static_assert(priced<hd::all_reduce<hd::tp>>(three, 0, whole).second == (40 - 14 + 2 * 14) * 2);
static_assert(priced<hd::split<hd::tp, hd::tokens>>(three, 2, whole).first.rows == 2);
static_assert(priced<hd::split<hd::tp, hd::hidden>>(three, 2, whole).first.width == 0);
static_assert(priced<hd::all_gather<hd::tp, hd::tokens>>(three, 0, whole).second == 2 * (10 * 4 * 2 + 8));
static_assert(priced<hd::reduce_scatter<hd::tp, hd::tokens>>(three, 2, whole).second == (10 - 2) * 4 * 2);

TEST_CASE("price: an unsplit of the hidden axis gives back the full width") {
  auto const [y, bytes] = priced<hd::unsplit<hd::tp, hd::hidden>>(
      three, 1, value{.rows = 10, .width = 2, .full_width = 5, .element_size = 4});
  CHECK(y.width == 5);
  CHECK(bytes == 2 * 10 * 2 * 4);
}

}  // namespace
