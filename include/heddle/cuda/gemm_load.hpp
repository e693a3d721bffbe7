// SPDX-License-Identifier: Apache-2.0
// One thread's share of bringing an operand's tile from global into shared memory: whole chunks without a register in
// between where the memory is aligned to them, element by element where it is not. What lies outside is zero.
#pragma once

#include <cstddef>
#include <cstdint>
#include <heddle/core/small_float.hpp>
#include <heddle/cuda/gemm_layout.hpp>
#include <heddle/tensor/extents.hpp>

namespace heddle::inline HEDDLE_ABI {
namespace cuda {

/// What moves through registers at once, whatever the elements are.
struct [[gnu::may_alias]] alignas(chunk_bytes) chunk_value {
  std::uint32_t words[4] = {};
};

/// Whether every line of `stride` elements from `data` on begins at a whole chunk.
template <class T>
[[nodiscard]] HEDDLE_HOST_DEVICE bool has_whole_chunks(T const* data, index_t stride) {
  return reinterpret_cast<std::uintptr_t>(data) % chunk_bytes == 0 &&
         stride * static_cast<index_t>(sizeof(T)) % chunk_bytes == 0;
}

/// `valid` elements from `from` on and zeros behind them, as one chunk at `to`.
template <class Block, class T>
HEDDLE_HOST_DEVICE void load_chunk(Block const& block, std::byte* to, T const* from, index_t valid, bool whole) {
  constexpr int count = chunk_bytes / static_cast<int>(sizeof(T));
  if (valid <= 0) {
    block.store_chunk(to, chunk_value{});
  } else if (whole) {
    block.copy_async(to, from);  // lines of whole chunks end with one
  } else {
    struct {
      T of[count];
    } elements{};
    for (int i = 0; i < count; ++i)
      if (i < valid) elements.of[i] = from[i];
    block.store_chunk(to, detail::bit_cast<chunk_value>(elements));
  }
}

/// How the chunks of an operand are dealt to the threads: neighbours take neighbouring chunks of a line.
template <class Operand, int Threads>
struct loader_shape {
  static constexpr int lines_at_once = Threads / Operand::chunks;
  static constexpr int passes = (Operand::line_count + lines_at_once - 1) / lines_at_once;
  static_assert(Threads % Operand::chunks == 0,
                "[heddle.gemm.tile] a line has more chunks than the block threads. Fix: use a smaller tile.");
};

template <class Operand, int Threads, lines Lines = Operand::order>
class tile_loader;

/// Lines along the inner dimension: the lines stay, and each step takes what follows in them.
template <class Operand, int Threads>
class tile_loader<Operand, Threads, lines::along_depth> {
 public:
  using element = typename Operand::element;

  /// begin(line) is where a row or column of the tile begins, nullptr where there is none; each has `depth` elements.
  template <class Begin>
  HEDDLE_HOST_DEVICE tile_loader(int thread, Begin begin, index_t depth, bool whole)
      : line_{thread / Operand::chunks}, chunk_{thread % Operand::chunks}, depth_{depth}, whole_{whole} {
    for (int pass = 0; pass < shape::passes; ++pass) {
      int const line = line_ + pass * shape::lines_at_once;
      from_[pass] = nullptr;
      if (line < Operand::line_count) from_[pass] = begin(line);
    }
  }

  /// The stage that begins at inner index `k`, at `to`.
  template <class Block>
  HEDDLE_HOST_DEVICE void load(Block const& block, std::byte* to, index_t k) const {
    index_t const first = k + chunk_ * Operand::chunk;
    for (int pass = 0; pass < shape::passes; ++pass) {
      int const line = line_ + pass * shape::lines_at_once;
      if (Operand::line_count % shape::lines_at_once != 0 && line >= Operand::line_count) return;
      element const* const from = from_[pass];
      load_chunk(block, to + Operand::at_chunk(line, chunk_), from + (from == nullptr ? 0 : first),
                 from == nullptr ? 0 : depth_ - first, whole_);
    }
  }

 private:
  using shape = loader_shape<Operand, Threads>;
  element const* from_[shape::passes];
  int line_;
  int chunk_;
  index_t depth_;
  bool whole_;
};

/// Lines across the inner dimension: each step takes other lines, from the same place in them.
template <class Operand, int Threads>
class tile_loader<Operand, Threads, lines::across_depth> {
 public:
  using element = typename Operand::element;

  /// Line k < depth lies at data + source[k] * stride, or data + k * stride without a source; a source of -1 is a line
  /// of zeros. The tile takes what follows element `first` < length of a line.
  HEDDLE_HOST_DEVICE tile_loader(int thread, element const* data, std::int32_t const* source, index_t stride,
                                 index_t first, index_t length, index_t depth, bool whole)
      : line_{thread / Operand::chunks},
        chunk_{thread % Operand::chunks},
        from_{data},
        source_{source},
        stride_{stride},
        first_{first + chunk_ * Operand::chunk},
        valid_{length - first_},
        depth_{depth},
        whole_{whole} {}

  /// The stage that begins at inner index `k`, at `to`.
  template <class Block>
  HEDDLE_HOST_DEVICE void load(Block const& block, std::byte* to, index_t k) const {
    for (int pass = 0; pass < shape::passes; ++pass) {
      int const line = line_ + pass * shape::lines_at_once;
      if (Operand::line_count % shape::lines_at_once != 0 && line >= Operand::line_count) return;
      index_t const at = k + line;
      index_t const row = at >= depth_ ? -1 : source_ == nullptr ? at : source_[at];
      bool const there = row >= 0 && valid_ > 0;
      load_chunk(block, to + Operand::at_chunk(line, chunk_), from_ + (there ? row * stride_ + first_ : 0),
                 there ? valid_ : 0, whole_);
    }
  }

 private:
  using shape = loader_shape<Operand, Threads>;
  int line_;
  int chunk_;
  element const* from_;
  std::int32_t const* source_;
  index_t stride_;
  index_t first_;
  index_t valid_;
  index_t depth_;
  bool whole_;
};

}  // namespace cuda
}  // namespace heddle::inline HEDDLE_ABI
