// SPDX-License-Identifier: Apache-2.0
#include <heddle/layer/run_columns.hpp>

#include "numbers.hpp"

#include <doctest/doctest.h>

using namespace heddle;
using namespace numbers;

namespace {

template <class Body>
void on_tp(int ranks, Body const& body) {
  in_frames<tp>(mesh<tp>{ranks}, std::tuple<>{}, body);
}

}  // namespace

TEST_CASE("split and unsplit of features, plain, balanced and packed") {
  on_tp(3, [](auto& frame, int rank) {
    list const whole = table(2, 8);
    auto const x = value(whole, 2, 8);
    auto const plain = run(split<tp, hidden>{}, frame, x);
    CHECK(read(plain) == table(2, rank == 2 ? 2 : 3, 0, 3 * rank));
    CHECK(plain.full_hidden == 8);
    CHECK(read(run(unsplit<tp, hidden>{}, frame, plain)) == whole);
    auto const level = run(split<tp, hidden, balanced>{}, frame, x);
    CHECK(read(level) == table(2, rank == 2 ? 2 : 3, 0, 3 * rank));
    using halves = segmented<ceil_chunk, 1, 1>;
    auto const packed = run(split<tp, hidden, halves>{}, frame, x);
    list const expected[] = {{0, 1, 4, 5, 10, 11, 14, 15}, {2, 3, 6, 7, 12, 13, 16, 17}, {}};
    CHECK(read(packed) == expected[rank]);
    CHECK(read(run(unsplit<tp, hidden, halves>{}, frame, packed)) == whole);
    CHECK(read(run(all_gather<tp, hidden, halves>{}, frame, packed)) == whole);
  });
}

TEST_CASE("a reduce_scatter of features leaves each rank its columns of the sum") {
  on_tp(3, [](auto& frame, int rank) {
    using halves = segmented<ceil_chunk, 1, 1>;
    list mine = table(2, 8);
    for (float& number : mine) number *= static_cast<float>(rank + 1);  // 1 + 2 + 3 times the table
    auto const plain = run(reduce_scatter<tp, hidden>{}, frame, value(mine, 2, 8));
    list expected = table(2, rank == 2 ? 2 : 3, 0, 3 * rank);
    for (float& number : expected) number *= 6;
    CHECK(read(plain) == expected);
    CHECK(plain.full_hidden == 8);
    list const packed[] = {{0, 6, 24, 30, 60, 66, 84, 90}, {12, 18, 36, 42, 72, 78, 96, 102}, {}};
    CHECK(read(run(reduce_scatter<tp, hidden, halves>{}, frame, value(mine, 2, 8))) == packed[rank]);
  });
}
