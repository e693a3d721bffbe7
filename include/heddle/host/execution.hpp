// SPDX-License-Identifier: Apache-2.0
// The host backend: a GEMM model, a workspace, a number of threads, and the communicators of the mesh.
#pragma once

#include <heddle/host/index_build.hpp>
#include <heddle/host/launch_rows.hpp>
#include <heddle/host/workspace.hpp>
#include <span>

namespace heddle::inline HEDDLE_ABI {
namespace host {

/// Groups of a rank that works alone or runs styles without groups.
struct no_groups {};

/// A rank whose thread computes alone.
struct no_lane {};

/// Everything is the caller's and outlives the execution. One execution serves one rank's thread. `Lane` is a
/// `host::lane` where branches may run beside each other. Memory that the workspace, a GEMM of this library or
/// oneDNN cannot get is an `error` of kind `workspace`.
template <class Gemm, class Groups = no_groups, class Lane = no_lane>
class execution {
 public:
  using memory = host_memory;

  /// `gemm` is a `gemm_policy`, `groups` a `mesh_groups` or `no_groups`; kernels and products run on `threads` threads.
  execution(Gemm& gemm, Groups& groups, workspace& scratch, int threads = 1)
      : gemm_{&gemm}, groups_{&groups}, scratch_{&scratch}, threads_{threads} {}
  execution(Gemm& gemm, Groups& groups, workspace& scratch, int threads, Lane& lane)
      : gemm_{&gemm}, groups_{&groups}, scratch_{&scratch}, threads_{threads}, lane_{&lane} {}

  /// The communicator of `Group`, one of `Groups`.
  template <class Group>
  [[nodiscard]] auto& communicator() const requires(!std::same_as<Groups, no_groups>) {
    return groups_->template get<Group>();
  }
  /// Where scratch and results of a step lie.
  [[nodiscard]] workspace& scratch() const { return *scratch_; }
  /// The second lane, or nothing.
  [[nodiscard]] Lane* lane() const requires(!std::same_as<Lane, no_lane>) { return lane_; }
  /// Threads of a kernel or product.
  [[nodiscard]] int threads() const { return threads_; }

  /// x [T, I], w [O, I], y [T, O]: y = x w^T. Throws `shape` where they do not fit.
  template <class X, class W, class Y>
  void multiply(rows<X> x, matrix<W const> w, rows<Y> y) const {
    multiplying([&] { gemm_->multiply(rows<std::remove_const_t<X> const>{x}, w, y, threads_); });
  }
  /// x [R, I] sorted by expert, counts [E], w [E, O, I], y [R, O]. Throws `shape` where they do not fit.
  template <class X, class W, class Y>
  void multiply_grouped(rows<X> x, std::span<index_t const> counts, matrices<W const> w, rows<Y> y) const {
    multiplying([&] { gemm_->multiply_grouped(rows<std::remove_const_t<X> const>{x}, counts, w, y, threads_); });
  }

  /// x [T, O], w [O, I], y [T, I]: y = x w, the gradient of an input. Throws `shape` where they do not fit.
  template <class X, class W, class Y>
  void multiply_transposed(rows<X> x, matrix<W const> w, rows<Y> y) const {
    multiplying([&] { gemm_->multiply_transposed(rows<std::remove_const_t<X> const>{x}, w, y, threads_); });
  }
  /// x [R, O] sorted by expert, counts [E], w [E, O, I], y [R, I]. Throws `shape` where they do not fit.
  template <class X, class W, class Y>
  void multiply_transposed_grouped(rows<X> x, std::span<index_t const> counts, matrices<W const> w, rows<Y> y) const {
    multiplying(
        [&] { gemm_->multiply_transposed_grouped(rows<std::remove_const_t<X> const>{x}, counts, w, y, threads_); });
  }
  /// dy [T, O], x [T, I], dw [O, I]: dw += dy^T x, the gradient of a weight. Throws `shape` where they do not fit.
  template <class Dy, class X, class Dw>
  void accumulate_outer(rows<Dy> dy, rows<X> x, matrix<Dw> dw) const {
    multiplying([&] {
      gemm_->accumulate_outer(rows<std::remove_const_t<Dy> const>{dy}, rows<std::remove_const_t<X> const>{x}, dw,
                              threads_);
    });
  }
  /// dy [R, O] and x [R, I] sorted by expert, counts [E], dw [E, O, I]. Throws `shape` where they do not fit.
  template <class Dy, class X, class Dw>
  void accumulate_outer_grouped(rows<Dy> dy, std::span<index_t const> counts, rows<X> x, matrices<Dw> dw) const {
    multiplying([&] {
      gemm_->accumulate_outer_grouped(rows<std::remove_const_t<Dy> const>{dy}, counts,
                                      rows<std::remove_const_t<X> const>{x}, dw, threads_);
    });
  }

  /// `kernel(serial_team, row)` for every row < count.
  template <class Kernel>
  void launch(Kernel const& kernel, index_t count) const {
    launch_rows(kernel, count, threads_);
  }

  /// Uninitialised memory for `count` elements, until the enclosing `workspace::scope` ends.
  template <class Element>
  [[nodiscard]] Element* allocate(index_t count) const {
    return static_cast<Element*>(scratch_->allocate(static_cast<std::size_t>(count) * sizeof(Element)));
  }
  /// data[0 .. count) = 0.
  template <class Element>
  void fill_zero(Element* data, index_t count) const {
    for (index_t i = 0; i < count; ++i) data[i] = Element{};
  }
  /// Memory that the end of a scope gives back, while what `allocate` gave stays: parameters that are gathered for one
  /// use. `lending()` begins such a scope, `lend` is `allocate` inside it.
  [[nodiscard]] workspace::scope lending() const { return workspace::scope{scratch_->aside()}; }
  template <class Element>
  [[nodiscard]] Element* lend(index_t count) const {
    return static_cast<Element*>(scratch_->aside().allocate(static_cast<std::size_t>(count) * sizeof(Element)));
  }
  /// This moment, for `keep_only`.
  [[nodiscard]] workspace::mark now() const { return scratch_->now(); }
  /// Whether memory was allocated since `then`.
  [[nodiscard]] bool allocated_since(workspace::mark const& then, void const* data) const {
    return scratch_->handed_out_since(then, data);
  }
  /// Gives back what was allocated since `then`, except `count` elements at `data`, which may move; returns where they
  /// are.
  template <class Element>
  [[nodiscard]] Element* keep_only(workspace::mark const& then, Element* data, index_t count) const {
    using value = std::remove_const_t<Element>;
    return static_cast<Element*>(
        scratch_->keep_only(then, const_cast<value*>(data), static_cast<std::size_t>(count) * sizeof(value)));
  }
  /// The same for counts.
  [[nodiscard]] index_t* allocate_counts(index_t count) const { return allocate<index_t>(count); }

  /// `build_expert_order` for experts [first, first + experts); other ids [T, K] are left out. Returns the rows of each
  /// expert, in scratch. Throws `shape` and `workspace` as that function does.
  [[nodiscard]] counts<host_memory> order_by_expert(slot_view<std::int32_t const> ids, index_t first, index_t experts,
                                                    std::span<std::int32_t> row_to_token,
                                                    std::span<std::int32_t> row_to_slot,
                                                    slot_view<std::int32_t> slot_to_row) const {
    std::span<index_t> const rows{allocate_counts(experts), static_cast<std::size_t>(experts)};
    order_some_experts(*this, ids, first, {row_to_token, row_to_slot, slot_to_row, rows});
    return rows;
  }

  /// The counts themselves: kernels run where they are.
  [[nodiscard]] per_row<index_t const> visible(std::span<index_t const> counts) const {
    return {counts.data(), extents<tokens>{static_cast<index_t>(counts.size())}};
  }

 private:
  template <class Product>
  static void multiplying(Product const& product) {
    with_memory_for("a product", product);
  }

  Gemm* gemm_;
  Groups* groups_;
  workspace* scratch_;
  int threads_;
  Lane* lane_ = nullptr;
};

}  // namespace host
}  // namespace heddle::inline HEDDLE_ABI
