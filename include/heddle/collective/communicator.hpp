// SPDX-License-Identifier: Apache-2.0
// The collectives every backend offers, written once over a transport: the statement, the checks, the agreement, the
// accounts. A transport only brings ranks together and moves bytes, so all models check and count alike.
#pragma once

#include <cstdint>
#include <heddle/collective/arguments.hpp>
#include <heddle/collective/one_sided.hpp>
#include <heddle/collective/ordered_sum.hpp>
#include <span>
#include <type_traits>
#include <utility>
#include <vector>

namespace heddle::inline HEDDLE_ABI {

/// A `communicator` (the concept says what each operation does) over a `Transport`: see `agreement` for how its ranks
/// come together. Its moves are `broadcast(data, root)`, `all_reduce(data)`, `all_gather(send, recv, count_of)`,
/// `reduce_scatter(send, recv, counts)`, `all_to_all(send, send_counts, recv, recv_counts)`, on checked arguments;
/// `split(members, index, color, sequence)` is the transport of the group of these ranks, this one being `index`. One
/// that needs memory for a sum has `prepare_sum<Type>(elements of this rank's piece, of all)`, called before the ranks
/// agree. What a transport with symmetric memory has besides is said by `one_sided_transport`.
template <class Transport>
class basic_communicator : public one_sided<Transport> {
  using base = one_sided<Transport>;
  using base::call;

 public:
  using base::base;
  using base::rank, base::size, base::transport;

  /// Returns when every rank has called it.
  void barrier() {
    call(
        {.operation = collective_kind::barrier}, nullptr, nullptr, [] {}, [] { return 0; });
  }

  /// `data` of `root` on every rank; the same size everywhere.
  template <element Type>
  void broadcast(std::span<Type> data, int root) {
    call(
        {.operation = collective_kind::broadcast, .type = dtype_v<Type>, .root = root, .count = count_of(data)},
        data.data(), data.data(),
        [&] {
          argument::check_root(root, size());
          argument::check_memory<Type>("data", data);
        },
        [&] {
          transport().template broadcast<Type>(data, root);
          return broadcast_bytes(count_of(data), sizeof(Type), size(), rank(), root);
        });
  }

  /// In place, the sum over the ranks.
  template <summable Type>
  void all_reduce(std::span<Type> data) {
    call(
        {.operation = collective_kind::all_reduce, .type = dtype_v<Type>, .count = count_of(data)}, data.data(),
        data.data(),
        [&] {
          argument::check_memory<Type>("data", data);
          prepare_sum<Type>(ceil_chunk::piece(count_of(data), size(), rank()).size, count_of(data));
        },
        [&] {
          transport().template all_reduce<Type>(data);
          return all_reduce_bytes(count_of(data), sizeof(Type), size(), rank());
        });
  }

  /// The same number of elements from every rank; `recv` has room for size() * send.size().
  template <element Type>
  void all_gather(std::type_identity_t<std::span<Type const>> send, std::span<Type> recv) {
    call(
        {.operation = collective_kind::all_gather, .type = dtype_v<Type>, .count = count_of(send)}, send.data(),
        recv.data(),
        [&] {
          check_pair<Type>(send, recv);
          argument::check_room("recv", recv.size(), send.size(), size());
        },
        [&] {
          transport().template all_gather<Type>(send, recv, [&](int) { return count_of(send); });
          return all_gather_bytes(count_of(send), sizeof(Type), size());
        });
  }

  /// `recv_counts[r]` elements from rank r, one piece behind the other.
  template <element Type>
  void all_gather(std::type_identity_t<std::span<Type const>> send, std::span<Type> recv,
                  std::span<index_t const> recv_counts) {
    call(
        {.operation = collective_kind::all_gather, .type = dtype_v<Type>, .recv_counts = recv_counts}, send.data(),
        recv.data(),
        [&] {
          check_pair<Type>(send, recv);
          argument::check_counts("recv_counts", recv_counts, size());
          argument::check_room("recv", recv.size(), recv_counts);
          argument::check_room("send", send.size(), recv_counts.subspan(own(), 1));
        },
        [&] {
          auto const mine = send.first(static_cast<std::size_t>(recv_counts[own()]));
          transport().template all_gather<Type>(mine, recv, [&](int peer) { return at(recv_counts, peer); });
          return all_gather_bytes(recv_counts[own()], sizeof(Type), size());
        });
  }

  /// The sum over the ranks of `send`, cut in pieces of `counts[r]`: rank r gets piece r.
  template <summable Type>
  void reduce_scatter(std::type_identity_t<std::span<Type const>> send, std::span<Type> recv,
                      std::span<index_t const> counts) {
    call(
        {.operation = collective_kind::reduce_scatter, .type = dtype_v<Type>, .recv_counts = counts}, send.data(),
        recv.data(),
        [&] {
          check_pair<Type>(send, recv);
          argument::check_counts("counts", counts, size());
          argument::check_room("send", send.size(), counts);
          argument::check_room("recv", recv.size(), counts.subspan(own(), 1));
          prepare_sum<Type>(counts[own()], argument::total(counts));
        },
        [&] {
          transport().template reduce_scatter<Type>(send, recv, counts);
          return reduce_scatter_bytes(argument::total(counts), counts[own()], sizeof(Type));
        });
  }

  /// Piece j of `send`, of `send_counts[j]` elements, goes to rank j; `recv` has them in the order of their sources.
  template <element Type>
  void all_to_all(std::type_identity_t<std::span<Type const>> send, std::span<index_t const> send_counts,
                  std::span<Type> recv, std::span<index_t const> recv_counts) {
    call(
        {.operation = collective_kind::all_to_all,
         .type = dtype_v<Type>,
         .send_counts = send_counts,
         .recv_counts = recv_counts},
        send.data(), recv.data(),
        [&] {
          check_pair<Type>(send, recv);
          argument::check_counts("send_counts", send_counts, size());
          argument::check_counts("recv_counts", recv_counts, size());
          argument::check_room("send", send.size(), send_counts);
          argument::check_room("recv", recv.size(), recv_counts);
        },
        [&] {
          transport().template all_to_all<Type>(send, send_counts, recv, recv_counts);
          return all_to_all_bytes(argument::total(send_counts), send_counts[own()], sizeof(Type));
        });
  }

  /// A color is 0 or more. The new group starts with this one's plan, its own sequence numbers and empty accounts.
  [[nodiscard]] basic_communicator split(int color, int key) {
    std::vector<int> members;
    long const sequence = base::sequence();
    call(
        {.operation = collective_kind::split, .root = key, .count = color}, nullptr, nullptr,
        [&] {
          argument::check_color(color);
          members.reserve(static_cast<std::size_t>(size()));
        },
        [&] {
          for (int peer = 0; peer < size(); ++peer) {
            if (transport().print(peer).count != color) continue;
            auto place = members.end();  // behind all with the same key or a smaller one
            int const wish = transport().print(peer).root;
            while (place != members.begin() && transport().print(*(place - 1)).root > wish) --place;
            members.insert(place, peer);
          }
          return 0;
        });
    int index = 0;
    while (members[static_cast<std::size_t>(index)] != rank()) ++index;
    basic_communicator group{transport().split(std::move(members), index, color, sequence)};
    group.set_plan(base::plan());
    return group;
  }

 private:
  template <element Type>
  static void check_pair(std::span<Type const> send, std::span<Type const> recv) {
    argument::check_memory<Type>("send", send);
    argument::check_memory<Type>("recv", recv);
    argument::check_apart<Type>(send, recv);
  }
  template <class Type>
  void prepare_sum(index_t piece, index_t whole) {
    if constexpr (requires { transport().template prepare_sum<Type>(piece, whole); })
      transport().template prepare_sum<Type>(piece, whole);
  }
  template <class Type>
  [[nodiscard]] static index_t count_of(std::span<Type> data) {
    return static_cast<index_t>(data.size());
  }
  [[nodiscard]] static index_t at(std::span<index_t const> counts, int rank) {
    return counts[static_cast<std::size_t>(rank)];
  }
  [[nodiscard]] std::size_t own() const { return static_cast<std::size_t>(rank()); }
};

}  // namespace heddle::inline HEDDLE_ABI
