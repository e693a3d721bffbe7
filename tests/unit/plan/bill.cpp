// SPDX-License-Identifier: Apache-2.0
#include <heddle/plan/bill.hpp>
// own header first
#include <doctest/doctest.h>

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

}  // namespace
