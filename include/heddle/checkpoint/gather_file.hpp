// SPDX-License-Identifier: Apache-2.0
// One file of a gather: every rank sends its parts of each tensor, chunk by chunk, to the rank that writes.
#pragma once

#include <heddle/checkpoint/exchange.hpp>
#include <heddle/checkpoint/relayout.hpp>
#include <heddle/checkpoint/saved_folder.hpp>
#include <heddle/checkpoint/stream_file.hpp>
#include <optional>

namespace heddle::inline HEDDLE_ABI {
namespace checkpoint {
namespace detail {

/// Calls visit(box) for the chunks of a dense tensor, in order; each is contiguous and has at most `most` elements.
template <class Visit>
void for_each_chunk(shape_t const& shape, index_t most, Visit&& visit) {
  if (heddle::detail::product_of(shape) == 0) return;
  box chunk = box::all(shape);
  // The outermost axis whose items can be taken several at a time; those before it are taken one by one.
  std::size_t axis = 0;
  index_t inner = heddle::detail::product_of(shape);
  for (; axis < shape.size(); ++axis) {
    inner /= shape[axis];
    if (inner <= most) break;
  }
  if (axis == shape.size()) return static_cast<void>(visit(chunk));  // a scalar
  index_t const at_once = std::max<index_t>(most / inner, 1);
  index_t outer = 1;
  for (std::size_t a = 0; a < axis; ++a) outer *= shape[a];
  for (index_t i = 0; i < outer; ++i) {
    for (std::size_t a = axis, rest = static_cast<std::size_t>(i); a-- > 0;) {
      auto const size = static_cast<std::size_t>(shape[a]);
      chunk.axes[a][0] = {static_cast<index_t>(rest % size), 1};
      rest /= size;
    }
    for (index_t begin = 0; begin < shape[axis]; begin += at_once) {
      chunk.axes[axis][0] = {begin, std::min(at_once, shape[axis] - begin)};
      visit(chunk);
    }
  }
}

/// Collective: `entries` of `tensors` become the file `path`, written by rank `writer`. `own` are this rank's bytes, by
/// the numbers that the holders name.
template <communicator Group, class Steps>
void gather_file(Group& group, int writer, std::string const& path, std::vector<tensor_entry> const& entries,
                 metadata_t const& metadata, std::map<std::string, gathered_tensor> const& tensors,
                 std::span<std::span<std::uint8_t const> const> own, std::uint64_t chunk_bytes, Steps& steps) {
  bool const writes = group.rank() == writer;
  file_plan const plan = plan_file(entries, {}, shard_limits());  // the same order on every rank
  std::optional<stream_file<Steps>> target;
  group.agree([&] {
    if (writes) target.emplace(path, entries, metadata, shard_limits(), steps);
  });
  std::vector<std::uint8_t> chunk_memory;
  for (tensor_entry const* const entry : plan.order) {
    gathered_tensor const& tensor = tensors.at(entry->name);
    auto const width = static_cast<index_t>(size_of(entry->type));
    for_each_chunk(entry->shape, std::max<index_t>(static_cast<index_t>(chunk_bytes) / width, 1),
                   [&](box const& chunk) {
                     stored_tensor const wanted = part_of(tensor.whole, chunk);
                     holding const to{writer, 0, &wanted};
                     std::vector<copy_step> copies = reshard(tensor.holders, std::span{&to, 1});
                     for (copy_step& each : copies) each.move = each.move.in_bytes(width);
                     auto const bytes = static_cast<std::size_t>(wanted.count() * width);
                     if (writes && chunk_memory.size() < bytes) chunk_memory.resize(bytes);
                     std::span<std::uint8_t> const out = std::span{chunk_memory}.first(writes ? bytes : 0);
                     exchange<std::uint8_t>(group, copies, own, std::span{&out, 1});
                     group.agree([&] {
                       if (writes) target->append(std::as_bytes(out));
                     });
                   });
  }
  group.agree([&] {
    if (writes) target->commit();
  });
}

}  // namespace detail
}  // namespace checkpoint
}  // namespace heddle::inline HEDDLE_ABI
