// SPDX-License-Identifier: Apache-2.0
// How each collective goes to NCCL: one call where all ranks bring the same count, else groups of rooted calls or of
// sends and receives. Every function is called on all ranks of a group of two or more, with checked arguments.
#pragma once

#include <heddle/nccl/groups.hpp>
#include <span>

namespace heddle::inline HEDDLE_ABI {
namespace nccl {

/// On the GPU, in the order of the stream.
template <class Calls, class Type>
void copy(membership<Calls>& self, Type* to, Type const* from, index_t count) {
  if (count == 0 || to == from) return;
  auto& link = self.link();
  link.require(link.calls().copy(to, from, as_size(count) * sizeof(Type), self.stream()), "cudaMemcpyAsync");
}

template <class Calls, class Type>
void broadcast(membership<Calls>& self, std::span<Type> data, int root) {
  auto& link = self.link();
  for_each_piece(static_cast<index_t>(data.size()), self.settings().limits.elements, [&](stretch piece) {
    Type* const at = data.data() + piece.begin;
    link.settle(
        link.calls().broadcast(at, at, as_size(piece.count), data_type_v<Type>, root, link.comm(), self.stream()),
        "ncclBroadcast");
  });
}

namespace detail {

/// The pairs of `exchange_plan`, likewise.
template <class Calls, class Type>
struct pairs {
  membership<Calls>& self;
  Type const* from;
  Type* to;
  void begin() { self.link().open_group(); }
  void send(int peer, stretch piece) {
    auto& link = self.link();
    link.note(link.calls().send(from + piece.begin, as_size(piece.count), data_type_v<Type>, peer, link.comm(),
                                self.stream()),
              "ncclSend");
  }
  void receive(int peer, stretch piece) {
    auto& link = self.link();
    link.note(link.calls().receive(to + piece.begin, as_size(piece.count), data_type_v<Type>, peer, link.comm(),
                                   self.stream()),
              "ncclRecv");
  }
  void end() { self.link().close_group(); }
};

/// Whether all pairs of ranks exchange the same number of elements: by what all have stated, else by the caller's word,
/// which is held against the rank's own counts.
template <class Calls>
[[nodiscard]] bool uniform(membership<Calls>& self, std::span<index_t const> sent, std::span<index_t const> received) {
  auto const alike = [&](std::span<index_t const> counts) {
    for (index_t const count : counts) {
      if (count != sent[0]) return false;
    }
    return true;
  };
  if (self.stated()) {
    return uniform_exchange(self.size(), [&](int rank) -> fingerprint const& { return self.print(rank); });
  }
  if (self.settings().exchange == exchange_mode::any) return false;
  if (alike(sent) && alike(received)) return true;
  self.link().end();  // peers are in another call by now, and hear of it
  throw error(error_kind::argument, "the options promise uniform exchanges, and the counts of this one differ",
              "set exchange_mode::any", self.world_rank(self.rank()));
}

}  // namespace detail

template <class Calls, class Type, class CountOf>
void all_gather(membership<Calls>& self, std::span<Type const> send, std::span<Type> recv, CountOf count_of) {
  auto& link = self.link();
  auto& calls = link.calls();
  if (one_call(self.size(), count_of, self.settings().limits)) {
    if (count_of(0) == 0) return;
    return link.settle(
        calls.all_gather(send.data(), recv.data(), as_size(count_of(0)), data_type_v<Type>, link.comm(), self.stream()),
        "ncclAllGather");
  }
  index_t const own = begin_of(self.rank(), count_of);
  for_each_part(self.size(), count_of, self.settings().limits,
                detail::rooted{link, "ncclBroadcast", [&](int root, stretch piece) {
                                 Type* const at = recv.data() + piece.begin;
                                 Type const* const from = root == self.rank() ? send.data() + (piece.begin - own) : at;
                                 return calls.broadcast(from, at, as_size(piece.count), data_type_v<Type>, root,
                                                        link.comm(), self.stream());
                               }});
}

template <class Calls, class Type>
void all_to_all(membership<Calls>& self, std::span<Type const> send, std::span<index_t const> send_counts,
                std::span<Type> recv, std::span<index_t const> recv_counts) {
  auto& link = self.link();
  bool const alone = self.size() == 1;
  if (!alone && detail::uniform(self, send_counts, recv_counts) && send_counts[0] <= self.settings().limits.elements) {
    if (send_counts[0] == 0) return;
    return link.settle(link.calls().all_to_all(send.data(), recv.data(), as_size(send_counts[0]), data_type_v<Type>,
                                               link.comm(), self.stream()),
                       "ncclAlltoAll");
  }
  exchange_plan& plan = self.plan();
  plan.set(send_counts, recv_counts);
  copy(self, recv.data() + plan.kept_at(), send.data() + plan.kept().begin, plan.kept().count);
  plan.run(detail::pairs<Calls, Type>{self, send.data(), recv.data()});
}

}  // namespace nccl
}  // namespace heddle::inline HEDDLE_ABI
