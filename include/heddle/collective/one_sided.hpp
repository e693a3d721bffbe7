// SPDX-License-Identifier: Apache-2.0
// Symmetric memory, written once over a transport that has some: the sizes are agreed on, the bounds are checked where
// the store begins, and a fence is a collective like every other.
#pragma once

#include <concepts>
#include <heddle/collective/agreement.hpp>
#include <heddle/concepts/symmetric.hpp>
#include <span>
#include <string>

namespace heddle::inline HEDDLE_ABI {

/// A transport whose `memory()` has, for the rank's own buffer and those of its peers:
/// - `data()`, `bytes()`: the own buffer; its size is that of all others;
/// - `grow(transport, bytes, sequence)`: collective; new buffers of that size instead of the old ones;
/// - `put(rank, offset, data, bytes)`: a store inside a buffer of the group;
/// - `sync()`: orders the loads and stores of this rank around a meeting; `flush()`: ends the stores that this rank has
///   begun, and says whether that took time after the meeting, so that the ranks have to meet again.
template <class Transport>
concept one_sided_transport = requires(Transport& transport, int rank, index_t bytes, std::size_t size,
                                       void const* data) {
  { transport.memory().data() } -> std::same_as<std::byte*>;
  { transport.memory().bytes() } -> std::same_as<index_t>;
  transport.memory().grow(transport, bytes, 0L);
  transport.memory().put(rank, bytes, data, size);
  transport.memory().sync();
  { transport.memory().flush() } -> std::same_as<bool>;
};

/// `symmetric`, `put` and `fence` of a `symmetric_communicator`; the concept says what they promise.
template <class Transport>
class one_sided : public agreement<Transport> {
  using base = agreement<Transport>;

 public:
  using base::base;
  using base::rank, base::size, base::transport;

  /// The largest `bytes` of all ranks, everywhere.
  symmetric_memory symmetric(index_t bytes) requires one_sided_transport<Transport> {
    auto& memory = transport().memory();
    long const sequence = base::sequence();
    index_t needed = 0;
    memory.sync();
    base::call(
        {.operation = collective_kind::symmetric, .count = bytes}, nullptr, nullptr,
        [&] {
          if (bytes >= 0 && bytes <= index_t{1} << 60) return;  // what is added for alignment does not wrap
          throw error(error_kind::argument, "symmetric memory of " + std::to_string(bytes) + " bytes",
                      "ask for zero or more, and less than a machine can address");
        },
        [&] {
          for (int peer = 0; peer < size(); ++peer) {
            index_t const wish = transport().print(peer).count;
            needed = wish > needed ? wish : needed;
          }
          return 0;
        });
    bytes_ = 0;  // nothing can be put where the memory does not come
    if (needed > memory.bytes()) memory.grow(transport(), needed, sequence);
    bytes_ = needed;
    return {memory.data(), bytes_};
  }

  /// Where the buffer of every rank begins, by rank, for kernels that store there; it holds until the next `symmetric`.
  [[nodiscard]] std::span<std::byte* const> peer_pointers() requires requires(Transport& transport) {
    transport.memory().peer_pointers();
  }
  { return transport().memory().peer_pointers(); }

  /// Stores `data` in the buffer of `peer`, `offset` bytes behind its begin.
  template <element Type>
  void put(int peer, index_t offset, std::span<Type const> data) requires one_sided_transport<Transport> {
    auto const bytes = static_cast<index_t>(data.size_bytes());
    bool const inside = peer >= 0 && peer < size() && offset >= 0 && offset <= bytes_ && bytes <= bytes_ - offset;
    if (!inside || offset % static_cast<index_t>(sizeof(Type)) != 0 || (data.data() == nullptr && bytes > 0)) {
      refuse(peer, offset, bytes, sizeof(Type), data.data());
    }
    if (bytes > 0) transport().memory().put(peer, offset, data.data(), data.size_bytes());
    base::account(collective_kind::put, put_bytes(bytes, rank(), peer));
  }

  /// Returns when what all ranks have put before is in place.
  void fence() requires one_sided_transport<Transport> {
    auto& memory = transport().memory();
    memory.sync();
    base::come_together({.operation = collective_kind::fence});
    if (memory.flush()) base::come_together({.operation = collective_kind::fence});
    memory.sync();
    base::account(collective_kind::fence, 0);
  }

 private:
  [[noreturn]] void refuse(int peer, index_t offset, index_t bytes, std::size_t element_size, void const* data) const {
    std::string const what = std::to_string(bytes) + " bytes at offset " + std::to_string(offset) + " of rank " +
                             std::to_string(peer) + " of " + std::to_string(size());
    bool const null = data == nullptr && bytes > 0;
    bool const aligned = offset % static_cast<index_t>(element_size) == 0;
    throw error(error_kind::argument,
                "put of " + what +
                    (null       ? " from null"
                     : !aligned ? ", where elements have " + std::to_string(element_size) + " bytes"
                                : ", where symmetric memory has " + std::to_string(bytes_) + " bytes"),
                "call symmetric with the bytes that are needed, and put inside them", base::world_rank())
        .blames(base::world_rank(), "put", base::sequence());
  }

  index_t bytes_ = 0;
};

}  // namespace heddle::inline HEDDLE_ABI
