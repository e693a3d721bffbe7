// SPDX-License-Identifier: Apache-2.0
// Whether memory in windows lies at one place on all ranks. NCCL's kernels count on it: they find a peer's memory at
// this rank's own offset, and where one rank is outside a window the ranks run different algorithms and never meet.
#pragma once

#include <heddle/collective/fingerprint.hpp>
#include <heddle/nccl/options.hpp>
#include <string>

namespace heddle::inline HEDDLE_ABI {
namespace nccl {

/// Whether all ranks have stated the same number of elements for each of their pairs.
template <class PrintOf>
[[nodiscard]] bool uniform_exchange(int size, PrintOf print_of) {
  for (int rank = 0; rank < size; ++rank) {
    for (index_t const count : print_of(rank).send_counts) {
      if (count != print_of(0).send_counts[0]) return false;
    }
  }
  return true;
}

/// The buffers that one call of NCCL's gets from every rank. Roots alone bring the others, pairs of sends and receives
/// have no place in common, and sums in f32 are made elsewhere.
struct given {
  bool send = false;
  bool recv = false;
  friend constexpr bool operator==(given, given) = default;
};

/// Of the collective that all ranks have stated alike.
template <class PrintOf>
[[nodiscard]] given given_to_nccl(int size, PrintOf print_of, options const& settings) {
  fingerprint const& print = print_of(0);
  bool const half = print.type == dtype::bf16 || print.type == dtype::f16;
  bool const elsewhere = half && settings.sum == sum_mode::f32;
  auto const count_of = [&](int rank) {
    return print.recv_counts.empty() ? print.count : print.recv_counts[static_cast<std::size_t>(rank)];
  };
  switch (print.operation) {
    case collective_kind::broadcast: return {.recv = print.count > 0};
    case collective_kind::all_reduce: return {.recv = print.count > 0 && !elsewhere};
    case collective_kind::all_gather:
    case collective_kind::reduce_scatter: {
      bool const gathers = print.operation == collective_kind::all_gather;
      if (begin_of(size, count_of) == 0 || (!gathers && elsewhere)) return {};
      bool const one = one_call(size, count_of, settings.limits);
      return {.send = !gathers || one, .recv = gathers || one};
    }
    case collective_kind::all_to_all: {
      index_t const count = print.send_counts.empty() ? 0 : print.send_counts[0];
      bool const one = count > 0 && count <= settings.limits.elements && uniform_exchange(size, print_of);
      return {.send = one, .recv = one};
    }
    default: return {};
  }
}

/// Judges the places that ranks have stated, where `judge` has found nothing: as there, with the same words.
template <class PrintOf, class NameOfRank>
[[nodiscard]] verdict judge_places(int size, PrintOf print_of, NameOfRank name_of_rank, options const& settings) {
  given const buffers = given_to_nccl(size, print_of, settings);
  auto const compare = [&](char const* buffer, index_t fingerprint::*place) {
    verdict found = heddle::detail::disagreement(
        size, print_of, name_of_rank, [&] { return std::string{"window offset of "} + buffer; },
        [&](int rank) { return print_of(rank).*place; },
        [&](int rank) {
          index_t const at = print_of(rank).*place;
          return at < 0 ? std::string{"none"} : std::to_string(at);
        });
    if (!found.good()) {
      found.text = heddle::detail::in_words(
          [&] { return found.text + "; let it be one offset on all ranks, or memory of no window on any"; });
    }
    return found;
  };
  verdict found;
  if (buffers.send) found = compare("send", &fingerprint::send_place);
  if (found.good() && buffers.recv) found = compare(buffers.send ? "recv" : "data", &fingerprint::recv_place);
  return found;
}

}  // namespace nccl
}  // namespace heddle::inline HEDDLE_ABI
