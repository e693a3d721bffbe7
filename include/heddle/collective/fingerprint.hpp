// SPDX-License-Identifier: Apache-2.0
// What every rank states when it enters a collective, and the one judgement over all statements. Both backends judge
// with this function, on identical input, so every rank reaches the same verdict before data moves.
#pragma once

#include <cstdint>
#include <heddle/collective/traffic.hpp>
#include <heddle/core/dtype.hpp>
#include <heddle/core/error.hpp>
#include <span>
#include <string>

namespace heddle::inline HEDDLE_ABI {

/// One rank's statement. Fields an operation does not use keep their default and so agree.
struct fingerprint {
  collective_kind operation = collective_kind::barrier;
  dtype type = dtype::u8;
  int root = -1;                           ///< split: the key, in which ranks may differ
  long sequence = 0;                       ///< how many collectives this communicator began before
  index_t count = 0;                       ///< elements, the same on every rank; split: the color; symmetric: bytes
  std::uint64_t plan = 0;                  ///< hash of the plan the rank executes
  std::span<index_t const> send_counts{};  ///< all_to_all: entry j meets entry i of rank j's recv_counts
  std::span<index_t const> recv_counts{};  ///< all_to_all, or the counts that all ranks must share
  index_t send_place = -1;                 ///< where in memory of all ranks it lies; a backend states and judges it
  index_t recv_place = -1;                 ///< the same of what arrives
  char const* complaint = nullptr;         ///< why this rank cannot take part; null where it can
};

/// `culprit` is a rank of the judged group, -1 where all is well.
struct verdict {
  error_kind kind = error_kind::mismatch;
  int culprit = -1;
  std::string text{};
  [[nodiscard]] bool good() const { return culprit < 0; }
  /// The same, without words where there is no memory for them: kind and culprit say enough.
  [[nodiscard]] verdict copy() const noexcept {
    try {
      return *this;
    } catch (...) {
      return {kind, culprit, {}};
    }
  }
};

namespace detail {

/// make(), or nothing where there is no memory for words.
template <class Make>
std::string in_words(Make const& make) noexcept {
  try {
    return make();
  } catch (...) {
    return {};
  }
}

/// The rank to blame where values differ: the first whose value the fewest share, and not rank 0's side in a draw.
template <class ValueOf>
int odd_one_out(int size, ValueOf value_of) {
  int culprit = 0;
  int fewest = size;
  for (int rank = 0; rank < size; ++rank) {
    int sharing = 0;
    for (int other = 0; other < size; ++other) sharing += value_of(other) == value_of(rank) ? 1 : 0;
    if (sharing < fewest || (sharing == fewest && value_of(culprit) == value_of(0))) {
      fewest = sharing;
      culprit = rank;
    }
  }
  return culprit;
}

/// What is wrong where `value_of(rank)` is not the same on all ranks; `field()` and `text_of(rank)` are words for it.
template <class PrintOf, class NameOfRank, class Field, class ValueOf, class TextOf>
heddle::verdict disagreement(int size, PrintOf& print_of, NameOfRank& name_of_rank, Field field, ValueOf value_of,
                             TextOf text_of) {
  bool equal = true;  // the usual case costs one pass
  for (int rank = 1; rank < size && equal; ++rank) equal = value_of(rank) == value_of(0);
  if (equal) return {};
  int const culprit = odd_one_out(size, value_of);
  int other = 0;
  while (value_of(other) == value_of(culprit)) ++other;
  auto const name = [&](int rank) { return "rank " + std::to_string(name_of_rank(rank)); };
  return {error_kind::mismatch, culprit, in_words([&] {
            return "ranks disagree about the " + field() + " of collective number " +
                   std::to_string(print_of(other).sequence) + ": " + name(other) + " has " + text_of(other) + ", " +
                   name(culprit) + " has " + text_of(culprit);
          })};
}

}  // namespace detail

/// Judges `size` statements. `print_of(rank)` gives a rank's statement, `name_of_rank(rank)` the number by which the
/// caller knows it. Disagreement is `error_kind::mismatch`, a complaint `error_kind::peer_failed`.
template <class PrintOf, class NameOfRank>
[[nodiscard]] verdict judge(int size, PrintOf print_of, NameOfRank name_of_rank) {
  auto const name = [&](int rank) { return "rank " + std::to_string(name_of_rank(rank)); };
  auto const disagree = [&](auto field, auto value_of, auto text_of) -> verdict {
    return detail::disagreement(size, print_of, name_of_rank, field, value_of, text_of);
  };
  auto const called = [](char const* field) { return [field] { return std::string{field}; }; };
  auto const number = [&](char const* field, auto member) {
    return disagree(
        called(field), [&](int rank) { return print_of(rank).*member; },
        [&](int rank) { return std::to_string(print_of(rank).*member); });
  };

  verdict found = disagree(
      called("operation"), [&](int rank) { return print_of(rank).operation; },
      [&](int rank) { return std::string{name_of(print_of(rank).operation)}; });
  if (!found.good()) return found;
  if (found = number("sequence number", &fingerprint::sequence); !found.good()) return found;
  for (int rank = 0; rank < size; ++rank) {
    if (print_of(rank).complaint != nullptr) {
      return {error_kind::peer_failed, rank,
              detail::in_words([&] { return name(rank) + " failed: " + print_of(rank).complaint; })};
    }
  }
  found = disagree(
      called("dtype"), [&](int rank) { return print_of(rank).type; },
      [&](int rank) { return std::string{name_of(print_of(rank).type)}; });
  if (!found.good()) return found;
  if (found = number("plan hash", &fingerprint::plan); !found.good()) return found;
  bool const wishes = print_of(0).operation == collective_kind::split ||  // in which ranks may differ
                      print_of(0).operation == collective_kind::symmetric;
  if (wishes) return {};
  if (found = number("root", &fingerprint::root); !found.good()) return found;
  if (found = number("count", &fingerprint::count); !found.good()) return found;
  found = disagree(
      called("number of counts"), [&](int rank) { return print_of(rank).recv_counts.size(); },
      [&](int rank) { return std::to_string(print_of(rank).recv_counts.size()); });
  if (!found.good() || print_of(0).recv_counts.empty()) return found;

  for (int i = 0; i < size; ++i) {
    auto const at = static_cast<std::size_t>(i);
    if (print_of(0).operation != collective_kind::all_to_all) {
      found = disagree([&] { return "count of " + name(i); }, [&](int rank) { return print_of(rank).recv_counts[at]; },
                       [&](int rank) { return std::to_string(print_of(rank).recv_counts[at]); });
      if (!found.good()) return found;
      continue;
    }
    for (int j = 0; j < size; ++j) {
      index_t const sent = print_of(j).send_counts[at];
      index_t const expected = print_of(i).recv_counts[static_cast<std::size_t>(j)];
      if (sent == expected) continue;
      return {error_kind::mismatch, j, detail::in_words([&] {
                return "ranks disagree about the counts of collective number " + std::to_string(print_of(i).sequence) +
                       ": " + name(j) + " sends " + std::to_string(sent) + " elements to " + name(i) +
                       ", which expects " + std::to_string(expected);
              })};
    }
  }
  return {};
}

}  // namespace heddle::inline HEDDLE_ABI
