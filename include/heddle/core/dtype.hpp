// SPDX-License-Identifier: Apache-2.0
// Element types: their names in files, their sizes, and what arithmetic may be done in them.
#pragma once

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <heddle/core/small_float.hpp>
#include <string_view>

namespace heddle::inline HEDDLE_ABI {

/// The element types a tensor may have.
enum class dtype : std::uint8_t { f64, f32, f16, bf16, f8_e4m3, f8_e5m2, i64, i32, u8, boolean };

template <class Type>
struct dtype_of;
template <>
struct dtype_of<double> {
  static constexpr dtype value = dtype::f64;
};
template <>
struct dtype_of<float> {
  static constexpr dtype value = dtype::f32;
};
template <>
struct dtype_of<f16> {
  static constexpr dtype value = dtype::f16;
};
template <>
struct dtype_of<bf16> {
  static constexpr dtype value = dtype::bf16;
};
template <>
struct dtype_of<f8_e4m3> {
  static constexpr dtype value = dtype::f8_e4m3;
};
template <>
struct dtype_of<f8_e5m2> {
  static constexpr dtype value = dtype::f8_e5m2;
};
template <>
struct dtype_of<std::int64_t> {
  static constexpr dtype value = dtype::i64;
};
template <>
struct dtype_of<std::int32_t> {
  static constexpr dtype value = dtype::i32;
};
template <>
struct dtype_of<std::uint8_t> {
  static constexpr dtype value = dtype::u8;
};
template <>
struct dtype_of<bool> {
  static constexpr dtype value = dtype::boolean;
};
/// The `dtype` of a C++ type that is an `element`.
template <class Type>
inline constexpr dtype dtype_v = dtype_of<Type>::value;

/// A type a tensor can hold.
template <class Type>
concept element = requires {
  dtype_of<Type>::value;
};

/// A floating type a layer can compute with; sums run in `accumulator_t`.
template <class Type>
concept real =
    std::same_as<Type, float> || std::same_as<Type, double> || std::same_as<Type, bf16> || std::same_as<Type, f16>;

/// The type in which sums over `Type` run; see `accumulator_t`.
template <class Type>
struct accumulator {
  using type = Type;
};
template <>
struct accumulator<bf16> {
  using type = float;
};
template <>
struct accumulator<f16> {
  using type = float;
};
/// fp32 for the narrow floats, the type itself otherwise.
template <class Type>
using accumulator_t = typename accumulator<Type>::type;

/// Bytes of one element.
[[nodiscard]] constexpr std::size_t size_of(dtype type) {
  switch (type) {
    case dtype::f64:
    case dtype::i64: return 8;
    case dtype::f32:
    case dtype::i32: return 4;
    case dtype::f16:
    case dtype::bf16: return 2;
    case dtype::f8_e4m3:
    case dtype::f8_e5m2:
    case dtype::u8:
    case dtype::boolean: return 1;
  }
  return 0;
}

/// The name safetensors files use.
[[nodiscard]] constexpr std::string_view name_of(dtype type) {
  switch (type) {
    case dtype::f64: return "F64";
    case dtype::f32: return "F32";
    case dtype::f16: return "F16";
    case dtype::bf16: return "BF16";
    case dtype::f8_e4m3: return "F8_E4M3";
    case dtype::f8_e5m2: return "F8_E5M2";
    case dtype::i64: return "I64";
    case dtype::i32: return "I32";
    case dtype::u8: return "U8";
    case dtype::boolean: return "BOOL";
  }
  return "?";
}

}  // namespace heddle::inline HEDDLE_ABI
