// SPDX-License-Identifier: Apache-2.0
// In which calls a collective goes to NCCL: pieces that one call takes, groups that are not too long, pairs of a send
// and a receive. Numbers only, so that it is tested on the host; offsets and counts are elements, in 64 bits.
#pragma once

#include <heddle/tensor/extents.hpp>
#include <limits>
#include <span>
#include <vector>

namespace heddle::inline HEDDLE_ABI {
namespace nccl {

/// What one call and one group take; the same on all ranks, or their calls do not meet.
struct call_limits {
  /// Of one call. NCCL counts in size_t and names no limit.
  index_t elements = std::numeric_limits<index_t>::max();
  /// Of one group; NCCL's documentation names this number.
  int operations = 2048;
};

/// A run of elements.
struct stretch {
  index_t begin = 0;
  index_t count = 0;
  friend constexpr bool operator==(stretch, stretch) = default;
};

/// Into how many pieces of at most `most` elements `count` go.
[[nodiscard]] constexpr index_t pieces(index_t count, index_t most) {
  return count / most + (count % most == 0 ? 0 : 1);
}
/// Piece `i` of them; empty behind the last one.
[[nodiscard]] constexpr stretch piece_of(index_t count, index_t most, index_t i) {
  if (i >= pieces(count, most)) return {count, 0};
  index_t const begin = i * most;
  return {begin, count - begin < most ? count - begin : most};
}
/// `visit(stretch)` for every piece.
template <class Visit>
constexpr void for_each_piece(index_t count, index_t most, Visit visit) {
  for (index_t i = 0; i < pieces(count, most); ++i) visit(piece_of(count, most, i));
}

/// Whether one call takes all parts: all have the same size, and it is not too long.
template <class CountOf>
[[nodiscard]] constexpr bool one_call(int size, CountOf count_of, call_limits limits) {
  for (int rank = 1; rank < size; ++rank) {
    if (count_of(rank) != count_of(0)) return false;
  }
  return count_of(0) <= limits.elements;
}

/// Where the part of `rank` begins, parts lying in rank order.
template <class CountOf>
[[nodiscard]] constexpr index_t begin_of(int rank, CountOf count_of) {
  index_t begin = 0;
  for (int before = 0; before < rank; ++before) begin += count_of(before);
  return begin;
}

/// One rooted operation for every piece of every rank's part, parts lying in rank order: `group.begin()`,
/// `group.part(root, stretch)`, `group.end()`. Every rank makes the same calls, since all know the same counts.
template <class CountOf, class Group>
constexpr void for_each_part(int size, CountOf count_of, call_limits limits, Group&& group) {
  int open = 0;
  index_t offset = 0;
  for (int root = 0; root < size; ++root) {
    for_each_piece(count_of(root), limits.elements, [&](stretch piece) {
      if (open == 0) group.begin();
      group.part(root, stretch{offset + piece.begin, piece.count});
      if (++open == limits.operations) {
        group.end();
        open = 0;
      }
    });
    offset += count_of(root);
  }
  if (open > 0) group.end();
}

/// The pairs of one rank in an exchange of different counts. Groups come in the order of (piece, distance), which is
/// the same on all ranks and in which a send and its receive have one place: whoever leaves out an empty group leaves
/// nobody waiting.
class exchange_plan {
 public:
  exchange_plan(int rank, int size, call_limits limits)
      : rank_{rank},
        size_{size},
        limits_{limits},
        send_begins_(static_cast<std::size_t>(size)),
        recv_begins_(static_cast<std::size_t>(size)) {}

  /// One count a rank each; they outlive the plan's use. No allocation.
  void set(std::span<index_t const> send_counts, std::span<index_t const> recv_counts) {
    send_counts_ = send_counts;
    recv_counts_ = recv_counts;
    longest_ = 0;
    index_t sent = 0;
    index_t received = 0;
    for (std::size_t peer = 0; peer < send_begins_.size(); ++peer) {
      send_begins_[peer] = sent;
      recv_begins_[peer] = received;
      sent += send_counts[peer];
      received += recv_counts[peer];
      if (static_cast<int>(peer) == rank_) continue;
      longest_ = send_counts[peer] > longest_ ? send_counts[peer] : longest_;
      longest_ = recv_counts[peer] > longest_ ? recv_counts[peer] : longest_;
    }
  }

  /// What the rank keeps: where it lies in `send`, and where it goes in `recv`.
  [[nodiscard]] stretch kept() const { return {send_begins_[at(rank_)], send_counts_[at(rank_)]}; }
  [[nodiscard]] index_t kept_at() const { return recv_begins_[at(rank_)]; }

  /// `group.begin()`, `group.send(peer, stretch)`, `group.receive(peer, stretch)`, `group.end()`: nothing for a count
  /// of zero, nothing for the rank itself.
  template <class Group>
  void run(Group&& group) const {
    int const width = limits_.operations / 2 > 0 ? limits_.operations / 2 : 1;
    for (index_t turn = 0; turn < pieces(longest_, limits_.elements); ++turn) {
      for (int first = 1; first < size_; first += width) {
        bool open = false;
        auto const each = [&](index_t begin, index_t count, auto call) {
          stretch const piece = piece_of(count, limits_.elements, turn);
          if (piece.count == 0) return;
          if (!open) group.begin();
          open = true;
          call(stretch{begin + piece.begin, piece.count});
        };
        for (int step = first; step < size_ && step - first < width; ++step) {
          int const to = (rank_ + step) % size_;
          int const from = (rank_ - step + size_) % size_;
          each(send_begins_[at(to)], send_counts_[at(to)], [&](stretch piece) { group.send(to, piece); });
          each(recv_begins_[at(from)], recv_counts_[at(from)], [&](stretch piece) { group.receive(from, piece); });
        }
        if (open) group.end();
      }
    }
  }

 private:
  [[nodiscard]] static std::size_t at(int rank) { return static_cast<std::size_t>(rank); }

  int rank_;
  int size_;
  call_limits limits_;
  index_t longest_ = 0;
  std::span<index_t const> send_counts_{}, recv_counts_{};
  std::vector<index_t> send_begins_, recv_begins_;
};

}  // namespace nccl
}  // namespace heddle::inline HEDDLE_ABI
