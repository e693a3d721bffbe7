// SPDX-License-Identifier: Apache-2.0
// The backend of a GPU: a GEMM model, a workspace, a queue, and the communicators of the mesh. Everything is in the
// order of one stream; no member asks the GPU for memory, and only `fetch` waits for it.
#pragma once

#include <heddle/cuda/grouped_outer.cuh>
#include <heddle/cuda/memory.hpp>
#include <heddle/cuda/numbers.cuh>
#include <heddle/cuda/order_rows.cuh>
#include <heddle/cuda/router.cuh>
#include <heddle/cuda/workspace.hpp>

namespace heddle::inline HEDDLE_ABI {
namespace cuda {

/// Groups of a rank that works alone or runs styles without groups.
struct no_groups {};

/// Stands where `host::execution` stands. Everything is the caller's and outlives the execution and what it has put
/// into the queue. One execution serves one rank's thread, and the GPU of the queue is current there.
template <class Gemm, class Groups = no_groups, class Numbers = no_groups>
class execution {
 public:
  using memory = device_memory;

  /// `gemm` multiplies views of device memory on a `queue`; `groups` is a `mesh_groups` of communicators that move
  /// device memory in the order of the same stream, `numbers` one of communicators of host memory over the same ranks:
  /// counts go by it. Either may be `no_groups`.
  execution(Gemm& gemm, Groups& groups, Numbers& numbers, workspace& scratch, queue const& on)
      : gemm_{&gemm}, groups_{&groups}, numbers_{&numbers}, scratch_{&scratch}, queue_{on} {}

  /// The communicator of `Group`, one of `Groups`.
  template <class Group>
  [[nodiscard]] auto& communicator() const requires(!std::same_as<Groups, no_groups>) {
    return groups_->template get<Group>();
  }
  /// The communicator of `Group` for what the host knows.
  template <class Group>
  [[nodiscard]] auto& numbers() const {
    return numbers_->template get<Group>();
  }
  /// Where scratch and results of a step lie.
  [[nodiscard]] workspace& scratch() const { return *scratch_; }
  /// Where its kernels run.
  [[nodiscard]] cuda::queue const& queue() const { return queue_; }

  /// x [T, I], w [O, I], y [T, O]: y = x w^T. Throws `shape` where they do not fit.
  template <class X, class W, class Y>
  void multiply(rows<X, memory> x, matrix<W const, memory> w, rows<Y, memory> y) const {
    gemm_->multiply(reading(x), w, y, queue_);
  }
  /// x [R, I] sorted by expert, counts [E], w [E, O, I], y [R, O]: on the tensor cores, or by `Gemm` where it has it.
  template <class X, class W, class Y>
  void multiply_grouped(rows<X, memory> x, counts<memory> const& counts, matrices<W const, memory> w,
                        rows<Y, memory> y) const {
    if constexpr (requires { gemm_->multiply_grouped(reading(x), counts, w, y, queue_); }) {
      gemm_->multiply_grouped(reading(x), counts, w, y, queue_);
    } else {
      check_grouped_type<X, W>();
      cuda::multiply_grouped(reading(x), begins_on(*this, counts), w, y, queue_);
    }
  }
  /// x [T, O], w [O, I], y [T, I]: y = x w, the gradient of an input. Throws `shape` where they do not fit.
  template <class X, class W, class Y>
  void multiply_transposed(rows<X, memory> x, matrix<W const, memory> w, rows<Y, memory> y) const {
    gemm_->multiply_transposed(reading(x), w, y, queue_);
  }
  /// x [R, O] sorted by expert, counts [E], w [E, O, I], y [R, I]. The same.
  template <class X, class W, class Y>
  void multiply_transposed_grouped(rows<X, memory> x, counts<memory> const& counts, matrices<W const, memory> w,
                                   rows<Y, memory> y) const {
    if constexpr (requires { gemm_->multiply_transposed_grouped(reading(x), counts, w, y, queue_); }) {
      gemm_->multiply_transposed_grouped(reading(x), counts, w, y, queue_);
    } else {
      check_grouped_type<X, W>();
      cuda::multiply_transposed_grouped(reading(x), begins_on(*this, counts), w, y, queue_);
    }
  }
  /// dy [T, O], x [T, I], dw [O, I]: dw += dy^T x, the gradient of a weight. Throws `shape` where they do not fit.
  template <class Dy, class X, class Dw>
  void accumulate_outer(rows<Dy, memory> dy, rows<X, memory> x, matrix<Dw, memory> dw) const {
    gemm_->accumulate_outer(reading(dy), reading(x), dw, queue_);
  }
  /// dy [R, O] and x [R, I] sorted by expert, counts [E], dw [E, O, I]. The same.
  template <class Dy, class X, class Dw>
  void accumulate_outer_grouped(rows<Dy, memory> dy, counts<memory> const& counts, rows<X, memory> x,
                                matrices<Dw, memory> dw) const {
    if constexpr (requires { gemm_->accumulate_outer_grouped(reading(dy), counts, reading(x), dw, queue_); }) {
      gemm_->accumulate_outer_grouped(reading(dy), counts, reading(x), dw, queue_);
    } else {
      check_grouped_type<Dy, X>();
      cuda::accumulate_outer_grouped(reading(dy), begins_on(*this, counts), reading(x), dw, queue_);
    }
  }

  /// `kernel(team, row)` for every row < count; which team is a matter of the kernel, see `team_of`.
  template <class Kernel>
  void launch(Kernel const& kernel, index_t count) const {
    launch_rows(kernel, count, queue_);
  }
  /// The ids and weights of `route`, and how often each expert stands in the ids, counts [E]: one kernel. See
  /// `launch_router`.
  template <class Rule, class Real, real Weight>
  void choose(kernel::route<Rule, Real, memory, Weight> const& route, per_row<index_t, memory> counts) const {
    launch_router(route, counts, queue_);
  }

  /// Uninitialised memory of the GPU for `count` elements, until the enclosing `workspace::scope` ends.
  template <class Element>
  [[nodiscard]] Element* allocate(index_t count) const {
    return static_cast<Element*>(scratch_->allocate(bytes_of<Element>(count)));
  }
  /// The same for objects that the host itself reads and writes, counts among them.
  template <class Type>
  [[nodiscard]] Type* allocate_here(index_t count) const {
    return static_cast<Type*>(scratch_->allocate_here(bytes_of<Type>(count)));
  }
  [[nodiscard]] index_t* allocate_counts(index_t count) const { return allocate_here<index_t>(count); }
  /// data[0 .. count) = 0.
  template <class Element>
  void fill_zero(Element* data, index_t count) const {
    queue_.clear(data, bytes_of<Element>(count));
  }
  /// See host::execution.
  [[nodiscard]] workspace::loan lending() const { return workspace::loan{*scratch_}; }
  template <class Element>
  [[nodiscard]] Element* lend(index_t count) const {
    return static_cast<Element*>(scratch_->lend(bytes_of<Element>(count)));
  }
  /// This moment, for `keep_only`.
  [[nodiscard]] workspace::mark now() const { return scratch_->now(); }
  /// Whether memory was allocated since `then`.
  [[nodiscard]] bool allocated_since(workspace::mark const& then, void const* data) const {
    return scratch_->handed_out_since(then, data);
  }
  /// Gives back what was allocated since `then`, but `count` elements at `data`, which may move; returns their place.
  template <class Element>
  [[nodiscard]] Element* keep_only(workspace::mark const& then, Element* data, index_t count) const {
    using value = std::remove_const_t<Element>;
    auto const copy = [this](void* to, void const* from, std::size_t bytes) { queue_.copy(to, from, bytes); };
    return static_cast<Element*>(scratch_->keep_only(then, const_cast<value*>(data), bytes_of<value>(count), copy));
  }

  /// See `host::execution`. Waits for nothing: behind the last row, whose number only kernels know, rows have token and
  /// slot -1. Throws as `order_pairs` and `launch_index_build`.
  [[nodiscard]] counts<memory> order_by_expert(slot_view<std::int32_t const, memory> ids, index_t first,
                                               index_t experts, std::span<std::int32_t> row_to_token,
                                               std::span<std::int32_t> row_to_slot,
                                               slot_view<std::int32_t, memory> slot_to_row) const {
    return order_rows(*this, ids, first, experts, {row_to_token, row_to_slot, slot_to_row});
  }
  /// The one way back: numbers of the GPU in `into`, as long as they, behind what was put into the queue before. Waits.
  template <class Number>
  void fetch(host_sync, per_row<Number const, memory> there, std::span<Number> into) const {
    queue_.fetch(into.data(), there.data(), into.size_bytes());
  }

  /// The counts where a kernel can read them, until the enclosing scope ends.
  [[nodiscard]] per_row<index_t const, memory> visible(std::span<index_t const> counts) const {
    auto const count = static_cast<index_t>(counts.size());
    index_t* const there = allocate<index_t>(count);
    send_numbers(counts, there, queue_);
    return {there, extents<tokens>{count}};
  }

 private:
  template <class Element>
  [[nodiscard]] static std::size_t bytes_of(index_t count) {
    return static_cast<std::size_t>(count) * sizeof(Element);
  }
  template <class X>
  [[nodiscard]] static rows<std::remove_const_t<X> const, memory> reading(rows<X, memory> x) {
    return rows<std::remove_const_t<X> const, memory>{x};
  }
  template <class First, class Second>
  static constexpr void check_grouped_type() {
    using type = std::remove_const_t<First>;
    static_assert(tensor_element<type> && std::is_same_v<type, std::remove_const_t<Second>>,
                  "[heddle.gemm.grouped] the tensor cores multiply groups of two bf16, f16 or f32, and these are not. "
                  "Fix: use one of them for rows and weights, experts by `sequential`, or a GEMM that has "
                  "multiply_grouped(x, counts, w, y, queue).");
  }

  Gemm* gemm_;
  Groups* groups_;
  Numbers* numbers_;
  workspace* scratch_;
  cuda::queue queue_;
};

}  // namespace cuda
}  // namespace heddle::inline HEDDLE_ABI
