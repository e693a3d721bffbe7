// SPDX-License-Identifier: Apache-2.0
// One read-only copy of a shard for all thread ranks that own the same box of the same parameter.
#pragma once

#include <condition_variable>
#include <cstddef>
#include <exception>
#include <heddle/core/dtype.hpp>
#include <heddle/core/error.hpp>
#include <heddle/placement/box.hpp>
#include <map>
#include <memory>
#include <mutex>
#include <new>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>

namespace heddle::inline HEDDLE_ABI {
namespace checkpoint {

/// A shard that others may share; its memory lives as long as any copy of this.
template <element T>
struct shared_shard {
  std::shared_ptr<std::byte const> owner;
  std::span<T const> values;
};

namespace detail {

/// What a store and the shards it gave out know in common; the last of them destroys it.
class shard_ledger : public std::enable_shared_from_this<shard_ledger> {
 public:
  static constexpr std::align_val_t alignment{64};

  /// The bytes of `key`: shared if somebody holds them, otherwise allocated and filled by load(bytes).
  template <class Load>
  std::shared_ptr<std::byte const> get(std::string const& key, std::size_t bytes, Load&& load) {
    std::unique_lock lock{mutex_};
    entry& mine = entries_[key];
    if (auto held = mine.held.lock()) return held;
    if (mine.loading) return wait(lock, mine.loading);
    auto const attempt = mine.loading = std::make_shared<pending>();
    lock.unlock();
    try {
      std::shared_ptr<std::byte> const fresh = allocate(key, bytes);
      load(std::span{fresh.get(), bytes});
      attempt->bytes = fresh;
    } catch (error const& failure) {
      attempt->failure = failure;  // by value: each waiter throws its own copy
    } catch (...) {
      attempt->other_failure = std::current_exception();
    }
    lock.lock();
    attempt->done = true;
    if (attempt->bytes) {
      entries_[key] = {attempt->bytes, nullptr};
    } else {
      entries_.erase(key);  // the next asker tries again
    }
    ready_.notify_all();
    return result_of(*attempt);
  }

  [[nodiscard]] std::size_t bytes_held() const { return locked(bytes_held_); }
  [[nodiscard]] std::size_t bytes_peak() const { return locked(bytes_peak_); }

 private:
  /// One attempt to load. Waiters hold it, so the bytes cannot go before all of them have seen them.
  struct pending {
    bool done = false;
    std::shared_ptr<std::byte const> bytes;
    std::optional<error> failure;
    std::exception_ptr other_failure;
  };
  struct entry {
    std::weak_ptr<std::byte const> held;
    std::shared_ptr<pending> loading;
  };

  static std::shared_ptr<std::byte const> result_of(pending const& attempt) {
    if (attempt.failure) throw error(*attempt.failure);
    if (attempt.other_failure) std::rethrow_exception(attempt.other_failure);
    return attempt.bytes;
  }
  std::shared_ptr<std::byte const> wait(std::unique_lock<std::mutex>& lock, std::shared_ptr<pending> attempt) {
    ready_.wait(lock, [&] { return attempt->done; });
    return result_of(*attempt);
  }

  std::shared_ptr<std::byte> allocate(std::string const& key, std::size_t bytes) {
    // Made first, and then only moved: from the allocation on, nothing can throw without running it.
    auto release_later = [ledger = shared_from_this(), key, bytes](std::byte* gone) {
      ledger->release(key, gone, bytes);
    };
    auto* const memory = static_cast<std::byte*>(::operator new(bytes == 0 ? 1 : bytes, alignment));
    {
      std::lock_guard const lock{mutex_};
      bytes_held_ += bytes;
      if (bytes_held_ > bytes_peak_) bytes_peak_ = bytes_held_;
    }
    return {memory, std::move(release_later)};
  }
  void release(std::string const& key, std::byte* memory, std::size_t bytes) {
    ::operator delete(memory, alignment);
    std::lock_guard const lock{mutex_};
    bytes_held_ -= bytes;
    // Somebody may have begun to load the same shard anew, or hold it already.
    auto const mine = entries_.find(key);
    if (mine != entries_.end() && !mine->second.loading && mine->second.held.expired()) entries_.erase(mine);
  }
  std::size_t locked(std::size_t const& number) const {
    std::lock_guard const lock{mutex_};
    return number;
  }

  mutable std::mutex mutex_;
  std::condition_variable ready_;
  std::map<std::string, entry> entries_;
  std::size_t bytes_held_ = 0;
  std::size_t bytes_peak_ = 0;
};

}  // namespace detail

/// Thread-safe. One store serves one checkpoint: shards are told apart by parameter, box and type. The store itself
/// keeps nothing alive: a shard's memory goes with its last user, and shards may outlive the store.
class shard_store {
 public:
  /// The shard `part` of `parameter` as T, 64-byte aligned. The first asker calls load(std::span<T>), no lock held,
  /// to fill it; others who ask meanwhile wait for as long as that takes. If `load` throws, the first asker and all
  /// waiters get the exception, and the next asker tries again. `load` must not ask for the shard it loads.
  template <element T, class Load>
  [[nodiscard]] shared_shard<T> get(std::string_view parameter, box const& part, Load&& load) {
    auto const count = static_cast<std::size_t>(part.count());
    auto owner = ledger_->get(key_of(parameter, part, dtype_v<T>), count * sizeof(T), [&](std::span<std::byte> bytes) {
      load(std::span<T>{reinterpret_cast<T*>(bytes.data()), count});
    });
    std::span<T const> const values{reinterpret_cast<T const*>(owner.get()), count};
    return {std::move(owner), values};
  }

  /// Bytes of all shards alive now.
  [[nodiscard]] std::size_t bytes_held() const { return ledger_->bytes_held(); }
  /// The most there have been at once.
  [[nodiscard]] std::size_t bytes_peak() const { return ledger_->bytes_peak(); }

 private:
  static std::string key_of(std::string_view parameter, box const& part, dtype type) {
    // The name comes last: the number of axes tells where it begins, so no name can imitate a box.
    std::string key = std::to_string(static_cast<int>(type)) + "," + std::to_string(part.axes.size()) + "|";
    for (auto const& ranges : part.axes) {
      for (range const own : ranges) {
        key.append(std::to_string(own.begin)).append("+").append(std::to_string(own.size)).append(",");
      }
      key += '|';
    }
    return key.append(parameter);
  }

  std::shared_ptr<detail::shard_ledger> ledger_ = std::make_shared<detail::shard_ledger>();
};

}  // namespace checkpoint
}  // namespace heddle::inline HEDDLE_ABI
