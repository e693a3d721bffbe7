// SPDX-License-Identifier: Apache-2.0
// A step without its data: the same program with the same shapes and the same routing says how much memory it takes,
// exactly, in the time that counting takes. Nothing is multiplied and no kernel runs.
#pragma once

#include <heddle/core/spans.hpp>
#include <heddle/host/dry_communicator.hpp>
#include <heddle/host/dry_kernels.hpp>
#include <heddle/host/index_build.hpp>
#include <heddle/host/workspace.hpp>
#include <tuple>

namespace heddle::inline HEDDLE_ABI {
namespace host {

/// `Groups` is a `mesh_groups`.
template <class Groups>
class dry_execution;

/// Stands where `host::execution` stands: `infer`, `forward` and `backward` take it, with views of the right shapes
/// whose data is not read (but a pointer that is null still means that a bias is not there). Choices of experts are
/// those of `routing_inputs::recorded`, or dealt ones; it throws `unsupported` where logits would choose. All ranks run
/// it, each with its own rows: they exchange counts.
///
/// What it says is exact for one lane: with a second one, branches beside take their memory from the lane's workspace.
/// One number of rows depends on data that is not there: how many ranks a token goes to, where dropping by probability
/// meets tokens that are sent once a rank. Symmetric memory (direct stores) belongs to the communicators, which hold it
/// from step to step, and a GEMM keeps what it packs: neither is in a workspace or in these numbers.
template <class Communicator, class... Groups>
class dry_execution<mesh_groups<Communicator, Groups...>> {
 public:
  using memory = host_memory;

  explicit dry_execution(mesh_groups<Communicator, Groups...>& groups)
      : communicators_{dry_communicator<Communicator>{groups.template get<Groups>()}...} {}

  /// The most bytes that a `host::workspace` would have handed out at one time, its rounding included.
  [[nodiscard]] std::size_t peak_bytes() const { return peak_; }
  /// What is handed out now: results, saved values and gradients among them.
  [[nodiscard]] std::size_t bytes_in_use() const { return in_use_; }
  /// The most bytes of `host::execution::lend` at one time: they lie beside the others.
  [[nodiscard]] std::size_t lent_peak_bytes() const { return lent_peak_; }
  /// The most of both at one time: a `host::workspace` with this limit has enough, and with one byte less has not.
  [[nodiscard]] std::size_t limit_bytes() const { return limit_; }
  /// Begins another step.
  void clear() {
    in_use_ = peak_ = 0;
    lent_ = lent_peak_ = limit_ = 0;
    static_cast<void>(numbers_.keep_only({}, nullptr, 0));
  }

  template <class Group>
  [[nodiscard]] auto& communicator() {
    return communicators_[index_of_v<Group, type_list<Groups...>>];
  }
  template <class X, class W, class Y>
  void multiply(rows<X>, matrix<W const>, rows<Y>) const {}
  template <class X, class W, class Y>
  void multiply_grouped(rows<X>, std::span<index_t const>, matrices<W const>, rows<Y>) const {}
  template <class X, class W, class Y>
  void multiply_transposed(rows<X>, matrix<W const>, rows<Y>) const {}
  template <class X, class W, class Y>
  void multiply_transposed_grouped(rows<X>, std::span<index_t const>, matrices<W const>, rows<Y>) const {}
  template <class Dy, class X, class Dw>
  void accumulate_outer(rows<Dy>, rows<X>, matrix<Dw>) const {}
  template <class Dy, class X, class Dw>
  void accumulate_outer_grouped(rows<Dy>, std::span<index_t const>, rows<X>, matrices<Dw>) const {}
  template <class Kernel>
  void launch(Kernel const& kernel, index_t count) {
    if constexpr (requires { dry_part(kernel, zeros_in{numbers_}); }) {
      workspace::scope const scope{numbers_};
      auto const part = dry_part(kernel, zeros_in{numbers_});
      for (index_t row = 0; row < count; ++row) part(serial_team{}, row);
    }
  }

  /// Whole numbers and structs get memory; other data gets an address that nobody reads or writes.
  template <class Element>
  [[nodiscard]] Element* allocate(index_t count) {
    auto* const place = count_in<Element>(nowhere, in_use_, peak_, count);
    if constexpr (std::is_integral_v<Element> || !element<Element>)
      return zeros_in{numbers_}.template make<Element>(count);
    else return place;
  }
  /// See host::execution.
  class loan {
   public:
    explicit loan(dry_execution& owner) : owner_{owner}, before_{owner.lent_} {}
    loan(loan const&) = delete;
    loan& operator=(loan const&) = delete;
    ~loan() { owner_.lent_ = before_; }

   private:
    dry_execution& owner_;
    std::size_t before_;
  };
  [[nodiscard]] loan lending() { return loan{*this}; }
  template <element Element>
  [[nodiscard]] Element* lend(index_t count) {
    return count_in<Element>(lent_nowhere, lent_, lent_peak_, count);
  }
  [[nodiscard]] index_t* allocate_counts(index_t count) { return allocate<index_t>(count); }
  template <class Element>
  void fill_zero(Element* data, index_t count) const {
    if constexpr (std::is_integral_v<Element>) {
      for (index_t i = 0; i < count; ++i) data[i] = 0;
    }
  }
  [[nodiscard]] std::size_t now() const { return in_use_; }
  [[nodiscard]] bool allocated_since(std::size_t then, void const* data) const {
    auto const at = reinterpret_cast<std::uintptr_t>(data);
    return at >= nowhere + then && at < nowhere + in_use_;
  }
  template <class Element>
  [[nodiscard]] Element* keep_only(std::size_t then, Element* data, index_t count) {
    bool const moves = allocated_since(then, data);
    in_use_ = then;
    return moves ? allocate<Element>(count) : data;
  }
  /// See host::execution.
  [[nodiscard]] counts<host_memory> order_by_expert(slot_view<std::int32_t const> ids, index_t first, index_t experts,
                                                    std::span<std::int32_t> row_to_token,
                                                    std::span<std::int32_t> row_to_slot,
                                                    slot_view<std::int32_t> slot_to_row) {
    std::span<index_t> const rows{allocate_counts(experts), static_cast<std::size_t>(experts)};
    order_some_experts(*this, ids, first, {row_to_token, row_to_slot, slot_to_row, rows});
    return rows;
  }
  [[nodiscard]] per_row<index_t const> visible(std::span<index_t const> counts) const {
    return {counts.data(), extents<tokens>{static_cast<index_t>(counts.size())}};
  }

 private:
  static constexpr std::uintptr_t nowhere = std::uintptr_t{1} << 46;
  static constexpr std::uintptr_t lent_nowhere = std::uintptr_t{3} << 45;

  struct zeros_in {
    workspace& memory;
    template <class Element>
    [[nodiscard]] Element* make(index_t count) const {
      auto const bytes = static_cast<std::size_t>(count) * sizeof(Element);
      return static_cast<Element*>(bytes == 0 ? memory.allocate(1) : std::memset(memory.allocate(bytes), 0, bytes));
    }
  };
  template <class Element>
  Element* count_in(std::uintptr_t begin, std::size_t& used, std::size_t& peak, index_t count) {
    std::size_t const before = used;
    used += workspace::rounded(static_cast<std::size_t>(count) * sizeof(Element));
    peak = detail::larger(used, peak);
    limit_ = detail::larger(in_use_ + lent_, limit_);
    return reinterpret_cast<Element*>(begin + before);
  }

  std::array<dry_communicator<Communicator>, sizeof...(Groups)> communicators_;
  workspace numbers_;
  std::size_t in_use_ = 0, peak_ = 0, lent_ = 0, lent_peak_ = 0, limit_ = 0;
};

template <class Communicator, class... Groups>
dry_execution(mesh_groups<Communicator, Groups...>&) -> dry_execution<mesh_groups<Communicator, Groups...>>;

}  // namespace host
}  // namespace heddle::inline HEDDLE_ABI
