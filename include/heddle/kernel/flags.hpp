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

/// What ranks wait for.
enum class store_stage : std::uint64_t {
  none = 0,
  read = 1,    ///< what was stored before has been read: there is room for new rows
  stored = 2,  ///< what was stored is in place
};

/// The flags in the buffer of a rank: for each peer how many meetings it has come to, and this rank itself, which only
/// it writes. All zero at first.
struct flag_block {
  std::uint64_t come[most_peers] = {};
  std::uint64_t own = 0;
};

/// Who waits in vain: the first wait of a rank that ended without the flag. `awaited` is the lowest of several.
struct late_peer {
  std::uint64_t stage = 0;  ///< a store_stage
  std::int64_t waiting = -1, awaited = -1;
  std::uint64_t meeting = 0;  ///< which of those that the rank has come to
};

/// Says to every peer that this rank has come to one more meeting. Launched over one row, behind what it speaks of.
/// peers: the flag blocks.
template <flag_policy Flags>
struct raise_flags {
  peer_list peers;
  index_t ranks = 1;
  index_t rank = 0;

  template <team Team>
  HEDDLE_HOST_DEVICE void operator()(Team const& team, index_t) const {
    auto& mine = *reinterpret_cast<flag_block*>(peers.of[rank]);
    std::uint64_t const meeting = mine.own + 1;
    team.sync();  // every lane has read it
    for (index_t peer = team.rank(); peer < ranks; peer += team.size())
      Flags::raise(reinterpret_cast<flag_block*>(peers.of[peer])->come + rank, meeting);
    if (team.rank() == 0) mine.own = meeting;
  }
};

/// Returns when every peer has come to the meeting that this rank came to last. A peer that does not within
/// `Milliseconds` is written into `late`, and from then on nothing is waited for: the kernels behind run, on anything,
/// and who checks hears of it. Launched over one row. own: the flag block of this rank.
template <flag_policy Flags, std::uint64_t Milliseconds>
struct await_flags {
  std::byte* own = nullptr;
  index_t ranks = 1;
  index_t rank = 0;
  store_stage stage = store_stage::stored;
  late_peer* late = nullptr;

  template <team Team>
  HEDDLE_HOST_DEVICE void operator()(Team const& team, index_t) const {
    auto& flags = *reinterpret_cast<flag_block*>(own);
    std::uint64_t const meeting = flags.own;
    index_t first_late = ranks;
    if (late->stage == 0) {
      std::uint64_t const begun = Flags::now();
      for (index_t peer = team.rank(); peer < ranks; peer += team.size()) {
        bool here = Flags::read(flags.come + peer) >= meeting;
        while (!here && Flags::now() - begun < Milliseconds * 1000000) {
          Flags::pause();
          here = Flags::read(flags.come + peer) >= meeting;
        }
        if (!here && peer < first_late) first_late = peer;
      }
    }
    index_t const awaited = -team.max(-first_late);
    if (awaited < ranks && team.rank() == 0) *late = {static_cast<std::uint64_t>(stage), rank, awaited, meeting};
  }
};

}  // namespace kernel
}  // namespace heddle::inline HEDDLE_ABI
