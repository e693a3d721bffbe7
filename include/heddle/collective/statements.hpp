// SPDX-License-Identifier: Apache-2.0
// Fingerprints as records of one size, so that a library can carry them and all ranks judge the same statements.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <heddle/collective/fingerprint.hpp>
#include <span>
#include <vector>

namespace heddle::inline HEDDLE_ABI {

/// Whether ranks compare operation, number, dtype, root, plan and counts before each collective, where that costs
/// messages: `split`, `barrier` and `agree` compare always.
enum class check_mode { off, on };

#if defined(NDEBUG)
/// Off in release builds, on in all others.
inline constexpr check_mode default_check = check_mode::off;
#else
/// Off in release builds, on in all others.
inline constexpr check_mode default_check = check_mode::on;
#endif

/// One record a rank in memory that is given: a head of fixed size, then room for a send and a receive count a rank.
class statements {
  struct head {
    collective_kind operation;
    dtype type;
    std::int32_t root;
    std::int64_t sequence;
    std::int64_t count;
    std::uint64_t plan;
    std::int64_t send_counts;
    std::int64_t recv_counts;
    std::int64_t send_place;
    std::int64_t recv_place;
    std::int64_t context;
    std::int64_t complains;
    char complaint[200];  // long texts are cut: the whole one is in the culprit's own error
  };
  static constexpr std::size_t head_words = sizeof(head) / sizeof(std::int64_t);
  static_assert(sizeof(head) % sizeof(std::int64_t) == 0);

 public:
  /// Words of 64 bits in one record of a group of `size` ranks.
  [[nodiscard]] static constexpr std::size_t words(int size) { return head_words + 2 * static_cast<std::size_t>(size); }

  /// `records` has `words(size) * size` words and outlives this object.
  statements(int size, std::int64_t* records)
      : size_{static_cast<std::size_t>(size)}, records_{records}, prints_(size_) {}

  /// What a rank has stated; its spans lie in the records.
  [[nodiscard]] fingerprint const& operator[](int rank) const { return prints_[static_cast<std::size_t>(rank)]; }
  [[nodiscard]] std::int64_t* record(int rank) const {
    return records_ + static_cast<std::size_t>(rank) * words(static_cast<int>(size_));
  }

  /// The largest number that any rank has sent along.
  [[nodiscard]] std::int64_t largest_context() const {
    std::int64_t largest = 0;
    for (int rank = 0; rank < static_cast<int>(size_); ++rank) {
      std::int64_t const context = head_of(rank).context;
      largest = context > largest ? context : largest;
    }
    return largest;
  }

  /// Writes the record of `rank`; `context` is a number of the backend's own that travels with it.
  void write(fingerprint const& mine, int rank, std::int64_t context = 0) {
    head top;
    std::memset(&top, 0, sizeof top);  // bytes between the fields travel too
    top.operation = mine.operation;
    top.type = mine.type;
    top.root = mine.root;
    top.sequence = mine.sequence;
    top.count = mine.count;
    top.plan = mine.plan;
    top.send_place = mine.send_place;
    top.recv_place = mine.recv_place;
    top.context = context;
    top.send_counts = static_cast<std::int64_t>(mine.send_counts.size());
    top.recv_counts = static_cast<std::int64_t>(mine.recv_counts.size());
    if (mine.complaint != nullptr) {
      top.complains = 1;
      std::strncpy(top.complaint, mine.complaint, sizeof top.complaint - 1);
    }
    std::memcpy(record(rank), &top, sizeof top);
    // Counts of a wrong number come with a complaint and are not compared.
    auto const store = [&](std::span<index_t const> counts, std::size_t offset) {
      if (counts.size() == size_) std::memcpy(record(rank) + head_words + offset, counts.data(), counts.size_bytes());
    };
    store(mine.send_counts, 0);
    store(mine.recv_counts, size_);
  }

  /// Reads the records of all ranks.
  void read() {
    for (int rank = 0; rank < static_cast<int>(size_); ++rank) read(rank);
  }

 private:
  [[nodiscard]] head head_of(int rank) const {
    head copy;
    std::memcpy(&copy, record(rank), sizeof copy);
    return copy;
  }
  void read(int rank) {
    head const top = head_of(rank);
    auto const counts = [&](std::int64_t stated, std::size_t offset) {
      bool const whole = static_cast<std::size_t>(stated) == size_;
      return std::span<index_t const>{record(rank) + head_words + offset, whole ? size_ : 0};
    };
    char const* const complaint = reinterpret_cast<char const*>(record(rank)) + offsetof(head, complaint);
    prints_[static_cast<std::size_t>(rank)] = {.operation = top.operation,
                                               .type = top.type,
                                               .root = top.root,
                                               .sequence = static_cast<long>(top.sequence),
                                               .count = top.count,
                                               .plan = top.plan,
                                               .send_counts = counts(top.send_counts, 0),
                                               .recv_counts = counts(top.recv_counts, size_),
                                               .send_place = top.send_place,
                                               .recv_place = top.recv_place,
                                               .complaint = top.complains != 0 ? complaint : nullptr};
  }

  std::size_t size_;
  std::int64_t* records_;
  std::vector<fingerprint> prints_;
};

}  // namespace heddle::inline HEDDLE_ABI
