// SPDX-License-Identifier: Apache-2.0
// A device that is memory of the host, and does at once what it is given: for what kernels do between ranks that are
// threads. That nobody reads too early is for other tests.
#pragma once

#include <heddle/cuda/order_pairs.hpp>
#include <list>
#include <vector>

namespace numbers {

using namespace heddle;
using gpu = device_memory;

/// Stands where cuda::execution stands. Memory is never given back; what nobody wrote is not zero.
template <class Groups, bool Captures = false>
class eager_device {
 public:
  using memory = gpu;
  static constexpr bool captures = Captures;
  explicit eager_device(Groups& groups) : groups_{&groups} {}
  template <class Group>
  [[nodiscard]] auto& communicator() const {
    return groups_->template get<Group>();
  }
  template <class Group>
  [[nodiscard]] auto& numbers() const {
    return groups_->template get<Group>();
  }
  template <class X, class W, class Y>
  void multiply(rows<X, gpu>, matrix<W const, gpu>, rows<Y, gpu>) const {}  // nobody multiplies
  template <class Kernel>
  void launch(Kernel const& kernel, index_t count) const {
    static_assert(std::is_trivially_copyable_v<Kernel> && sizeof(Kernel) <= 4096);
    for (index_t row = 0; row < count; ++row) kernel(serial_team{}, row);
  }
  template <class Element>
  [[nodiscard]] Element* allocate(index_t count) const {
    auto& block = blocks_.emplace_back(static_cast<std::size_t>(count) * sizeof(Element) / 8 + 1, 0x7f7f7f7f7f7f);
    return reinterpret_cast<Element*>(block.data());
  }
  template <class Element>
  [[nodiscard]] Element* allocate_here(index_t count) const {
    return allocate<Element>(count);
  }
  template <class Element>
  void fill_zero(Element* data, index_t count) const {
    for (index_t i = 0; i < count; ++i) data[i] = Element{};
  }
  [[nodiscard]] index_t* allocate_counts(index_t count) const { return allocate<index_t>(count); }
  [[nodiscard]] per_row<index_t const, gpu> visible(std::span<index_t const> counts) const {
    auto* const there = allocate<index_t>(static_cast<index_t>(counts.size()));
    for (std::size_t i = 0; i < counts.size(); ++i) there[i] = counts[i];
    return {there, extents<tokens>{static_cast<index_t>(counts.size())}};
  }
  void fetch(host_sync, per_row<index_t const, gpu> there, std::span<index_t> into) const {
    ++fetches;
    for (std::size_t i = 0; i < into.size(); ++i) into[i] = there.data()[i];
  }
  [[nodiscard]] counts<gpu> order_by_expert(slot_view<std::int32_t const, gpu> ids, index_t first, index_t experts,
                                            std::span<std::int32_t> row_to_token, std::span<std::int32_t> row_to_slot,
                                            slot_view<std::int32_t, gpu> slot_to_row) const {
    return cuda::order_pairs(*this, ids, first, experts, {row_to_token, row_to_slot, slot_to_row},
                             [](std::span<std::int32_t> list) {
                               for (std::int32_t& entry : list) entry = -1;
                             });
  }
  int mutable fetches = 0;

 private:
  Groups* groups_;
  std::list<std::vector<std::int64_t>> mutable blocks_;
};

}  // namespace numbers
