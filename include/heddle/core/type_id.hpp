// SPDX-License-Identifier: Apache-2.0
// A number for a type, usable at compile time. Addresses would do, but g++ does not take their comparison for a
// constant under -fsanitize=undefined; so the number is a hash of the type's full name (FNV-1a, 64 bits).
#pragma once

#include <cstdint>
#include <heddle/core/config.hpp>

namespace heddle::inline HEDDLE_ABI {

/// The number of a type, or `none`; compare with `id_of<Type>`.
enum class type_id : std::uint64_t { none = 0 };

namespace detail {

template <class Type>
constexpr type_id hash_of_name() {
  std::uint64_t hash = 0xcbf29ce484222325U;
  for (char const* c = __PRETTY_FUNCTION__; *c != '\0'; ++c) {
    hash = (hash ^ static_cast<unsigned char>(*c)) * 0x100000001b3U;
  }
  return type_id{hash};
}

}  // namespace detail

/// Equal for one type, different for others; two lambda types of one function print alike and have one number.
template <class Type>
inline constexpr type_id id_of = detail::hash_of_name<Type>();

}  // namespace heddle::inline HEDDLE_ABI
