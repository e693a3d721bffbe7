// SPDX-License-Identifier: Apache-2.0
// From the bytes of a file to elements: floats round to nearest even through float, integers only widen.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <heddle/checkpoint/format_code.hpp>
#include <heddle/core/dtype.hpp>
#include <span>
#include <type_traits>

namespace heddle::inline HEDDLE_ABI {
namespace checkpoint {
namespace detail {

template <class Type>
inline constexpr bool is_narrow_float = std::is_same_v<Type, f8_e4m3> || std::is_same_v<Type, f8_e5m2>;

/// Which file types read as which: any float as a float of 16 bits or more, integers as themselves or wider, BOOL as 0
/// or 1 of any integer, everything as itself.
template <class From, class To>
[[nodiscard]] constexpr bool reads_as() {
  if (std::is_same_v<From, To>) return true;
  if (real<To>) return real<From> || is_narrow_float<From>;
  if (!std::is_integral_v<From> || !std::is_integral_v<To> || std::is_same_v<To, bool>) return false;
  return std::is_same_v<From, bool> || sizeof(From) < sizeof(To);
}

/// What a file holds in place of `Type`: no bool may be made from a byte other than 0 and 1, so it comes as a byte.
template <class Type>
using raw_t = std::conditional_t<std::is_same_v<Type, bool>, std::uint8_t, Type>;

/// True where the bytes of a file are the elements.
template <class From, class To>
inline constexpr bool same_bytes = std::is_same_v<From, To> && !std::is_same_v<To, bool>;

/// Converts `out.size()` elements; `bytes` has any alignment. Returns the index of the first BOOL byte that is neither
/// 0 nor 1, or -1. BOOL as U8 passes any byte.
template <class From, class To>
[[nodiscard]] std::ptrdiff_t convert(std::byte const* bytes, std::span<To> out) {
  for (std::size_t i = 0; i < out.size(); ++i) {
    raw_t<From> raw;
    std::memcpy(&raw, bytes + i * sizeof raw, sizeof raw);
    if constexpr (std::is_same_v<From, bool> && !std::is_same_v<To, std::uint8_t>) {
      if (raw > 1) return static_cast<std::ptrdiff_t>(i);
    }
    if constexpr (std::is_same_v<To, bool>) out[i] = raw != 0;
    else if constexpr (std::is_integral_v<To> || std::is_same_v<From, To>) out[i] = static_cast<To>(raw);
    else out[i] = static_cast<To>(static_cast<float>(raw));
  }
  return -1;
}

/// Calls visit(std::type_identity<Type>) for the type that `type` names.
template <class Visit>
void with_type(dtype type, Visit&& visit) {
  switch (type) {
    case dtype::f64: return visit(std::type_identity<double>{});
    case dtype::f32: return visit(std::type_identity<float>{});
    case dtype::f16: return visit(std::type_identity<f16>{});
    case dtype::bf16: return visit(std::type_identity<bf16>{});
    case dtype::f8_e4m3: return visit(std::type_identity<f8_e4m3>{});
    case dtype::f8_e5m2: return visit(std::type_identity<f8_e5m2>{});
    case dtype::i64: return visit(std::type_identity<std::int64_t>{});
    case dtype::i32: return visit(std::type_identity<std::int32_t>{});
    case dtype::u8: return visit(std::type_identity<std::uint8_t>{});
    case dtype::boolean: return visit(std::type_identity<bool>{});
  }
}

}  // namespace detail
}  // namespace checkpoint
}  // namespace heddle::inline HEDDLE_ABI
