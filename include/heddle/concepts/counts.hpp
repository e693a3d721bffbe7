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

/// Counts that kernels see. The host knows how many there are and a bound on their sum, and no more without a token.
template <>
class counts<device_memory> {
 public:
  using numbers = view<index_t const, extents<tokens>, device_memory>;

  constexpr counts() = default;
  /// `where` [E]; `begins` [E + 1], where it is made: the sum of those before each, and of all behind them. They sum up
  /// to `most` or less. `known` [E] are the same numbers where the host has made them itself, or is empty.
  constexpr counts(numbers where, numbers begins = {}, index_t most = 0, std::span<index_t const> known = {})
      : where_{where}, begins_{begins}, most_{most}, known_{known} {}
  /// For a kernel.
  [[nodiscard]] constexpr numbers visible() const { return where_; }
  /// For a kernel too: [E + 1], or empty.
  [[nodiscard]] constexpr numbers begins() const { return begins_; }
  /// Height of memory that has a place for each of what is counted.
  [[nodiscard]] constexpr index_t most() const { return most_; }
  [[nodiscard]] constexpr std::size_t size() const { return static_cast<std::size_t>(where_.count()); }
  [[nodiscard]] constexpr bool empty() const { return size() == 0; }
  /// Whether reading waits for nobody: the host knows the numbers already.
  [[nodiscard]] constexpr bool known() const { return known_.size() == size(); }
  /// The numbers, in `into`, as long as these, where they are not known: `copy(from, into)` fetches them and returns
  /// when they are there.
  template <class Copy>
  [[nodiscard]] counts<host_memory> read(host_sync, std::span<index_t> into, Copy const& copy) const {
    if (known()) return known_;
    copy(where_, into);
    return into;
  }

 private:
  numbers where_{}, begins_{};
  index_t most_ = 0;
  std::span<index_t const> known_{};
};

}  // namespace heddle::inline HEDDLE_ABI
