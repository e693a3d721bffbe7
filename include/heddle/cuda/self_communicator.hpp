// SPDX-License-Identifier: Apache-2.0
// The group of one rank that has a GPU: it checks and counts as every other communicator does, and copies in the order
// of its queue.
#pragma once

#include <heddle/collective/communicator.hpp>
#include <heddle/cuda/queue.hpp>
#include <span>
#include <vector>

namespace heddle::inline HEDDLE_ABI {
namespace cuda {

/// The transport of one rank: nothing meets, and moves of device memory are copies from `send` to `recv`.
class self_transport {
 public:
  explicit self_transport(queue const& on) : queue_{on} {}

  [[nodiscard]] int rank() const { return 0; }
  [[nodiscard]] int size() const { return 1; }
  [[nodiscard]] int world_rank(int rank) const { return rank; }

  void enter(fingerprint const&) {}
  verdict meet(fingerprint const& print, void const*, void*) {
    print_ = print;
    return judge(
        1, [&](int) -> fingerprint const& { return print; }, [](int rank) { return rank; });
  }
  [[nodiscard]] fingerprint const& print(int) const { return print_; }
  void part() {}

  template <class Type>
  void broadcast(std::span<Type>, int) {}
  template <class Type>
  void all_reduce(std::span<Type>) {}
  template <class Type, class CountOf>
  void all_gather(std::span<Type const> send, std::span<Type> recv, CountOf count_of) {
    copy(recv, send, count_of(0));
  }
  template <class Type>
  void reduce_scatter(std::span<Type const> send, std::span<Type> recv, std::span<index_t const> counts) {
    copy(recv, send, counts[0]);
  }
  template <class Type>
  void all_to_all(std::span<Type const> send, std::span<index_t const> send_counts, std::span<Type> recv,
                  std::span<index_t const>) {
    copy(recv, send, send_counts[0]);
  }
  [[nodiscard]] self_transport split(std::vector<int>, int, int, long) { return self_transport{queue_}; }

 private:
  template <class Type>
  void copy(std::span<Type> to, std::span<Type const> from, index_t count) const {
    queue_.copy(to.data(), from.data(), static_cast<std::size_t>(count) * sizeof(Type));
  }
  queue queue_;
  fingerprint print_{};
};

/// The world of a program with one GPU: `cuda::self_communicator world{cuda::self_transport{queue}};`
using self_communicator = basic_communicator<self_transport>;
static_assert(communicator<self_communicator>);

}  // namespace cuda
}  // namespace heddle::inline HEDDLE_ABI
