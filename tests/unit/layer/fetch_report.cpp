// SPDX-License-Identifier: Apache-2.0
#include <heddle/layer/fetch_report.hpp>

#include <doctest/doctest.h>
#include <list>
#include <vector>

using namespace heddle;

namespace {

/// An execution whose device is the host's memory by another name.
struct far_away {
  using memory = device_memory;
  std::list<std::vector<double>> pieces{};
  int fetches = 0;

  template <class Element>
  Element* allocate_here(index_t count) {
    return reinterpret_cast<Element*>(pieces.emplace_back(static_cast<std::size_t>(count), -7).data());
  }
  index_t* allocate_counts(index_t count) { return allocate_here<index_t>(count); }
  template <class Number>
  void fetch(host_sync, per_row<Number const, memory> from, std::span<Number> into) {
    ++fetches;
    for (std::size_t i = 0; i < into.size(); ++i) into[i] = from.data()[i];
  }
};

template <class Number>
per_row<Number const, device_memory> there(std::vector<Number> const& numbers) {
  return {numbers.data(), extents<tokens>{static_cast<index_t>(numbers.size())}};
}

}  // namespace

TEST_CASE("on the host a report is what it is") {
  int nobody = 0;
  routing_report<> report;
  report.aux = 2;
  std::vector<index_t> const kept{1, 2};
  report.kept = kept;
  auto const here = fetch_report(nobody, report);
  CHECK(here.aux == 2);
  CHECK(here.kept.data() == kept.data());
}

TEST_CASE("the report of a device is fetched, what was not found out is as on the host, and a bad choice is an error") {
  far_away on;
  routing_report<device_memory> report;
  routing_report<> const nothing = fetch_report(on, report);
  CHECK(on.fetches == 0);
  CHECK(nothing.aux == 0);
  CHECK(nothing.kept.empty());
  CHECK(!nothing.overflow);
  std::vector<double> const aux{0.5}, z{0.25}, history{3, 4, 5};
  std::vector<index_t> const kept{7, 0, 2}, dropped{1, 0, 3}, found{9, 4, 2, 5, 1, 0, 6}, good{0}, bad{8};
  report.aux = there(aux);
  report.z = there(z);
  report.history = there(history);
  report.kept = counts<device_memory>{there(kept)};
  report.dropped = counts<device_memory>{there(dropped)};
  report.overflow_found = there(found);
  report.bad_choice = there(good);
  auto const here = fetch_report(on, report);
  CHECK(here.aux == 0.5);
  CHECK(here.z == 0.25);
  CHECK(std::vector<double>(here.history.begin(), here.history.end()) == history);
  CHECK(std::vector<index_t>(here.kept.begin(), here.kept.end()) == kept);
  CHECK(std::vector<index_t>(here.dropped.begin(), here.dropped.end()) == dropped);
  CHECK(here.overflow.needed == 9);
  CHECK(here.overflow.room == 4);
  CHECK(here.overflow.rank == 2);
  CHECK(here.overflow.expert == 5);
  CHECK(std::vector<index_t>(here.overflow.dropped.begin(), here.overflow.dropped.end()) ==
        std::vector<index_t>{1, 0, 6});
  report.bad_choice = there(bad);
  try {
    static_cast<void>(fetch_report(on, report));
    FAIL("a bad choice");
  } catch (error const& problem) {
    CHECK(problem.kind() == error_kind::argument);
    CHECK(std::string{problem.what()}.find("recorded choice 7,") != std::string::npos);
  }
}
