// SPDX-License-Identifier: Apache-2.0
#include <heddle/collective/fingerprint.hpp>

#include <doctest/doctest.h>
#include <vector>

using namespace heddle;

namespace {

verdict judged(std::vector<fingerprint> const& prints) {
  return judge(
      static_cast<int>(prints.size()),
      [&](int rank) -> fingerprint const& { return prints[static_cast<std::size_t>(rank)]; },
      [](int rank) { return 10 + rank; });
}

fingerprint gather(index_t count) {
  return {.operation = collective_kind::all_gather, .type = dtype::f32, .sequence = 7, .count = count};
}

}  // namespace

TEST_CASE("equal statements are good") {
  CHECK(judged({gather(3)}).good());
  CHECK(judged({gather(3), gather(3), gather(3)}).good());
}

TEST_CASE("each field that differs is named, with both sides and the number of the collective") {
  auto const check = [](auto change, char const* text) {
    std::vector<fingerprint> prints(4, gather(3));
    change(prints[2]);
    verdict const found = judged(prints);
    CHECK(found.kind == error_kind::mismatch);
    CHECK(found.culprit == 2);
    CHECK(found.text == text);
  };
  check([](fingerprint& print) { print.operation = collective_kind::barrier; },
        "ranks disagree about the operation of collective number 7: rank 10 has all_gather, rank 12 has barrier");
  check([](fingerprint& print) { print.sequence = 8; },
        "ranks disagree about the sequence number of collective number 7: rank 10 has 7, rank 12 has 8");
  check([](fingerprint& print) { print.type = dtype::bf16; },
        "ranks disagree about the dtype of collective number 7: rank 10 has F32, rank 12 has BF16");
  check([](fingerprint& print) { print.root = 1; },
        "ranks disagree about the root of collective number 7: rank 10 has -1, rank 12 has 1");
  check([](fingerprint& print) { print.plan = 5; },
        "ranks disagree about the plan hash of collective number 7: rank 10 has 0, rank 12 has 5");
  check([](fingerprint& print) { print.count = 4; },
        "ranks disagree about the count of collective number 7: rank 10 has 3, rank 12 has 4");
}

TEST_CASE("the minority is the culprit, rank 0 included; of two it is the higher rank") {
  CHECK(judged({gather(1), gather(3), gather(3)}).culprit == 0);
  CHECK(judged({gather(3), gather(1)}).culprit == 1);
  CHECK(judged({gather(3), gather(3), gather(1), gather(1)}).culprit == 2);
  CHECK(judged({gather(3), gather(1), gather(2)}).culprit == 1);
}

TEST_CASE("counts that all ranks share") {
  std::vector<index_t> const counts{1, 2, 3};
  std::vector<index_t> const other{1, 9, 3};
  std::vector<index_t> const longer{1, 2, 3, 4};
  std::vector<fingerprint> prints(3, gather(0));
  for (fingerprint& print : prints) print.recv_counts = counts;
  CHECK(judged(prints).good());
  prints[1].recv_counts = other;
  CHECK(judged(prints).text ==
        "ranks disagree about the count of rank 11 of collective number 7: rank 10 has 2, rank 11 has 9");
  prints[1].recv_counts = {};  // the variant without counts
  CHECK(judged(prints).text ==
        "ranks disagree about the number of counts of collective number 7: rank 10 has 3, rank 11 has 0");
  prints[1].recv_counts = longer;
  CHECK(judged(prints).culprit == 1);
}

TEST_CASE("what one rank sends another expects") {
  std::vector<index_t> const sends[] = {{0, 5}, {6, 0}};
  std::vector<index_t> const receives[] = {{0, 6}, {5, 0}};
  std::vector<fingerprint> prints(2, {.operation = collective_kind::all_to_all});
  for (std::size_t rank = 0; rank < 2; ++rank) {
    prints[rank].send_counts = sends[rank];
    prints[rank].recv_counts = receives[rank];
  }
  CHECK(judged(prints).good());
  std::vector<index_t> const wrong{7, 0};
  prints[1].send_counts = wrong;
  CHECK(judged(prints).text ==
        "ranks disagree about the counts of collective number 0: rank 11 sends 7 elements to rank 10, which expects 6");
}

TEST_CASE("a complaint outranks fields that its bad argument spoils, and another operation outranks a complaint") {
  std::vector<fingerprint> prints(3, gather(3));
  prints[1].complaint = "root is 9";
  prints[1].root = 9;
  CHECK(judged(prints).kind == error_kind::peer_failed);
  CHECK(judged(prints).culprit == 1);
  CHECK(judged(prints).text == "rank 11 failed: root is 9");
  prints[0].operation = collective_kind::barrier;
  CHECK(judged(prints).kind == error_kind::mismatch);
}

TEST_CASE("ranks may split by different colors and keys, on one plan") {
  std::vector<fingerprint> prints(2, {.operation = collective_kind::split, .root = 4, .count = 1});
  prints[1].root = -3;
  prints[1].count = 0;
  CHECK(judged(prints).good());
  prints[1].plan = 2;
  CHECK(!judged(prints).good());
}

TEST_CASE("ranks may wish for different amounts of symmetric memory, not for different plans") {
  std::vector<fingerprint> prints(3, {.operation = collective_kind::symmetric, .count = 4});
  prints[1].count = 900;
  auto const judged = [&] {
    return judge(
        3, [&](int rank) -> fingerprint const& { return prints[static_cast<std::size_t>(rank)]; },
        [](int rank) { return rank; });
  };
  CHECK(judged().good());
  prints[2].plan = 5;
  CHECK(judged().culprit == 2);
}
