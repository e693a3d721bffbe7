// SPDX-License-Identifier: Apache-2.0
#include <heddle/nccl/plan.hpp>

#include <doctest/doctest.h>

#include <deque>
#include <map>
#include <utility>
#include <vector>

using namespace heddle;
using nccl::stretch;

namespace {

/// One operation of one rank in a group.
struct operation {
  bool sends;
  int peer;
  stretch piece;
};
/// The groups that a plan makes.
struct recorder {
  std::vector<std::vector<operation>> groups{};
  bool open = false;
  void begin() {
    CHECK_FALSE(open);
    open = true;
    groups.emplace_back();
  }
  void send(int peer, stretch piece) { add({true, peer, piece}); }
  void receive(int peer, stretch piece) { add({false, peer, piece}); }
  void part(int root, stretch piece) { add({true, root, piece}); }
  void end() {
    CHECK(open);
    CHECK_FALSE(groups.back().empty());
    open = false;
  }
  void add(operation one) {
    CHECK(open);
    groups.back().push_back(one);
  }
};

/// Whether ranks that take their groups one after the other, and leave one only when all its operations have met, come
/// to the end. Every message keeps its size on the way.
bool all_meet(std::vector<std::vector<std::vector<operation>>> const& groups) {
  std::size_t const size = groups.size();
  std::vector<std::size_t> at(size, 0);
  using line = std::pair<int, int>;
  std::map<line, std::deque<index_t>> sent, wanted;
  std::vector<std::map<line, std::size_t>> due(size);  // messages of a line that must have met before the rank goes on
  std::map<line, std::size_t> met, posted_sends, posted_receives;
  auto const enter = [&](std::size_t rank) {
    for (operation const& one : groups[rank][at[rank]]) {
      int const self = static_cast<int>(rank);
      line const way = one.sends ? line{self, one.peer} : line{one.peer, self};
      (one.sends ? sent : wanted)[way].push_back(one.piece.count);
      due[rank][way] = ++(one.sends ? posted_sends : posted_receives)[way];
    }
  };
  for (std::size_t rank = 0; rank < size; ++rank) {
    if (!groups[rank].empty()) enter(rank);
  }
  for (bool moved = true; moved;) {
    moved = false;
    for (auto& [way, queue] : sent) {
      while (!queue.empty() && !wanted[way].empty()) {
        CHECK(queue.front() == wanted[way].front());
        queue.pop_front();
        wanted[way].pop_front();
        ++met[way];
        moved = true;
      }
    }
    for (std::size_t rank = 0; rank < size; ++rank) {
      if (at[rank] == groups[rank].size()) continue;
      bool done = true;
      for (auto const& [way, count] : due[rank]) done = done && met[way] >= count;
      if (!done) continue;
      due[rank].clear();
      moved = true;
      if (++at[rank] < groups[rank].size()) enter(rank);
    }
  }
  for (std::size_t rank = 0; rank < size; ++rank) {
    if (at[rank] != groups[rank].size()) return false;
  }
  return true;
}

using table = std::vector<std::vector<index_t>>;  // [from][to]

std::vector<recorder> exchange(table const& counts, nccl::call_limits limits) {
  int const size = static_cast<int>(counts.size());
  std::vector<recorder> found;
  for (int rank = 0; rank < size; ++rank) {
    std::vector<index_t> received;
    for (auto const& row : counts) received.push_back(row[static_cast<std::size_t>(rank)]);
    nccl::exchange_plan plan{rank, size, limits};
    plan.set(counts[static_cast<std::size_t>(rank)], received);
    plan.run(found.emplace_back());
  }
  return found;
}

/// Uneven, with zeros and something for oneself.
table uneven(int size) {
  table counts;
  for (int from = 0; from < size; ++from) {
    auto& row = counts.emplace_back();
    for (int to = 0; to < size; ++to) row.push_back((from * 7 + to * 5) % 4 == 0 ? 0 : (from * 11 + to * 3) % 13);
  }
  return counts;
}

}  // namespace

TEST_CASE("nccl plan: pieces cover a count once, in order, none longer than asked") {
  for (index_t const count : {0, 1, 6, 7, 8, 100}) {
    for (index_t const most : {1, 2, 7, 99, 1000}) {
      index_t reached = 0;
      nccl::for_each_piece(count, most, [&](stretch piece) {
        CHECK(piece.begin == reached);
        CHECK(piece.count > 0);
        CHECK(piece.count <= most);
        reached += piece.count;
      });
      CHECK(reached == count);
      CHECK(nccl::piece_of(count, most, nccl::pieces(count, most)).count == 0);
    }
  }
  index_t const huge = (index_t{1} << 40) + 3;
  CHECK(nccl::pieces(huge, index_t{1} << 30) == 1025);
  CHECK(nccl::piece_of(huge, index_t{1} << 30, 1024) == stretch{index_t{1} << 40, 3});
  CHECK(nccl::pieces(huge, std::numeric_limits<index_t>::max()) == 1);
}

TEST_CASE("nccl plan: one call where all parts are alike and fit") {
  auto const same = [](int) { return index_t{5}; };
  auto const last = [](int rank) { return index_t{rank == 3 ? 6 : 5}; };
  CHECK(nccl::one_call(4, same, {}));
  CHECK(nccl::one_call(3, last, {}));
  CHECK_FALSE(nccl::one_call(4, last, {}));
  CHECK(nccl::one_call(4, same, {.elements = 5}));
  CHECK_FALSE(nccl::one_call(4, same, {.elements = 4}));
}

TEST_CASE("nccl plan: rooted calls cover every part once, behind 2^31 elements too, in groups of the size allowed") {
  std::vector<index_t> const counts{index_t{3} << 30, 0, 7, index_t{5} << 31, 1};
  auto const count_of = [&](int rank) { return counts[static_cast<std::size_t>(rank)]; };
  for (int const operations : {2, 3, 2048}) {
    recorder found;
    nccl::for_each_part(5, count_of, {.elements = index_t{1} << 30, .operations = operations}, found);
    CHECK_FALSE(found.open);
    index_t reached = 0;
    for (auto const& group : found.groups) {
      CHECK(static_cast<int>(group.size()) <= operations);
      for (operation const& one : group) {
        CHECK(one.piece.begin == reached);
        reached += one.piece.count;
        CHECK(one.piece.begin >= nccl::begin_of(one.peer, count_of));
        CHECK(reached <= nccl::begin_of(one.peer + 1, count_of));
      }
    }
    CHECK(reached == nccl::begin_of(5, count_of));
    CHECK(reached == (index_t{13} << 30) + 8);
  }
  recorder none;
  nccl::for_each_part(
      3, [](int) { return index_t{0}; }, {}, none);
  CHECK(none.groups.empty());
}

TEST_CASE("nccl plan: in an exchange each send has its receive, and groups of any size let all ranks come through") {
  for (int const size : {1, 2, 3, 5, 8}) {
    for (index_t const elements : {index_t{1}, index_t{3}, index_t{1000}}) {
      for (int const operations : {2, 5, 2048}) {
        CAPTURE(size);
        CAPTURE(elements);
        CAPTURE(operations);
        table const counts = uneven(size);
        auto const found = exchange(counts, {.elements = elements, .operations = operations});
        std::vector<std::vector<std::vector<operation>>> groups;
        for (int rank = 0; rank < size; ++rank) {
          auto const at = static_cast<std::size_t>(rank);
          groups.push_back(found[at].groups);
          CHECK_FALSE(found[at].open);
          std::vector<index_t> sent(static_cast<std::size_t>(size), 0), received(static_cast<std::size_t>(size), 0);
          for (auto const& group : found[at].groups) {
            CHECK(static_cast<int>(group.size()) <= operations);
            for (operation const& one : group) {
              CHECK(one.peer != rank);
              CHECK(one.piece.count <= elements);
              CHECK(one.piece.count > 0);
              auto const peer = static_cast<std::size_t>(one.peer);
              index_t begin = 0;
              for (std::size_t before = 0; before < peer; ++before) {
                begin += one.sends ? counts[at][before] : counts[before][at];
              }
              index_t& reached = one.sends ? sent[peer] : received[peer];
              CHECK(one.piece.begin == begin + reached);
              reached += one.piece.count;
            }
          }
          for (std::size_t peer = 0; peer < sent.size(); ++peer) {
            CHECK(sent[peer] == (peer == at ? 0 : counts[at][peer]));
            CHECK(received[peer] == (peer == at ? 0 : counts[peer][at]));
          }
        }
        CHECK(all_meet(groups));
      }
    }
  }
}

TEST_CASE("nccl plan: the test above sees ranks that wait for each other") {
  // Each first waits for the other's send, which is in the other's second group.
  std::vector<std::vector<std::vector<operation>>> const crossed{{{{false, 1, {0, 4}}}, {{true, 1, {0, 4}}}},
                                                                 {{{false, 0, {0, 4}}}, {{true, 0, {0, 4}}}}};
  CHECK_FALSE(all_meet(crossed));
}

TEST_CASE("nccl plan: offsets behind 2^31, what the rank keeps, and a plan that is used again") {
  index_t const big = index_t{3} << 32;
  std::vector<index_t> const sends{big, 5, 9}, receives{big + 1, 5, 2};
  nccl::exchange_plan plan{1, 3, {.elements = big}};
  plan.set(sends, receives);
  CHECK(plan.kept() == stretch{big, 5});
  CHECK(plan.kept_at() == big + 1);
  recorder found;
  plan.run(found);
  REQUIRE(found.groups.size() == 2);  // the one element behind the limit
  REQUIRE(found.groups[0].size() == 4);
  CHECK(found.groups[0][0].peer == 2);
  CHECK(found.groups[0][0].piece == stretch{big + 5, 9});
  CHECK(found.groups[0][3].piece == stretch{big + 6, 2});
  REQUIRE(found.groups[1].size() == 1);
  CHECK_FALSE(found.groups[1][0].sends);
  CHECK(found.groups[1][0].piece == stretch{big, 1});

  std::vector<index_t> const none{0, 4, 0};
  plan.set(none, none);
  recorder empty;
  plan.run(empty);
  CHECK(empty.groups.empty());
  CHECK(plan.kept() == stretch{0, 4});
}
