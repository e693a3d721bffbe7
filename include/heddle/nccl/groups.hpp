// SPDX-License-Identifier: Apache-2.0
// The rooted calls of a plan in NCCL's groups, and sizes as NCCL counts them.
#pragma once

#include <heddle/nccl/membership.hpp>

namespace heddle::inline HEDDLE_ABI {
namespace nccl {

[[nodiscard]] inline std::size_t as_size(index_t count) { return static_cast<std::size_t>(count); }

namespace detail {

/// The rooted calls of `for_each_part`, in NCCL's groups: `call(root, stretch)` makes one.
template <class Calls, class Call>
struct rooted {
  connection<Calls>& link;
  char const* name;
  Call call;
  void begin() { link.open_group(); }
  void part(int root, stretch piece) { link.note(call(root, piece), name); }
  void end() { link.close_group(); }
};
template <class Calls, class Call>
rooted(connection<Calls>&, char const*, Call) -> rooted<Calls, Call>;

}  // namespace detail

}  // namespace nccl
}  // namespace heddle::inline HEDDLE_ABI
