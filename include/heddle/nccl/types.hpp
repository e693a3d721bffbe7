// SPDX-License-Identifier: Apache-2.0
// What NCCL calls the element types. What is only moved goes as whole elements where NCCL knows them, else as bytes.
#pragma once

#include <nccl.h>

#include <heddle/collective/ordered_sum.hpp>
#include <heddle/core/dtype.hpp>

namespace heddle::inline HEDDLE_ABI {
namespace nccl {

/// NCCL's type for a `dtype`. The 8-bit floats and booleans, which nobody adds up, are bytes to it: NCCL refuses its
/// own 8-bit floats before compute capability 9.0, and bytes move everywhere.
[[nodiscard]] constexpr ncclDataType_t data_type(dtype type) {
  switch (type) {
    case dtype::f64: return ncclFloat64;
    case dtype::f32: return ncclFloat32;
    case dtype::f16: return ncclFloat16;
    case dtype::bf16: return ncclBfloat16;
    case dtype::i64: return ncclInt64;
    case dtype::i32: return ncclInt32;
    case dtype::f8_e4m3:
    case dtype::f8_e5m2:
    case dtype::u8:
    case dtype::boolean: return ncclUint8;
  }
  return ncclUint8;
}
/// The same for a C++ type.
template <element Type>
inline constexpr ncclDataType_t data_type_v = data_type(dtype_v<Type>);

/// Bytes of one element as NCCL counts them; 0 for a type that no element has.
[[nodiscard]] constexpr std::size_t size_of(ncclDataType_t type) {
  switch (type) {
    case ncclFloat64:
    case ncclInt64: return 8;
    case ncclFloat32:
    case ncclInt32: return 4;
    case ncclFloat16:
    case ncclBfloat16: return 2;
    case ncclUint8: return 1;
    default: return 0;
  }
}

/// A type whose sums lose digits where they run in the type itself.
template <class Type>
concept narrow = summable<Type> && !std::same_as<Type, accumulator_t<Type>>;

}  // namespace nccl
}  // namespace heddle::inline HEDDLE_ABI
