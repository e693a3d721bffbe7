// SPDX-License-Identifier: Apache-2.0
// The element types a safetensors file can declare. All are known, so that sizes are always checked; ten can be read.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <heddle/core/dtype.hpp>
#include <optional>
#include <string_view>

namespace heddle::inline HEDDLE_ABI {
namespace checkpoint {

/// Every dtype of the format, in the order of `dtype_facts`.
enum class stored_dtype : std::uint8_t {
  boolean,
  f4,
  f6_e2m3,
  f6_e3m2,
  u8,
  i8,
  f8_e5m2,
  f8_e4m3,
  f8_e8m0,
  f8_e4m3fnuz,
  f8_e5m2fnuz,
  i16,
  u16,
  f16,
  bf16,
  i32,
  u32,
  f32,
  c64,
  f64,
  i64,
  u64
};

/// What is known about one dtype of the format.
struct dtype_fact {
  std::string_view name;      ///< as the file spells it
  std::uint64_t bits;         ///< of one element
  std::optional<dtype> type;  ///< the library's type, where it can read this one
};

/// All dtypes of the format; `fact_of` finds an entry.
inline constexpr std::array<dtype_fact, 22> dtype_facts{{
    {"BOOL", 8, dtype::boolean},
    {"F4", 4, {}},
    {"F6_E2M3", 6, {}},
    {"F6_E3M2", 6, {}},
    {"U8", 8, dtype::u8},
    {"I8", 8, {}},
    {"F8_E5M2", 8, dtype::f8_e5m2},
    {"F8_E4M3", 8, dtype::f8_e4m3},
    {"F8_E8M0", 8, {}},
    {"F8_E4M3FNUZ", 8, {}},
    {"F8_E5M2FNUZ", 8, {}},
    {"I16", 16, {}},
    {"U16", 16, {}},
    {"F16", 16, dtype::f16},
    {"BF16", 16, dtype::bf16},
    {"I32", 32, dtype::i32},
    {"U32", 32, {}},
    {"F32", 32, dtype::f32},
    {"C64", 64, {}},
    {"F64", 64, dtype::f64},
    {"I64", 64, dtype::i64},
    {"U64", 64, {}},
}};

/// The entry of a dtype.
[[nodiscard]] constexpr dtype_fact const& fact_of(stored_dtype type) {
  return dtype_facts[static_cast<std::size_t>(type)];
}
/// The name as the file spells it.
[[nodiscard]] constexpr std::string_view name_of(stored_dtype type) { return fact_of(type).name; }
/// Bits of one element.
[[nodiscard]] constexpr std::uint64_t bits_of(stored_dtype type) { return fact_of(type).bits; }
/// The type the library computes with, or nothing for a type it can only skip.
[[nodiscard]] constexpr std::optional<dtype> readable(stored_dtype type) { return fact_of(type).type; }

/// The type of this name; names are spelled in capitals.
[[nodiscard]] constexpr std::optional<stored_dtype> stored_dtype_named(std::string_view name) {
  for (std::size_t i = 0; i < dtype_facts.size(); ++i) {
    if (dtype_facts[i].name == name) return static_cast<stored_dtype>(i);
  }
  return {};
}

}  // namespace checkpoint
}  // namespace heddle::inline HEDDLE_ABI
