// SPDX-License-Identifier: Apache-2.0
#include <heddle/nccl/moves.hpp>

#include <doctest/doctest.h>

#include <algorithm>
#include <heddle/nccl/communicator.hpp>

#include "fake_calls.hpp"

using namespace heddle;

namespace {

using group = nccl::communicator<fake::calls>;
using table = std::vector<std::vector<index_t>>;

/// Element i of what `from` sends to `to`; no two are alike.
int value(int from, int to, index_t i) { return from * 10000 + to * 1000 + static_cast<int>(i) + 1; }

void expect(bool good, char const* what) {
  if (!good) throw std::runtime_error(what);
}

/// Every move once, with counts[from][to]; `more(group, rank)` comes behind them.
std::vector<std::shared_ptr<fake::script>> move_all(table const& counts, nccl::options const& settings) {
  int const size = static_cast<int>(counts.size());
  return fake::on_ranks(size, [&](int rank, fake::calls const& calls) {
    group ranks{nccl::transport<fake::calls>{fake::id(), rank, size, nullptr, settings, calls}};
    auto const own = static_cast<std::size_t>(rank);
    std::vector<std::int32_t> send, recv, wanted;
    std::vector<index_t> received;
    for (int peer = 0; peer < size; ++peer) {
      auto const at = static_cast<std::size_t>(peer);
      received.push_back(counts[at][own]);
      for (index_t i = 0; i < counts[own][at]; ++i) send.push_back(value(rank, peer, i));
      for (index_t i = 0; i < counts[at][own]; ++i) wanted.push_back(value(peer, rank, i));
    }
    recv.assign(wanted.size(), -1);
    ranks.all_to_all(send, counts[own], std::span{recv}, received);
    expect(recv == wanted, "all_to_all");
    index_t handed = 0;
    for (int peer = 0; peer < size; ++peer) handed += peer == rank ? 0 : counts[own][static_cast<std::size_t>(peer)];
    expect(ranks.bytes_sent() == handed * 4, "bytes of all_to_all");

    // counts[r][0] elements of rank r to all
    std::vector<index_t> parts;
    std::vector<std::uint8_t> all, gathered;
    for (int peer = 0; peer < size; ++peer) {
      parts.push_back(counts[static_cast<std::size_t>(peer)][0]);
      for (index_t i = 0; i < parts.back(); ++i) all.push_back(static_cast<std::uint8_t>(value(peer, 3, i) % 251));
    }
    std::vector<std::uint8_t> mine;
    for (index_t i = 0; i < parts[own]; ++i) mine.push_back(static_cast<std::uint8_t>(value(rank, 3, i) % 251));
    gathered.assign(all.size(), 255);
    ranks.all_gather(mine, std::span{gathered}, parts);
    expect(gathered == all, "all_gather of counts");

    std::vector<f8_e4m3> one(5), five(5 * counts.size());
    for (std::size_t i = 0; i < one.size(); ++i) one[i] = f8_e4m3{static_cast<float>(rank + 1)};
    ranks.all_gather(one, std::span{five});
    for (std::size_t i = 0; i < five.size(); ++i) {
      expect(static_cast<float>(five[i]) == static_cast<float>(i / 5 + 1), "all_gather");
    }

    for (int root = 0; root < size; ++root) {
      std::vector<double> data(11, rank);
      ranks.broadcast(std::span{data}, root);
      expect(data == std::vector<double>(11, root), "broadcast");
    }
    ranks.broadcast(std::span<float>{}, 0);
    ranks.transport().wait();
  });
}

void none_threw(std::vector<std::shared_ptr<fake::script>> const& scripts) {
  for (auto const& each : scripts) {
    CHECK(each->count("threw") == 0);
    CHECK(each->alive == 0);
    CHECK(each->depth == 0);
    if (each->count("threw") > 0) MESSAGE(each->log.back());
  }
}

table const uneven{{3, 0, 5, 1}, {2, 4, 0, 0}, {0, 0, 0, 0}, {1, 7, 2, 6}};
table const equal{{4, 4, 4}, {4, 4, 4}, {4, 4, 4}};

}  // namespace

TEST_CASE("nccl moves: uneven counts with zeros, in groups of any size and pieces of any length") {
  for (auto const mode : {nccl::check_mode::on, nccl::check_mode::off}) {
    for (index_t const elements : {index_t{1}, index_t{2}, index_t{1} << 40}) {
      for (int const operations : {2, 3, 2048}) {
        auto const scripts =
            move_all(uneven, {.check = mode, .limits = {.elements = elements, .operations = operations}});
        none_threw(scripts);
        CHECK(scripts[0]->count("all_to_all") == 0);
        CHECK(scripts[2]->count("send") == 0);  // it has nothing to send, and still receives
        CHECK(scripts[2]->count("receive") > 0);
      }
    }
  }
}

TEST_CASE("nccl moves: equal counts are one call where all know it, by their statements or by the caller's word") {
  auto scripts = move_all(equal, {.check = nccl::check_mode::on});
  none_threw(scripts);
  CHECK(scripts[0]->count("all_to_all 4") == 1);
  auto const& log = scripts[0]->log;  // statements are gathered too
  CHECK(std::count(log.begin(), log.end(), "all_gather 4") == 1);
  CHECK(scripts[0]->count("send") == 0);
  scripts = move_all(equal, {.check = nccl::check_mode::off});
  none_threw(scripts);
  CHECK(scripts[0]->count("all_to_all") == 0);
  CHECK(scripts[0]->count("send 4") == 2);
  scripts = move_all(equal, {.check = nccl::check_mode::off, .exchange = nccl::exchange_mode::uniform});
  none_threw(scripts);
  CHECK(scripts[0]->count("all_to_all 4") == 1);
  scripts = move_all(equal, {.check = nccl::check_mode::on, .limits = {.elements = 3}});
  none_threw(scripts);
  CHECK(scripts[0]->count("all_to_all") == 0);
  scripts = move_all({{0, 0}, {0, 0}}, {.check = nccl::check_mode::on});
  none_threw(scripts);
  CHECK(scripts[0]->count("all_to_all") == 0);
}

TEST_CASE("nccl moves: ranks whose own counts are equal and others' are not do not part ways") {
  table const nearly{{2, 2, 2}, {2, 2, 2}, {2, 2, 3}};
  for (auto const mode : {nccl::check_mode::on, nccl::check_mode::off}) none_threw(move_all(nearly, {.check = mode}));
}

TEST_CASE("nccl moves: a broken promise of equal counts is an error on the ranks that see it, and ends the others") {
  auto const scripts = move_all(uneven, {.check = nccl::check_mode::off, .exchange = nccl::exchange_mode::uniform});
  for (auto const& each : scripts) {
    CHECK(each->count("threw heddle: ") == 1);
    CHECK(each->count("abort") == 1);
  }
  CHECK(scripts[0]->count("threw heddle: argument: the options promise uniform exchanges") == 1);
}

TEST_CASE("nccl moves: one rank copies, and asks NCCL for nothing") {
  auto const scripts = move_all({{5}}, {.check = nccl::check_mode::on});
  none_threw(scripts);
  for (char const* const call : {"send", "receive", "all_to_all", "all_gather", "broadcast", "group"}) {
    CHECK(scripts[0]->count(call) == 0);
  }
}

TEST_CASE("nccl moves: a copy that CUDA refuses ends the group") {
  auto const scripts = fake::on_ranks(1, [](int, fake::calls const& calls) {
    group ranks{nccl::transport<fake::calls>{fake::id(), 0, 1, nullptr, {}, calls}};
    std::vector<float> const send(3);
    std::vector<float> recv(3);
    calls.self->faults["copy"] = cudaErrorIllegalAddress;
    ranks.all_gather(send, std::span{recv});
  });
  CHECK(scripts[0]->count("threw heddle: device: cudaMemcpyAsync") == 1);
  CHECK(scripts[0]->count("abort") == 1);
}
