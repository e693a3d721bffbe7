// SPDX-License-Identifier: Apache-2.0
#include <heddle/collective/statements.hpp>

#include <doctest/doctest.h>

#include <cstring>
#include <string>
#include <vector>

using namespace heddle;

TEST_CASE("statements: what a rank writes the others read, field by field") {
  std::vector<std::int64_t> here(3 * statements::words(3), -1), there(here);
  statements sender{3, here.data()}, receiver{3, there.data()};
  std::vector<index_t> const sends{1, index_t{1} << 40, 3}, receives{4, 5, 6};
  std::string const complaint(300, 'x');
  sender.write({.operation = collective_kind::all_to_all,
                .type = dtype::bf16,
                .root = 7,
                .sequence = 12,
                .count = index_t{1} << 33,
                .plan = ~std::uint64_t{5},
                .send_counts = sends,
                .recv_counts = receives,
                .send_place = index_t{1} << 34,
                .recv_place = 0},
               1, 9);
  sender.write({.operation = collective_kind::agree, .sequence = 13, .complaint = complaint.c_str()}, 0, 4);
  sender.write({.operation = collective_kind::all_gather, .recv_counts = std::span{receives}.first(2)}, 2);
  std::memcpy(there.data(), here.data(), here.size() * sizeof(std::int64_t));
  receiver.read();
  fingerprint const& one = receiver[1];
  CHECK(one.operation == collective_kind::all_to_all);
  CHECK(one.type == dtype::bf16);
  CHECK(one.root == 7);
  CHECK(one.sequence == 12);
  CHECK(one.count == index_t{1} << 33);
  CHECK(one.plan == ~std::uint64_t{5});
  CHECK(one.send_place == index_t{1} << 34);
  CHECK(one.recv_place == 0);
  CHECK(receiver[0].send_place == -1);
  CHECK(one.complaint == nullptr);
  CHECK(std::vector<index_t>(one.send_counts.begin(), one.send_counts.end()) == sends);
  CHECK(std::vector<index_t>(one.recv_counts.begin(), one.recv_counts.end()) == receives);
  REQUIRE(receiver[0].complaint != nullptr);
  CHECK(std::string{receiver[0].complaint} == std::string(199, 'x'));
  CHECK(receiver[0].send_counts.empty());
  CHECK(receiver[2].recv_counts.empty());  // of a wrong number
  CHECK(receiver.largest_context() == 9);
  CHECK(receiver.record(2) == there.data() + 2 * statements::words(3));
}

TEST_CASE("statements: a record has room for the counts of its group") {
  CHECK(statements::words(4) - statements::words(3) == 2);
  CHECK(statements::words(1) * sizeof(std::int64_t) >= 200 + 2 * sizeof(index_t));
}
