// SPDX-License-Identifier: Apache-2.0
// What one step of a layer knows besides its values: the execution, the weights, and the routing of this step's tokens.
// Everything is a view into the execution's workspace and ends with the step.
#pragma once

#include <array>
#include <heddle/core/error.hpp>
#include <heddle/core/type_id.hpp>
#include <heddle/kernel/team.hpp>
#include <heddle/layer/value.hpp>
#include <heddle/placement/placement.hpp>
#include <span>

namespace heddle::inline HEDDLE_ABI {

/// Run-time data of a routed step. Counts are on the host, where the exchanges ask for them.
template <class Memory = host_memory>
struct routing {
  slot_view<std::int32_t const, Memory> ids;          ///< expert of each (token, slot), -1 for none
  slot_view<std::int32_t const, Memory> slot_to_row;  ///< row of each (token, slot), -1 for none
  per_row<std::int32_t const, Memory> row_to_token;   ///< token of each row
  per_row<std::int32_t const, Memory> row_to_slot;    ///< slot of each row
  index_t experts = 0;                                ///< over all ranks
  std::span<index_t const> expert_rows;               ///< rows of each expert this rank has sorted or received
  std::span<index_t const> sent;                      ///< rows to each rank of the expert group
  std::span<index_t const> received;                  ///< rows from each rank of the expert group
  std::span<index_t const> chunks;                    ///< rows of chunk (source rank, local expert), source-major
};

/// `Execution` supplies communicators, GEMM, kernel launches and memory; `Weights` is the layer's parameter struct.
template <class Execution, class Weights>
class frame {
 public:
  using memory = typename Execution::memory;

  /// Both outlive the frame.
  constexpr frame(Execution& execution, Weights const& weights) : execution_{&execution}, weights_{&weights} {}

  /// The backend this step runs on.
  [[nodiscard]] constexpr Execution& execution() const { return *execution_; }
  /// The parameter that an operation with this role multiplies by.
  template <class Role>
  [[nodiscard]] constexpr auto const& parameter() const {
    return Role::of(*weights_);
  }
  /// All parameters of the layer.
  [[nodiscard]] constexpr Weights const& weights() const { return *weights_; }
  /// The communicator of `Group`.
  template <class Group>
  [[nodiscard]] auto& communicator() const {
    return execution_->template communicator<Group>();
  }

  /// Uninitialised scratch for `count` elements, until the step ends.
  template <class Element>
  [[nodiscard]] std::span<Element> scratch(index_t count) const {
    return {execution_->template allocate<Element>(count), static_cast<std::size_t>(count)};
  }
  /// The same for counts, which are on the host.
  [[nodiscard]] std::span<index_t> counts(std::size_t count) const {
    return {execution_->allocate_counts(static_cast<index_t>(count)), count};
  }
  /// Scratch as activations [height, width], until the step ends.
  template <class Element>
  [[nodiscard]] rows<Element, memory> scratch_rows(index_t height, index_t width) const {
    return {scratch<Element>(height * width).data(), extents<tokens, hidden>{height, width}};
  }
  /// `kernel(team, row)` for every row < count.
  template <class Kernel>
  void launch(Kernel const& kernel, index_t count) const {
    execution_->launch(kernel, count);
  }

  /// Rows that each rank of `Group` brought to the last gather or split over it; empty before the first.
  template <class Group>
  [[nodiscard]] std::span<index_t const> rows_of() const {
    for (auto const& entry : records_) {
      if (entry.group == id_of<Group>) return entry.rows;
    }
    return {};
  }
  /// Keeps what `rows_of` returns; the counts live in scratch. Throws `unsupported` beyond six groups.
  template <class Group>
  void remember_rows(std::span<index_t const> rows) {
    for (auto& entry : records_) {
      if (entry.group == id_of<Group> || entry.group == type_id::none) {
        entry = {id_of<Group>, rows};
        return;
      }
    }
    throw error(error_kind::unsupported, "a layer gathers over more groups than a step can remember",
                "split the layer");
  }

  /// Who chose whom in this step; empty until a router has run.
  heddle::routing<memory> routing{};

 private:
  struct record {
    type_id group = type_id::none;
    std::span<index_t const> rows{};
  };
  Execution* execution_;
  Weights const* weights_;
  std::array<record, 6> records_{};
};

}  // namespace heddle::inline HEDDLE_ABI
