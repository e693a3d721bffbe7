// SPDX-License-Identifier: Apache-2.0
// Memory a GEMM keeps between calls: it grows to the largest size asked for and is allocated no more.
#pragma once

#include <cstddef>
#include <heddle/tensor/extents.hpp>
#include <memory>
#include <new>

namespace heddle::inline HEDDLE_ABI {
namespace host {

/// One growing buffer, owned by one thread of one GEMM.
class scratch {
 public:
  /// Makes room for `bytes`, on a cache line of its own. What was there is lost when it grows.
  void reserve(index_t bytes) {
    if (bytes <= size_) return;
    data_.reset();
    size_ = 0;
    data_.reset(static_cast<std::byte*>(::operator new(static_cast<std::size_t>(bytes), line)));
    size_ = bytes;
  }
  /// The memory as elements of a trivial type, starting `offset` bytes in.
  template <class Element>
  [[nodiscard]] Element* as(index_t offset = 0) const {
    return reinterpret_cast<Element*>(data_.get() + offset);
  }
  /// Bytes there is room for.
  [[nodiscard]] index_t size() const { return size_; }

 private:
  static constexpr std::align_val_t line{64};
  struct release {
    void operator()(std::byte* data) const { ::operator delete(data, line); }
  };
  std::unique_ptr<std::byte, release> data_;
  index_t size_ = 0;
};

}  // namespace host
}  // namespace heddle::inline HEDDLE_ABI
