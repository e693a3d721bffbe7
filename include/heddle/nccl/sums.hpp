// SPDX-License-Identifier: Apache-2.0
// How the two collectives that add go to NCCL: in the type of the data, or in f32 between two casts. Every function is
// called on all ranks of a group of two or more, with checked arguments.
#pragma once

#include <heddle/nccl/groups.hpp>
#include <span>

namespace heddle::inline HEDDLE_ABI {
namespace nccl {

template <class Calls, class Type>
void all_reduce(membership<Calls>& self, std::span<Type> data) {
  auto& link = self.link();
  for_each_piece(static_cast<index_t>(data.size()), self.settings().limits.elements, [&](stretch piece) {
    Type* const at = data.data() + piece.begin;
    link.settle(link.calls().all_reduce(at, at, as_size(piece.count), data_type_v<Type>, link.comm(), self.stream()),
                "ncclAllReduce");
  });
}

/// In f32, as many elements at once as there is room for.
template <class Calls, class Type, class Cast>
void all_reduce_wide(membership<Calls>& self, std::span<Type> data, Cast const& cast) {
  auto& link = self.link();
  float* const sums = self.sums();
  for_each_piece(static_cast<index_t>(data.size()), self.sums_at_once(), [&](stretch piece) {
    cast(sums, static_cast<Type const*>(data.data() + piece.begin), piece.count);
    link.settle(link.calls().all_reduce(sums, sums, as_size(piece.count), ncclFloat32, link.comm(), self.stream()),
                "ncclAllReduce");
    cast(data.data() + piece.begin, static_cast<float const*>(sums), piece.count);
  });
}

template <class Calls, class Type>
void reduce_scatter(membership<Calls>& self, std::span<Type const> send, std::span<Type> recv,
                    std::span<index_t const> counts) {
  auto& link = self.link();
  auto& calls = link.calls();
  auto const count_of = [&](int rank) { return counts[static_cast<std::size_t>(rank)]; };
  if (one_call(self.size(), count_of, self.settings().limits)) {
    if (counts[0] == 0) return;
    return link.settle(calls.reduce_scatter(send.data(), recv.data(), as_size(counts[0]), data_type_v<Type>,
                                            link.comm(), self.stream()),
                       "ncclReduceScatter");
  }
  index_t const own = begin_of(self.rank(), count_of);
  for_each_part(self.size(), count_of, self.settings().limits,
                detail::rooted{link, "ncclReduce", [&](int root, stretch piece) {
                                 Type* const to = root == self.rank() ? recv.data() + (piece.begin - own) : nullptr;
                                 return calls.reduce(send.data() + piece.begin, to, as_size(piece.count),
                                                     data_type_v<Type>, root, link.comm(), self.stream());
                               }});
}

/// In f32, as many elements at once as there is room for.
template <class Calls, class Type, class Cast>
void reduce_scatter_wide(membership<Calls>& self, std::span<Type const> send, std::span<Type> recv,
                         std::span<index_t const> counts, Cast const& cast) {
  auto& link = self.link();
  float* const sums = self.sums();
  Type const* from = send.data();
  for (int root = 0; root < self.size(); ++root) {
    index_t const count = counts[static_cast<std::size_t>(root)];
    for_each_piece(count, self.sums_at_once(), [&](stretch piece) {
      cast(sums, from + piece.begin, piece.count);
      link.settle(link.calls().reduce(sums, sums, as_size(piece.count), ncclFloat32, root, link.comm(), self.stream()),
                  "ncclReduce");
      if (root == self.rank()) cast(recv.data() + piece.begin, static_cast<float const*>(sums), piece.count);
    });
    from += count;
  }
}

}  // namespace nccl
}  // namespace heddle::inline HEDDLE_ABI
