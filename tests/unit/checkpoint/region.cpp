// SPDX-License-Identifier: Apache-2.0
#include <heddle/checkpoint/region.hpp>

#include <doctest/doctest.h>

#include <numeric>

using heddle::index_t;
using namespace heddle::checkpoint;

namespace {

/// Every element's two places, by plain loops over the axes as given.
std::vector<std::pair<index_t, index_t>> places(region const& move) {
  std::vector<std::pair<index_t, index_t>> result{{move.from, move.to}};
  for (region::axis const& along : move.axes) {
    std::vector<std::pair<index_t, index_t>> next;
    for (auto const& [from, to] : result) {
      for (index_t i = 0; i < along.size; ++i) next.emplace_back(from + i * along.from_step, to + i * along.to_step);
    }
    result.swap(next);
  }
  return result;
}

region const turned{3, 5, {{2, 40, 12}, {3, 1, 4}, {4, 10, 1}}};  // rows and columns change places
region const plain{0, 0, {{2, 12, 12}, {1, 7, 9}, {3, 4, 4}, {4, 1, 1}}};
region const gaps{1, 0, {{2, 10, 3}, {3, 1, 1}}};    // dense only where it goes
region const spread{0, 1, {{2, 3, 10}, {3, 1, 1}}};  // dense only where it comes from

}  // namespace

TEST_CASE("region: simplified, the same elements in the order of the source") {
  for (region const& original : {turned, plain, gaps, spread, region{7, 1, {}}, region{7, 1, {{1, 5, 5}}}}) {
    region simple = original;
    simple.simplify();
    auto expected = places(original);
    std::sort(expected.begin(), expected.end());
    CHECK(places(simple) == expected);
    CHECK(simple.count() == original.count());
    CHECK(simple.from_end() == expected.back().first + 1);
    CHECK(simple.to_end() == [&] {
      index_t last = 0;
      for (auto const& each : expected) last = std::max(last, each.second);
      return last + 1;
    }());
  }
  region one = plain;
  one.simplify();
  CHECK(one == region{0, 0, {{24, 1, 1}}});
  region const none{4, 4, {{3, 1, 1}, {0, 1, 1}}};
  CHECK(none.count() == 0);
  CHECK(none.from_end() == 0);
  none.for_each_run([](index_t, index_t, region::axis const&) { CHECK(false); });
}

TEST_CASE("region: copied, and packed and unpacked, equals the plain loop") {
  for (region move : {turned, plain, gaps, spread, region{2, 3, {}}, region{0, 0, {{5, 2, 3}}}}) {
    move.simplify();
    std::vector<int> from(200), expected(100, -1), direct(100, -1), through(100, -1);
    std::iota(from.begin(), from.end(), 1000);
    for (auto const& [source, to] : places(move)) {
      expected[static_cast<std::size_t>(to)] = from[static_cast<std::size_t>(source)];
    }
    copy_region(move, from.data(), direct.data());
    CHECK(direct == expected);
    std::vector<int> buffer(static_cast<std::size_t>(move.count()));
    CHECK(pack_region(move, from.data(), buffer.data()) == buffer.data() + buffer.size());
    CHECK(std::is_sorted(buffer.begin(), buffer.end()));  // files are read forwards
    CHECK(unpack_region(move, buffer.data(), through.data()) == buffer.data() + buffer.size());
    CHECK(through == expected);
    region const bytes = move.in_bytes(4);
    CHECK(bytes.count() == 4 * move.count());
    std::vector<int> again(100, -1);
    copy_region(bytes, reinterpret_cast<char const*>(from.data()), reinterpret_cast<char*>(again.data()));
    CHECK(again == expected);
  }
}
