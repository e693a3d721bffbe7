// SPDX-License-Identifier: Apache-2.0
// Who chose whom in one step, and how many rows went where: run-time data that the stages of a routed step hand on,
// and that the backward pass finds again.
#pragma once

#include <array>
#include <heddle/concepts/counts.hpp>
#include <heddle/core/error.hpp>
#include <heddle/core/type_id.hpp>
#include <heddle/kernel/team.hpp>
#include <heddle/placement/partition.hpp>
#include <span>

namespace heddle::inline HEDDLE_ABI {

/// Run-time data of a routed step. Rows of experts are counted where the rows are: exchanges fetch their counts, direct
/// stores leave the table of theirs there too.
template <class Memory = host_memory>
struct routing {
  slot_view<std::int32_t const, Memory> ids;            ///< expert of each (token, slot), -1 for none
  slot_view<std::int32_t const, Memory> slot_to_row;    ///< row of each (token, slot), -1 for none
  per_row<std::int32_t const, Memory> row_to_token;     ///< token of each row
  per_row<std::int32_t const, Memory> row_to_slot;      ///< slot of each row
  index_t experts = 0;                                  ///< over all ranks
  index_t capacity = 0;                                 ///< rows that every expert is padded to; 0: as many as chose it
  counts<Memory> expert_rows;                           ///< rows of each expert this rank has sorted or received
  counts<host_memory> sent;                             ///< rows to each rank of the expert group
  counts<host_memory> received;                         ///< rows from each rank of the expert group
  counts<host_memory> chunks;                           ///< rows of chunk (source rank, local expert), source-major
  counts<Memory> table;                                 ///< rows of (source rank, bin) that are stored in peers' memory
  index_t room = 0;                                     ///< rows that fit in it at each rank
  per_row<std::int32_t const, Memory> sent_to_token;    ///< token of each row that is sent once a rank
  slot_view<std::int32_t const, Memory> token_to_sent;  ///< [tokens, ranks] the row sent to each rank, -1 for none
  bool ordered = false;                                 ///< the pairs are sorted: who meets them again keeps the order
  bool exchanged = false;                               ///< ranks know what they send each other
  bool gathered = false;                                ///< chunks are those of all ranks of the tensor group
  bool brought = false;                                 ///< the choices are where their tokens were brought
  bool copies = false;  ///< rows are copies of tokens now, between order and its way back

  /// Forgets the routing before, for new choices among `all` experts.
  constexpr void begin(slot_view<std::int32_t const, Memory> chosen, index_t all) {
    *this = {};
    ids = chosen;
    experts = all;
  }
};

namespace detail {

/// Throws `argument` for more rows than the lists of a routing can number.
inline void check_row_numbers(index_t rows) {
  if (rows > 0x7fffffff) {
    throw error(error_kind::argument, std::to_string(rows) + " rows do not fit a 32-bit row number",
                "route fewer tokens at a time, or fill up to a smaller capacity");
  }
}

}  // namespace detail

/// How kernels' findings are held: where they are written, which the host reads by `fetch` alone; on the host, as they
/// are.
template <class Memory>
struct told {
  using counts = heddle::counts<Memory>;
  using number = per_row<double const, Memory>;  ///< one, or none where nothing was found out
  using list = per_row<double const, Memory>;
};
template <>
struct told<host_memory> {
  using counts = std::span<index_t const>;
  using number = double;
  using list = std::span<double const>;
};

/// What a caller may tell a routed step about this rank's tokens; all empty where there is nothing to tell.
template <class Memory = host_memory>
struct routing_inputs {
  per_row<bool const, Memory> padding;             ///< [tokens], true where a token is padding: routed nowhere
  slot_view<std::int32_t const, Memory> recorded;  ///< choices of an earlier run, to be taken again
  index_t first_token = 0;                         ///< number of this rank's first token among those of all ranks
  std::uint64_t seed = 0;                          ///< of what is random in the step
  typename told<Memory>::list history{};           ///< how often each expert was chosen in the steps before, by all
  index_t history_steps = 0;                       ///< how many steps these were
  index_t most_tokens = -1;                        ///< tokens that no rank has more of; -1: the ranks agree on it
  index_t room = -1;                               ///< rows that a rank can receive directly; -1: the most there can be

  /// The same for the tokens `own` of this rank alone.
  [[nodiscard]] constexpr routing_inputs part(range own) const {
    routing_inputs result = *this;
    if (padding.data() != nullptr) result.padding = {padding.data() + own.begin, extents<tokens>{own.size}};
    if (recorded.data() != nullptr)
      result.recorded = {recorded.row(own.begin), extents<tokens, slots>{own.size, recorded.row_size()}};
    result.first_token += own.begin;
    return result;
  }
};

/// Rows that found no room at the rank they were for. A value: it says what a repetition would need.
struct overflow {
  index_t needed = 0;                  ///< rows of the rank that needs most; 0 where all have room
  index_t room = 0;                    ///< rows that a rank had room for
  int rank = -1;                       ///< that rank of the expert group, the lowest of several
  index_t expert = -1;                 ///< its first with a row left out; of tokens sent once a rank, its most chosen
  std::span<index_t const> dropped{};  ///< rows of this rank left out: of each expert, or for each rank
  [[nodiscard]] constexpr explicit operator bool() const { return needed > room; }
};

/// What a routed step has to tell besides its values. Counts are per expert, of this rank's tokens.
template <class Memory = host_memory>
struct routing_report {
  typename told<Memory>::number aux{};      ///< load-balancing loss, the same on every rank
  typename told<Memory>::number z{};        ///< loss on the size of the logits, the same on every rank
  typename told<Memory>::counts kept{};     ///< pairs that go to each expert
  typename told<Memory>::counts dropped{};  ///< pairs that found no room
  typename told<Memory>::list history{};    ///< choices of each expert up to this step: the next one's input
  heddle::overflow overflow{};              ///< set by direct dispatch
  /// The same where only kernels look for it: `needed`, `room`, `rank`, `expert`, and behind them `dropped`.
  per_row<index_t const, Memory> overflow_found{};
  typename told<Memory>::list slopes{};  ///< of the balance loss, for the backward pass: [blocks, experts]
  /// Of the other loss, for the backward pass: the sum of its terms, and how many tokens it is a mean over.
  per_row<double const, Memory> z_sums{};
  /// On a device: one more than the number of a (token, slot) pair with a bad recorded choice, 0 where all are good;
  /// empty where the host has looked.
  per_row<index_t const, Memory> bad_choice{};
};

/// What a step knows besides its values. The views lie in the execution's workspace.
template <class Memory = host_memory>
class step_state {
 public:
  /// Who chose whom in this step; empty until a router has run.
  heddle::routing<Memory> routing{};
  /// Set by the caller, before the step.
  routing_inputs<Memory> inputs{};
  /// What the caller said of all its tokens, while a change of grid has this rank work on some.
  routing_inputs<Memory> inputs_outside{};
  /// Set by the router's operations.
  routing_report<Memory> report{};

  /// Rows that each rank of `Group` brought to the last gather or split over it, of tokens or, while rows are copies,
  /// of copies; empty before the first.
  template <class Group>
  [[nodiscard]] std::span<index_t const> rows_of() const {
    for (auto const& entry : records_) {
      if (entry.group == id_of<Group> && entry.copies == routing.copies) return entry.rows;
    }
    return {};
  }
  /// Keeps what `rows_of` returns; the counts live in scratch. Throws `unsupported` beyond eight.
  template <class Group>
  void remember_rows(std::span<index_t const> rows) {
    for (auto& entry : records_) {
      if ((entry.group == id_of<Group> && entry.copies == routing.copies) || entry.group == type_id::none) {
        entry = {id_of<Group>, rows, routing.copies};
        return;
      }
    }
    throw error(error_kind::unsupported, "a layer gathers over more groups than a step can remember",
                "split the layer");
  }

 private:
  struct record {
    type_id group = type_id::none;
    std::span<index_t const> rows{};
    bool copies = false;
  };
  std::array<record, 8> records_{};
};

}  // namespace heddle::inline HEDDLE_ABI
