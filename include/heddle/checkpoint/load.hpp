// SPDX-License-Identifier: Apache-2.0
// Loads what a rank owns under any mesh and in any layout from a checkpoint saved under any other.
#pragma once

#include <heddle/checkpoint/open_parts.hpp>
#include <heddle/checkpoint/read.hpp>
#include <heddle/checkpoint/reshard.hpp>
#include <memory>
#include <tuple>

namespace heddle::inline HEDDLE_ABI {
namespace checkpoint {
namespace detail {

/// Reads one region, run by run in the order of the file. What is not dense on both sides goes through `buffer`.
template <class From, class T>
void read_region(archive const& from, tensor_info const& tensor, region const& move, std::span<T> out,
                 std::span<T> buffer, std::vector<std::byte>& staging) {
  move.for_each_run([&](index_t source, index_t target, region::axis const& line) {
    auto const at = [&](index_t offset) { return out.data() + offset; };
    if (line.from_step == 1 && line.to_step == 1) {
      return read_run<From>(from, tensor, source, std::span{at(target), static_cast<std::size_t>(line.size)}, staging);
    }
    // Gaps in the file are read over where they are short; where they are long, each element is a read of its own.
    index_t const room = static_cast<index_t>(buffer.size());
    index_t const step = line.from_step <= room / 16 ? line.from_step : 0;
    index_t const at_once = step == 0 ? 1 : (room - 1) / step + 1;
    for (index_t done = 0; done < line.size; done += at_once) {
      index_t const count = std::min(at_once, line.size - done);
      auto const some = buffer.first(static_cast<std::size_t>((count - 1) * step + 1));
      read_run<From>(from, tensor, source + done * line.from_step, some, staging);
      copy_line<T>(some.data(), step == 0 ? 1 : step, at(target + done * line.to_step), line.to_step, count);
    }
  });
}

/// The files' parts of the tensors of a layout, as holders: rank is the file, tensor the number in `infos`.
struct file_holdings {
  std::vector<stored_tensor> tensors;
  std::vector<tensor_info const*> infos;
  std::vector<holding> holders;

  file_holdings(part_archive const& from, std::span<stored_tensor const> layout) {
    std::vector<int> files;
    for (stored_tensor const& whole : layout) {
      parted_tensor const& found = from.at(whole.name);
      if (found.shape != whole.shape) {
        throw error(error_kind::shape,
                    "tensor " + shown(whole.name) + " has the shape " + text_of(found.shape) + ", its layout says " +
                        text_of(whole.shape),
                    "check the sizes of the layout against the checkpoint");
      }
      for (stored_part const& part : found.parts) {
        tensors.push_back(part_of(whole, part.where));
        infos.push_back(part.stored);
        files.push_back(static_cast<int>(part.file));
      }
    }
    for (std::size_t i = 0; i < tensors.size(); ++i) holders.push_back({files[i], i, &tensors[i]});
  }
};

}  // namespace detail

/// Fills `out`, a dense tensor of target.shape, with what `target` holds of a parameter that lies in the tensors
/// `layout` of the checkpoint (whole ones: it may have them in parts). Only bytes of these elements are read, and gaps
/// of up to 4,096 elements between them; the files' types convert as `read` says. Throws format (missing_tensor,
/// short_read, bad_bool), shape (a tensor of another shape than its layout says, a part that no tensor holds),
/// unsupported (no such conversion), workspace (`out` too small), io.
template <element T>
void load(part_archive const& from, std::span<stored_tensor const> layout, stored_tensor const& target,
          std::span<T> out) {
  if (out.size() < static_cast<std::size_t>(target.count())) {
    throw error(error_kind::workspace, "tensor " + shown(target.name) + " " + detail::text_of(target.shape) +
                                           " needs " +
                                           std::to_string(static_cast<std::size_t>(target.count()) * sizeof(T)) +
                                           " bytes, there are " + std::to_string(out.size_bytes()));
  }
  detail::file_holdings const files{from, layout};
  holding const wanted{0, 0, &target};
  std::vector<copy_step> plan = reshard(files.holders, std::span{&wanted, 1});
  for (copy_step const& step : plan) {
    tensor_info const& tensor = *files.infos[step.from_tensor];
    if (!detail::reads<T>(tensor)) throw detail::cannot_read(tensor, dtype_v<T>);
  }
  std::sort(plan.begin(), plan.end(), [](copy_step const& a, copy_step const& b) {
    return std::tie(a.from_rank, a.from_tensor, a.move.from) < std::tie(b.from_rank, b.from_tensor, b.move.from);
  });
  constexpr std::size_t room = (std::size_t{1} << 16U);
  std::unique_ptr<T[]> const buffer{new T[room]};
  std::vector<std::byte> staging;
  for (copy_step const& step : plan) {
    tensor_info const& tensor = *files.infos[step.from_tensor];
    detail::with_type(*readable(tensor.type), [&]<class From>(std::type_identity<From>) {
      if constexpr (detail::reads_as<From, T>()) {
        detail::read_region<From>(from.file(static_cast<std::size_t>(step.from_rank)), tensor, step.move, out,
                                  std::span{buffer.get(), room}, staging);
      }
    });
  }
}

/// Loads the box `part` of a parameter that is the tensor `name` of the checkpoint.
template <element T>
void load(part_archive const& from, std::string const& name, box const& part, std::span<T> out) {
  stored_tensor const whole = whole_tensor(name, from.at(name).shape);
  load(from, std::span{&whole, 1}, part_of(whole, part), out);
}

}  // namespace checkpoint
}  // namespace heddle::inline HEDDLE_ABI
