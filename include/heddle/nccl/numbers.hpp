// SPDX-License-Identifier: Apache-2.0
// The group in which ranks tell each other what their hosts know: counts, and a number here and there. It goes by NCCL,
// through memory of its own, so that ranks which NCCL alone connects need nobody else.
#pragma once

#include <cstring>
#include <exception>
#include <heddle/core/spans.hpp>
#include <heddle/nccl/communicator.hpp>
#include <memory>
#include <span>
#include <string>
#include <utility>
#include <vector>

namespace heddle::inline HEDDLE_ABI {
namespace nccl {

/// A transport over memory of the host: `Inner` is a transport over memory of the GPU. What is sent goes up, what comes
/// goes down, and a collective has ended when it returns: until then the host waits for all that is in the stream.
template <class Inner, class Calls>
class numbers_transport {
 public:
  /// `memory` has `room` bytes of either kind; see `numbers_of`.
  numbers_transport(Inner inner, std::unique_ptr<staging<Calls>> memory, index_t room)
      : memory_{std::move(memory)}, inner_{std::move(inner)}, room_{room} {}

  [[nodiscard]] int rank() const { return inner_.rank(); }
  [[nodiscard]] int size() const { return inner_.size(); }
  [[nodiscard]] int world_rank(int rank) const { return inner_.world_rank(rank); }
  void set_deadline(std::chrono::nanoseconds deadline) { inner_.set_deadline(deadline); }

  void enter(fingerprint const& print) { inner_.enter(print); }
  /// A rank whose numbers do not fit says so before any rank sends, where ranks compare statements; else its
  /// group ends.
  verdict meet(fingerprint print, void const* send, void* recv) {
    std::string complaint;
    index_t const needed = print.complaint == nullptr ? bytes_of(print) : 0;
    if (needed > room_) {
      complaint = std::to_string(needed) + " bytes of numbers where there is room for " + std::to_string(room_) +
                  ": make the group with more";
      print.complaint = complaint.c_str();
    }
    verdict result = inner_.meet(print, send, recv);
    if (needed > room_ && result.kind == error_kind::peer_failed) result.kind = error_kind::workspace;
    return result;
  }
  [[nodiscard]] fingerprint const& print(int rank) const { return inner_.print(rank); }
  void part() { inner_.part(); }

  template <class Type>
  void broadcast(std::span<Type> data, int root) {
    auto const there = up(0, std::span<Type const>{data});
    inner_.template broadcast<Type>(there, root);
    down(data, there);
  }
  template <class Type>
  void all_reduce(std::span<Type> data) {
    auto const there = up(0, std::span<Type const>{data});
    inner_.template all_reduce<Type>(there);
    down(data, there);
  }
  template <class Type, class CountOf>
  void all_gather(std::span<Type const> send, std::span<Type> recv, CountOf count_of) {
    index_t arriving = 0;
    for (int peer = 0; peer < size(); ++peer) arriving += count_of(peer);
    auto const from = up(0, send.first(as_size(count_of(rank()))));
    auto const to = behind<Type>(from, arriving);
    inner_.template all_gather<Type>(from, to, count_of);
    down(recv, to);
  }
  template <class Type>
  void reduce_scatter(std::span<Type const> send, std::span<Type> recv, std::span<index_t const> counts) {
    auto const from = up(0, send.first(as_size(argument::total(counts))));
    auto const to = behind<Type>(from, counts[as_size(rank())]);
    inner_.template reduce_scatter<Type>(from, to, counts);
    down(recv, to);
  }
  template <class Type>
  void all_to_all(std::span<Type const> send, std::span<index_t const> send_counts, std::span<Type> recv,
                  std::span<index_t const> recv_counts) {
    auto const from = up(0, send.first(as_size(argument::total(send_counts))));
    auto const to = behind<Type>(from, argument::total(recv_counts));
    inner_.template all_to_all<Type>(from, send_counts, to, recv_counts);
    down(recv, to);
  }

  /// All hear of it where one rank has no memory for the new group.
  [[nodiscard]] numbers_transport split(std::vector<int> members, int index, int color, long sequence) {
    fingerprint print{.operation = collective_kind::split, .sequence = sequence, .count = color};
    std::unique_ptr<staging<Calls>> memory;
    std::exception_ptr own;
    std::string complaint;
    try {
      memory = make_memory(inner_.calls(), room_, world_rank(rank()));
    } catch (std::exception const& problem) {
      own = std::current_exception();
      complaint = problem.what();
      print.complaint = complaint.c_str();
    }
    verdict const result = inner_.meet(print, nullptr, nullptr);
    if (own) std::rethrow_exception(own);
    if (!result.good()) {
      throw error(result.kind, result.text, "free memory or use fewer groups", world_rank(rank()))
          .blames(world_rank(result.culprit), "split", sequence);
    }
    return {inner_.split(std::move(members), index, color, sequence), std::move(memory), room_};
  }

  [[nodiscard]] static std::unique_ptr<staging<Calls>> make_memory(Calls const& calls, index_t room, int rank) {
    auto const bytes = as_size(room + alignment);
    return std::make_unique<staging<Calls>>(calls, bytes, bytes, rank);
  }

 private:
  static constexpr index_t alignment = 16;  // of what arrives behind what is sent

  /// What goes up and what comes down in the collective that `print` states.
  [[nodiscard]] index_t bytes_of(fingerprint const& print) const {
    auto const element = static_cast<index_t>(size_of(print.type));
    index_t const sent = argument::total(print.send_counts);
    index_t const shared = argument::total(print.recv_counts);
    switch (print.operation) {
      case collective_kind::broadcast:
      case collective_kind::all_reduce: return print.count * element;
      case collective_kind::all_to_all: return (sent + shared) * element;
      case collective_kind::all_gather:
      case collective_kind::reduce_scatter:
        if (print.recv_counts.empty()) return print.count * (size() + 1) * element;
        return (shared + print.recv_counts[as_size(rank())]) * element;
      default: return 0;
    }
  }

  template <class Type>
  [[nodiscard]] std::span<Type> at(index_t offset, std::size_t count) const {
    return {reinterpret_cast<Type*>(memory_->device() + offset), count};
  }
  [[nodiscard]] std::byte* pinned(index_t offset) const {
    return reinterpret_cast<std::byte*>(memory_->pinned()) + offset;
  }
  template <class Type>
  std::span<Type> up(index_t offset, std::span<Type const> data) {
    auto const there = at<Type>(offset, data.size());
    if (!data.empty()) {
      std::memcpy(pinned(offset), data.data(), data.size_bytes());
      inner_.copy(there.data(), pinned(offset), data.size_bytes());
    }
    return there;
  }
  template <class Type>
  [[nodiscard]] std::span<Type> behind(std::span<Type> sent, index_t count) const {
    auto const end = static_cast<index_t>(sent.size_bytes());
    return at<Type>(heddle::detail::rounded_up(end, alignment), as_size(count));
  }
  template <class Type>
  void down(std::span<Type> data, std::span<Type> there) {
    index_t const offset = reinterpret_cast<std::byte*>(there.data()) - memory_->device();
    if (!there.empty()) inner_.copy(pinned(offset), there.data(), there.size_bytes());
    inner_.wait();
    if (!there.empty()) std::memcpy(data.data(), pinned(offset), there.size_bytes());
  }

  std::unique_ptr<staging<Calls>> memory_;  // before the transport: what is under way ends first
  Inner inner_;
  index_t room_;
};

/// The communicator of what the hosts of `communicator<Calls, Cast>` know.
template <class Calls = calls, class Cast = no_cast>
using numbers_communicator = basic_communicator<numbers_transport<transport<Calls, Cast>, Calls>>;
static_assert(heddle::communicator<numbers_communicator<>>);

/// Collective over `data`: a group of the same ranks, in the order of the same stream, that moves memory of the host;
/// its groups, of `mesh_groups` too, are those that an execution asks for counts. No collective may bring more than
/// `room` bytes to and from a rank: [ep, experts] counts are all that layers send. Throws `workspace` where there is no
/// such memory, on every rank.
template <class Calls, class Cast>
[[nodiscard]] numbers_communicator<Calls, Cast> numbers_of(communicator<Calls, Cast>& data,
                                                           index_t room = index_t{1} << 20) {
  using numbers = numbers_transport<transport<Calls, Cast>, Calls>;
  std::unique_ptr<staging<Calls>> memory;
  data.agree([&] {
    if (room < 1) {
      throw error(error_kind::argument, std::to_string(room) + " bytes of room for numbers", "give it one or more",
                  data.world_rank());
    }
    memory = numbers::make_memory(data.transport().calls(), room, data.world_rank());
  });
  auto part = data.split(0, data.rank());
  part.transport().set_exchange(exchange_mode::any);  // what the user promises of data says nothing of counts
  return numbers_communicator<Calls, Cast>{numbers{std::move(part.transport()), std::move(memory), room}};
}

}  // namespace nccl
}  // namespace heddle::inline HEDDLE_ABI
