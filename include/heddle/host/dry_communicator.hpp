// SPDX-License-Identifier: Apache-2.0
// A communicator of a dry run: ranks tell each other counts and choices, and send no other data.
#pragma once

#include <concepts>
#include <heddle/collective/mesh_groups.hpp>
#include <heddle/concepts/symmetric.hpp>
#include <span>

namespace heddle::inline HEDDLE_ABI {
namespace host {

/// Stands before a communicator, which outlives it. Whole numbers (counts, ids) travel; floating-point data does not,
/// and its memory is not touched.
template <communicator Communicator>
class dry_communicator {
 public:
  explicit dry_communicator(Communicator& group) : group_{&group} {}

  [[nodiscard]] int rank() const { return group_->rank(); }
  [[nodiscard]] int size() const { return group_->size(); }
  [[nodiscard]] index_t bytes_sent() const { return group_->bytes_sent(); }
  void barrier() { group_->barrier(); }
  void set_plan(std::uint64_t plan) { group_->set_plan(plan); }
  template <class Check>
  void agree(Check&& check) {
    group_->agree(check);
  }
  template <class T>
  void broadcast(std::span<T> data, int root) {
    if constexpr (std::integral<T>) group_->broadcast(data, root);
  }
  template <class T>
  void all_reduce(std::span<T> data) {
    if constexpr (std::integral<T>) group_->all_reduce(data);
  }
  template <class T, class... Counts>
  void all_gather(std::span<T const> send, std::span<T> recv, Counts... counts) {
    if constexpr (std::integral<T>) group_->all_gather(send, recv, counts...);
  }
  template <class T>
  void reduce_scatter(std::span<T const> send, std::span<T> recv, std::span<index_t const> counts) {
    if constexpr (std::integral<T>) group_->reduce_scatter(send, recv, counts);
  }
  template <class T>
  void all_to_all(std::span<T const> send, std::span<index_t const> send_counts, std::span<T> recv,
                  std::span<index_t const> recv_counts) {
    if constexpr (std::integral<T>) group_->all_to_all(send, send_counts, recv, recv_counts);
  }
  /// Symmetric memory is real: tables of counts lie in it.
  [[nodiscard]] symmetric_memory symmetric(index_t bytes) requires symmetric_communicator<Communicator> {
    return group_->symmetric(bytes);
  }
  template <class T>
  void put(int rank, index_t offset, std::span<T const> data) requires symmetric_communicator<Communicator> {
    if constexpr (std::integral<T>) group_->put(rank, offset, data);
  }
  void fence() requires symmetric_communicator<Communicator> { group_->fence(); }

 private:
  Communicator* group_;
};

}  // namespace host
}  // namespace heddle::inline HEDDLE_ABI
