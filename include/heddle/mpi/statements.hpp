// SPDX-License-Identifier: Apache-2.0
// Fingerprints as messages: every rank sends its own to every other one, so that all judge the same statements.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <heddle/collective/fingerprint.hpp>
#include <heddle/mpi/transfer.hpp>
#include <span>
#include <vector>

namespace heddle::inline HEDDLE_ABI {

namespace mpi {

/// One record a rank: a head of fixed size, then room for one send count and one receive count a rank.
class statements {
 public:
  static constexpr int tag = 2;

  explicit statements(int size)
      : size_{static_cast<std::size_t>(size)},
        words_{head_words + 2 * size_},
        records_(words_ * size_),
        prints_(size_) {}

  [[nodiscard]] fingerprint const& operator[](int rank) const { return prints_[static_cast<std::size_t>(rank)]; }
  /// The largest context number that any rank brought; see `job`.
  [[nodiscard]] std::int64_t largest_context() const {
    std::int64_t largest = 0;
    for (int rank = 0; rank < static_cast<int>(size_); ++rank) {
      std::int64_t const context = head_of(rank).context;
      largest = context > largest ? context : largest;
    }
    return largest;
  }

  /// Sends `mine` to all and receives theirs.
  void exchange(fingerprint const& mine, std::int64_t context, int rank, MPI_Comm comm, transfer& messages,
                occasion const& here) {
    write(mine, context, rank);
    std::size_t const bytes = words_ * sizeof(std::int64_t);
    for (int peer = 0; peer < static_cast<int>(size_); ++peer) {
      if (peer == rank) continue;
      messages.receive(comm, tag, record(peer), bytes, peer);
      messages.send(comm, tag, record(rank), bytes, peer);
    }
    messages.wait(here);
    for (int peer = 0; peer < static_cast<int>(size_); ++peer) read(peer);
  }

 private:
  struct head {
    collective_kind operation;
    dtype type;
    std::int32_t root;
    std::int64_t sequence;
    std::int64_t count;
    std::uint64_t plan;
    std::int64_t send_counts;
    std::int64_t recv_counts;
    std::int64_t context;
    std::int64_t complains;
    char complaint[200];  // long texts are cut: the whole one is on the culprit's own line
  };
  static constexpr std::size_t head_words = sizeof(head) / sizeof(std::int64_t);
  static_assert(sizeof(head) % sizeof(std::int64_t) == 0);

  [[nodiscard]] std::int64_t* record(int rank) { return records_.data() + static_cast<std::size_t>(rank) * words_; }
  [[nodiscard]] head head_of(int rank) const {
    head copy;
    std::memcpy(&copy, records_.data() + static_cast<std::size_t>(rank) * words_, sizeof copy);
    return copy;
  }

  void write(fingerprint const& mine, std::int64_t context, int rank) {
    head top{};
    top.operation = mine.operation;
    top.type = mine.type;
    top.root = mine.root;
    top.sequence = mine.sequence;
    top.count = mine.count;
    top.plan = mine.plan;
    top.context = context;
    top.complains = mine.complaint != nullptr ? 1 : 0;
    top.send_counts = static_cast<std::int64_t>(mine.send_counts.size());
    top.recv_counts = static_cast<std::int64_t>(mine.recv_counts.size());
    if (mine.complaint != nullptr) std::strncpy(top.complaint, mine.complaint, sizeof top.complaint - 1);
    std::memcpy(record(rank), &top, sizeof top);
    // Lists of a wrong length come with a complaint and are not compared.
    if (mine.send_counts.size() == size_) {
      std::memcpy(record(rank) + head_words, mine.send_counts.data(), mine.send_counts.size_bytes());
    }
    if (mine.recv_counts.size() == size_) {
      std::memcpy(record(rank) + head_words + size_, mine.recv_counts.data(), mine.recv_counts.size_bytes());
    }
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
                                               .complaint = top.complains != 0 ? complaint : nullptr};
  }

  std::size_t size_;
  std::size_t words_;
  std::vector<std::int64_t> records_;
  std::vector<fingerprint> prints_;
};

}  // namespace mpi

}  // namespace heddle::inline HEDDLE_ABI
