// SPDX-License-Identifier: Apache-2.0
// Ranks that store into each other's memory say by flags how far they are, and wait for each other's: what a rank runs
// of it, whoever it is made of. `Flags` is how a flag is written and read by all, and what a clock is.
#pragma once

#include <concepts>
#include <cstdint>
#include <heddle/kernel/peers.hpp>
#include <heddle/kernel/team.hpp>

namespace heddle::inline HEDDLE_ABI {
namespace kernel {

/// What a flag policy has. What was stored before a `raise` is there for whoever has read the flag; `now` counts
/// nanoseconds.
template <class Type>
concept flag_policy = requires(std::uint64_t* flag) {
  Type::raise(flag, std::uint64_t{});
  { Type::read(flag) } -> std::same_as<std::uint64_t>;
  { Type::now() } -> std::same_as<std::uint64_t>;
  Type::pause();
};

/// What ranks say and wait for.
enum class store_stage : std::uint64_t {
  none = 0,
  read = 1,    ///< what was stored in the turn before has been read: there is room for new rows
  stored = 2,  ///< the rows of this turn are in place
};

/// The flags in the buffer of a rank: for each peer how many turns it has read, and how many it has stored; and the
/// turns that this rank has ended, which only it writes. All zero at first.
struct flag_block {
  std::uint64_t read[most_peers] = {};
  std::uint64_t stored[most_peers] = {};
  std::uint64_t turns = 0;
};

/// Who waits in vain: the first wait of a rank that ended without the flag; `awaited` is the lowest of several.
struct late_peer {
  std::uint64_t stage = 0;  ///< a store_stage
  std::int64_t waiting = -1, awaited = -1;
  std::uint64_t turn = 0;
};

template <store_stage Stage>
[[nodiscard]] HEDDLE_HOST_DEVICE std::uint64_t* flag_of(flag_block& block, index_t peer) {
  return (Stage == store_stage::read ? block.read : block.stored) + peer;
}

/// Says to every peer that this rank has come to `Stage` in this turn; where that is `read`, the turn ends. Launched
/// over one row, behind what it speaks of. peers: the flag blocks.
template <store_stage Stage, flag_policy Flags>
struct raise_flags {
  peer_list peers;
  index_t ranks = 1;
  index_t rank = 0;

  template <team Team>
  HEDDLE_HOST_DEVICE void operator()(Team const& team, index_t) const {
    auto& own = *reinterpret_cast<flag_block*>(peers.of[rank]);
    std::uint64_t const turn = own.turns + 1;
    team.sync();  // every lane has read it
    for (index_t peer = team.rank(); peer < ranks; peer += team.size())
      Flags::raise(flag_of<Stage>(*reinterpret_cast<flag_block*>(peers.of[peer]), rank), turn);
    if (Stage == store_stage::read && team.rank() == 0) own.turns = turn;
  }
};

/// Returns when every peer has come to `Stage`: of this turn, or of the one before for `read`. A peer that does not
/// within `Milliseconds` is written into `late`, and from then on nothing is waited for: the kernels behind run, on
/// anything, and who checks hears of it. Launched over one row. own: the flag block of this rank.
template <store_stage Stage, flag_policy Flags, std::uint64_t Milliseconds>
struct await_flags {
  std::byte* own = nullptr;
  index_t ranks = 1;
  index_t rank = 0;
  late_peer* late = nullptr;

  template <team Team>
  HEDDLE_HOST_DEVICE void operator()(Team const& team, index_t) const {
    auto& flags = *reinterpret_cast<flag_block*>(own);
    std::uint64_t const turn = Stage == store_stage::read ? flags.turns : flags.turns + 1;
    index_t first_late = ranks;
    if (late->stage == 0) {
      std::uint64_t const begun = Flags::now();
      for (index_t peer = team.rank(); peer < ranks; peer += team.size()) {
        bool here = Flags::read(flag_of<Stage>(flags, peer)) >= turn;
        while (!here && Flags::now() - begun < Milliseconds * 1000000) {
          Flags::pause();
          here = Flags::read(flag_of<Stage>(flags, peer)) >= turn;
        }
        if (!here && peer < first_late) first_late = peer;
      }
    }
    index_t const awaited = -team.max(-first_late);
    if (awaited < ranks && team.rank() == 0) *late = {static_cast<std::uint64_t>(Stage), rank, awaited, turn};
  }
};

}  // namespace kernel
}  // namespace heddle::inline HEDDLE_ABI
