// SPDX-License-Identifier: Apache-2.0
#include <heddle/layer/run_collective.hpp>

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

TEST_CASE("copy moves nothing; all_reduce sums and leaves the caller's memory alone") {
  on_tp(3, [](auto& frame, int rank) {
    list const mine{1.0F * static_cast<float>(rank), 10, 100};
    auto const x = value(mine, 1, 3);
    CHECK(run(copy<tp>{}, frame, x).data.data() == mine.data());
    auto const y = run(all_reduce<tp>{}, frame, x);
    CHECK(read(y) == list{3, 30, 300});
    CHECK(mine[1] == 10);
    auto const z = run(all_reduce<tp>{}, frame, y);  // scratch is summed in place
    CHECK(z.data.data() == y.data.data());
    CHECK(read(z) == list{9, 90, 900});
  });
}

TEST_CASE("split and unsplit of tokens: 10 over 4 is 3 3 3 1") {
  on_tp(4, [](auto& frame, int rank) {
    list const whole = table(10, 2);
    auto const part = run(split<tp, tokens>{}, frame, value(whole, 10, 2));
    CHECK(read(part) == table(rank == 3 ? 1 : 3, 2, 3 * rank));
    CHECK(part.data.data() == whole.data() + 6 * rank);  // a view, not a copy
    CHECK(read(run(unsplit<tp, tokens>{}, frame, part)) == whole);
  });
}

TEST_CASE("rows as they are: gathered in rank order, reduced back to where they came from") {
  on_tp(3, [](auto& frame, int rank) {
    index_t const heights[] = {2, 0, 1};
    list const mine = table(heights[rank], 2, 5 * rank);
    auto const all = run(all_gather<tp, tokens, as_given>{}, frame, value(mine, heights[rank], 2));
    CHECK(read(all) == list{0, 1, 10, 11, 100, 101});
    CHECK(frame.template rows_of<tp>()[0] == 2);
    auto const sum = run(reduce_scatter<tp, tokens, as_given>{}, frame, all);
    list const expected[] = {{0, 3, 30, 33}, {}, {300, 303}};
    CHECK(read(sum) == expected[rank]);
  });
}

TEST_CASE("a reduce_scatter without a gather before it deals rows by its partition") {
  on_tp(4, [](auto& frame, int rank) {
    list const ones(20, 1.0F);
    auto const sum = run(reduce_scatter<tp, tokens>{}, frame, value(ones, 10, 2));
    CHECK(read(sum) == list(rank == 3 ? 2 : 6, 4.0F));
  });
}

TEST_CASE("what a gather finds is not what the placement says: all ranks throw") {
  on_tp(2, [](auto& frame, int rank) {
    list const mine = table(1 + 2 * rank, 2);
    CHECK_THROWS_AS(static_cast<void>(run(all_gather<tp, tokens>{}, frame, value(mine, 1 + 2 * rank, 2))), error);
  });
  on_tp(2, [](auto& frame, int) {
    list const mine = table(1, 3);
    CHECK_THROWS_AS(static_cast<void>(run(unsplit<tp, hidden>{}, frame, value(mine, 1, 3, 8))),
                    error);  // its part of 8 is 4
  });
}

TEST_CASE("one rank: nothing is sent, and the caller's memory stays its own") {
  on_tp(1, [](auto& frame, int) {
    list const mine = table(2, 2);
    auto const x = value(mine, 2, 2);
    CHECK(read(run(all_gather<tp, tokens>{}, frame, x)) == mine);
    CHECK(read(run(reduce_scatter<tp, tokens>{}, frame, x)) == mine);
    CHECK(read(run(unsplit<tp, hidden>{}, frame, x)) == mine);
    CHECK(static_cast<void const*>(run(all_reduce<tp>{}, frame, x).data.data()) != mine.data());
    CHECK(frame.template communicator<tp>().bytes_sent() == 0);
  });
}

TEST_CASE("a sum cannot be dealt out as the tokens were given when no rank knows how they were") {
  on_tp(2, [](auto& frame, int) {
    list const ones(8, 1.0F);
    CHECK_THROWS_WITH_AS(static_cast<void>(run(reduce_scatter<tp, tokens, as_given>{}, frame, value(ones, 4, 2))),
                         doctest::Contains("as the tokens were given"), error);
  });
}

TEST_CASE("rows that were gathered as given are dealt out as they were, and others are refused") {
  on_tp(3, [](auto& frame, int rank) {
    index_t const heights[] = {2, 0, 3};
    index_t const first[] = {0, 2, 2};
    list const own = table(heights[rank], 2, first[rank]);
    using from = sharded<tokens, as_given>;
    static_assert(std::same_as<split<tp, tokens, as_given>::to, placement<on<tp, from>>>);
    CHECK_THROWS_WITH_AS(static_cast<void>(run(split<tp, tokens, as_given>{}, frame, value(own, heights[rank], 2))),
                         doctest::Contains("as the tokens were given"), error);
    auto const whole = run(unsplit<tp, tokens, as_given>{}, frame, value(own, heights[rank], 2));
    CHECK(read(whole) == table(5, 2));
    CHECK(read(run(split<tp, tokens, as_given>{}, frame, whole)) == own);
    list const four = table(4, 2);
    CHECK_THROWS_WITH_AS(static_cast<void>(run(split<tp, tokens, as_given>{}, frame, value(four, 4, 2))),
                         doctest::Contains("4 rows are to be dealt out as 5 were gathered"), error);
  });
}
