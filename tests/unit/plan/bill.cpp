// SPDX-License-Identifier: Apache-2.0
#include <heddle/plan/bill.hpp>
// own header first
#include <doctest/doctest.h>
#include <heddle/mesh/mesh.hpp>

namespace {

namespace hd = heddle;

constexpr hd::cost_report bill = [] {
  hd::cost_report report;
  report.steps[report.count++] = {"all_reduce", "tp", hd::id_of<hd::tp>, 10};
  report.steps[report.count++] = {"all_to_all", "ep", hd::id_of<hd::ep>, 5};
  report.steps[report.count++] = {"all_reduce", "tp", hd::id_of<hd::tp>, 1};
  return report;
}();
static_assert(bill.bytes_sent<hd::tp>() == 11 && bill.bytes_sent<hd::ep>() == 5 && bill.bytes_sent<hd::dp>() == 0);

TEST_CASE("bill: a report sums over all groups") { CHECK(bill.bytes_sent() == 16); }

TEST_CASE("bill: a collective too many is refused") {
  hd::detail::pricing<hd::mesh<hd::tp>> p{hd::mesh<hd::tp>{2}, 0, {}};
  for (std::size_t i = 0; i < hd::cost_report::most_steps; ++i) p.send<hd::tp, hd::tp>(1);
  CHECK(p.report.bytes_sent() == static_cast<hd::index_t>(hd::cost_report::most_steps));
  CHECK_THROWS_AS((p.send<hd::tp, hd::tp>(1)), hd::error);
}

}  // namespace
