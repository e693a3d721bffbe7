// SPDX-License-Identifier: Apache-2.0
#include <heddle/nccl/places.hpp>

#include <doctest/doctest.h>

#include <vector>

using namespace heddle;
using prints = std::vector<fingerprint>;
using nccl::given;

namespace {

given given_of(prints const& all, nccl::options const& settings = {}) {
  return nccl::given_to_nccl(
      static_cast<int>(all.size()), [&](int rank) -> fingerprint const& { return all[static_cast<std::size_t>(rank)]; },
      settings);
}
verdict judged(prints const& all) {
  return nccl::judge_places(
      static_cast<int>(all.size()), [&](int rank) -> fingerprint const& { return all[static_cast<std::size_t>(rank)]; },
      [](int rank) { return 10 * rank + 10; }, {});
}
prints three(fingerprint const& print) { return prints(3, print); }

}  // namespace

TEST_CASE("nccl places: buffers count that one call gets from all ranks, and those of a root or a pair do not") {
  std::vector<index_t> const equal{4, 4, 4}, uneven{4, 0, 9}, none{0, 0, 0};
  auto const of = [&](collective_kind kind, std::span<index_t const> counts, index_t count = 0) {
    return given_of(three({.operation = kind, .type = dtype::f32, .count = count, .recv_counts = counts}));
  };
  constexpr given nothing{}, both{true, true}, send{true, false}, recv{false, true};
  CHECK(of(collective_kind::broadcast, {}, 5) == recv);
  CHECK(of(collective_kind::broadcast, {}, 0) == nothing);
  CHECK(of(collective_kind::all_reduce, {}, 5) == recv);
  CHECK(of(collective_kind::all_reduce, {}, 0) == nothing);
  CHECK(of(collective_kind::all_gather, {}, 5) == both);
  CHECK(of(collective_kind::all_gather, {}, 0) == nothing);
  CHECK(of(collective_kind::all_gather, equal) == both);
  CHECK(of(collective_kind::all_gather, uneven) == recv);
  CHECK(of(collective_kind::all_gather, none) == nothing);
  CHECK(of(collective_kind::reduce_scatter, equal) == both);
  CHECK(of(collective_kind::reduce_scatter, uneven) == send);
  CHECK(of(collective_kind::reduce_scatter, none) == nothing);
  CHECK(of(collective_kind::barrier, {}) == nothing);
  CHECK(of(collective_kind::split, {}, 3) == nothing);

  auto const exchange = [&](std::span<index_t const> first, std::span<index_t const> others) {
    prints all = three({.operation = collective_kind::all_to_all, .send_counts = others, .recv_counts = others});
    all[0].send_counts = first;
    return given_of(all, {.limits = {.elements = 8}});
  };
  std::vector<index_t> const longer{9, 9, 9};
  CHECK(exchange(equal, equal) == both);
  CHECK(exchange(uneven, equal) == nothing);
  CHECK(exchange(none, none) == nothing);
  CHECK(exchange(none, equal) == nothing);
  CHECK(exchange(longer, longer) == nothing);  // in pairs, piece by piece
}

TEST_CASE("nccl places: long parts go by their roots, and what is added in f32 is added elsewhere") {
  std::vector<index_t> const equal{9, 9, 9};
  fingerprint print{.operation = collective_kind::all_gather, .type = dtype::bf16, .recv_counts = equal};
  CHECK(given_of(three(print), {.limits = {.elements = 8}}) == given{false, true});
  nccl::options const wide{.sum = nccl::sum_mode::f32};
  CHECK(given_of(three(print), wide) == given{true, true});
  print.operation = collective_kind::reduce_scatter;
  CHECK(given_of(three(print), {.limits = {.elements = 8}}) == given{true, false});
  CHECK(given_of(three(print), wide) == given{});
  print.type = dtype::f32;
  CHECK(given_of(three(print), wide) == given{true, true});
  print = {.operation = collective_kind::all_reduce, .type = dtype::f16, .count = 2};
  CHECK(given_of(three(print), wide) == given{});
  CHECK(given_of(three(print)) == given{false, true});
}

TEST_CASE("nccl places: another offset, and a window on some ranks only, are told with the buffer and the rank") {
  prints all = three({.operation = collective_kind::all_gather, .sequence = 7, .count = 5});
  CHECK(judged(all).good());
  for (fingerprint& each : all) each.send_place = each.recv_place = 4096;
  CHECK(judged(all).good());
  all[1].recv_place = 4352;
  verdict found = judged(all);
  CHECK(found.kind == error_kind::mismatch);
  CHECK(found.culprit == 1);
  CHECK(
      found.text ==
      "ranks disagree about the window offset of recv of collective number 7: rank 10 has 4096, rank 20 has 4352; let "
      "it be one offset on all ranks, or memory of no window on any");
  all[2].send_place = -1;
  found = judged(all);
  CHECK(found.culprit == 2);
  CHECK(found.text.find("offset of send of collective number 7: rank 10 has 4096, rank 30 has none;") !=
        std::string::npos);
  for (fingerprint& each : all) each.operation = collective_kind::all_reduce;
  CHECK(judged(all).text.find("window offset of data of") != std::string::npos);
}

TEST_CASE("nccl places: an exchange is uniform where all have stated one number") {
  std::vector<index_t> const fours{4, 4}, other{4, 5};
  prints all(2, {.operation = collective_kind::all_to_all, .send_counts = fours});
  auto const print_of = [&](int rank) -> fingerprint const& { return all[static_cast<std::size_t>(rank)]; };
  CHECK(nccl::uniform_exchange(2, print_of));
  all[1].send_counts = other;
  CHECK_FALSE(nccl::uniform_exchange(2, print_of));
}
