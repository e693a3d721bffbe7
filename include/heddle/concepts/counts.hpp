// SPDX-License-Identifier: Apache-2.0
// Counts have an owner. What the host may read and what only kernels see are different types, and the way from one to
// the other asks for a token, so that a step without the token never waits for a device.
#pragma once

#include <concepts>
#include <heddle/tensor/view.hpp>
#include <span>

namespace heddle::inline HEDDLE_ABI {

/// Whether an execution records its steps to run them again, as CUDA graphs do: nothing in them may wait for a device.
/// It says so by `static constexpr bool captures = true`.
template <class Execution>
inline constexpr bool captures_steps = requires {
  requires Execution::captures;
};

/// The permission to wait until a device has counted. Every execution gives it, except one that captures its steps.
class host_sync {
 public:
  template <class Execution>
  constexpr explicit host_sync(Execution const&) {
    static_assert(!captures_steps<Execution>,
                  "[heddle.counts.sync] a captured step waits for counts. Fix: choose direct_dispatcher, whose counts "
                  "stay where they are, or an execution that may wait.");
  }
};

/// Rows of each expert, rank or chunk, in the memory of `Owner`.
template <class Owner>
class counts;

/// Counts that the host reads as it likes.
template <>
class counts<host_memory> : public std::span<index_t const> {
 public:
  constexpr counts() = default;
  template <class Numbers>
    requires(!std::derived_from<std::remove_cvref_t<Numbers>, counts> &&
             std::convertible_to<Numbers, std::span<index_t const>>)
  constexpr counts(Numbers&& numbers) : span{std::span<index_t const>{numbers}} {}
};

/// Counts that kernels see. The host knows how many there are, and no more without a token.
template <>
class counts<device_memory> {
 public:
  using numbers = view<index_t const, extents<tokens>, device_memory>;

  constexpr counts() = default;
  constexpr counts(numbers where) : where_{where} {}
  /// For a kernel.
  [[nodiscard]] constexpr numbers visible() const { return where_; }
  [[nodiscard]] constexpr std::size_t size() const { return static_cast<std::size_t>(where_.count()); }
  /// The numbers in `into`, as long as these: `copy(from, into)` fetches them and returns when they are there.
  template <class Copy>
  [[nodiscard]] counts<host_memory> read(host_sync, std::span<index_t> into, Copy const& copy) const {
    copy(where_, into);
    return into;
  }

 private:
  numbers where_{};
};

}  // namespace heddle::inline HEDDLE_ABI
