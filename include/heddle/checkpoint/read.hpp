// SPDX-License-Identifier: Apache-2.0
// Reads the box of a parameter that a rank owns, and no other byte, from the tensors of a checkpoint.
#pragma once

#include <algorithm>
#include <heddle/checkpoint/archive.hpp>
#include <heddle/checkpoint/convert.hpp>
#include <heddle/checkpoint/slice.hpp>
#include <vector>

namespace heddle::inline HEDDLE_ABI {
namespace checkpoint {

/// The staging memory of a conversion never exceeds this.
inline constexpr std::size_t staging_bytes = std::size_t{1} << 20U;

namespace detail {

/// Elements [from, from + out.size()) of `tensor`, converted.
template <class From, class To>
void read_run(archive const& from_archive, tensor_info const& tensor, std::int64_t from, std::span<To> out,
              std::vector<std::byte>& staging) {
  std::uint64_t offset = static_cast<std::uint64_t>(from) * sizeof(raw_t<From>);
  if constexpr (same_bytes<From, To>) {
    from_archive.read_bytes(tensor, offset, std::as_writable_bytes(out));
  } else {
    std::size_t const at_once = staging_bytes / sizeof(raw_t<From>);
    while (!out.empty()) {
      std::span<To> const some = out.first(std::min(out.size(), at_once));
      std::size_t const bytes = some.size() * sizeof(raw_t<From>);
      if (staging.size() < bytes) staging.resize(bytes);
      from_archive.read_bytes(tensor, offset, std::span{staging}.first(bytes));
      if (std::ptrdiff_t const bad = convert<From>(staging.data(), some); bad >= 0) {
        auto const place = static_cast<std::size_t>(bad);
        fail(format_code::bad_bool,
             from_archive.files()[tensor.file].path() + ": tensor " + shown(tensor.name) + " is BOOL and holds a " +
                 std::to_string(std::to_integer<int>(staging[place])) + " (byte " +
                 std::to_string(tensor.offset + offset + place) + ")",
             "read it as U8");
      }
      offset += bytes;
      out = out.subspan(some.size());
    }
  }
}

[[nodiscard]] inline error cannot_read(tensor_info const& tensor, dtype type) {
  return {error_kind::unsupported,
          "tensor " + shown(tensor.name) + " is " + std::string{name_of(tensor.type)} + ", which does not read as " +
              std::string{name_of(type)},
          "ask for its own type, or for a wider one of the same sort"};
}

/// Fills what `tensor` gives to `out`.
template <element T>
void read_slice(archive const& from, tensor_info const& tensor, slice const& cut, std::span<T> out) {
  std::vector<std::byte> staging;
  with_type(*readable(tensor.type), [&]<class From>(std::type_identity<From>) {
    if constexpr (reads_as<From, T>()) {
      cut.for_each_run([&](std::int64_t begin, std::int64_t to, std::int64_t size) {
        read_run<From>(from, tensor, begin, out.subspan(static_cast<std::size_t>(to), static_cast<std::size_t>(size)),
                       staging);
      });
    }
  });
}

template <element T>
[[nodiscard]] bool reads(tensor_info const& tensor) {
  bool possible = false;
  if (auto const type = readable(tensor.type)) {
    with_type(*type, [&]<class From>(std::type_identity<From>) { possible = reads_as<From, T>(); });
  }
  return possible;
}

}  // namespace detail

/// Fills `out` with the dense local tensor, of shape part.shape(), of a parameter whose whole shape is `global`. Every
/// source is checked (it exists, its shape fits its place); those that meet the box are read, run by run, straight into
/// place where the types are the same and through a staging buffer of at most 1 MiB where they are not.
///   floats: F64 F32 F16 BF16 F8 -> f64 f32 f16 bf16, to nearest even, through float unless T is double
///   integers and BOOL: to themselves or wider; any type to itself
/// Throws format (missing_tensor, short_read, bad_bool), shape (a tensor that does not fit its place, a part of the box
/// without a source or with two), unsupported (no such conversion), workspace (`out` too small), io. Everything but
/// short_read, bad_bool and io is found before the first byte is read.
template <element T>
void read(archive const& from, std::span<source const> sources, shape_t const& global, box const& part,
          std::span<T> out) {
  detail::require_inside("the box", part, global);
  std::int64_t const wanted = part.count();
  if (out.size() < static_cast<std::size_t>(wanted)) {
    throw error(error_kind::workspace, "the box " + detail::text_of(part) + " needs " +
                                           std::to_string(static_cast<std::size_t>(wanted) * sizeof(T)) +
                                           " bytes, there are " + std::to_string(out.size_bytes()));
  }
  struct job {
    tensor_info const* tensor;
    detail::slice cut;
  };
  std::vector<job> jobs;
  std::vector<box const*> wheres;
  std::int64_t moved = 0;
  for (source const& each : sources) {
    tensor_info const& tensor = from.at(each.tensor);
    bool plain = each.where.axes.size() == global.size();
    for (auto const& ranges : each.where.axes) plain = plain && ranges.size() == 1;
    if (!plain) {
      throw error(error_kind::shape, "the place " + detail::text_of(each.where) + " of tensor " + shown(each.tensor) +
                                         " needs one range for each of " + std::to_string(global.size()) + " axes");
    }
    detail::require_inside("the place of tensor " + shown(each.tensor) + ",", each.where, global);
    if (!detail::stands_for(tensor.shape, each.where)) {
      throw error(error_kind::shape,
                  "tensor " + shown(each.tensor) + " has the shape " + detail::text_of(tensor.shape) +
                      ", its place in the parameter is " + detail::text_of(each.where),
                  "check config.json against the weights");
    }
    detail::slice cut = detail::slice_of(each.where, part);
    std::int64_t const count = cut.count();
    if (count == 0) continue;
    if (!detail::reads<T>(tensor)) throw detail::cannot_read(tensor, dtype_v<T>);
    moved += count;
    wheres.push_back(&each.where);
    jobs.push_back({&tensor, std::move(cut)});
  }
  detail::require_tiling(std::move(wheres), moved, part);
  for (job const& each : jobs) detail::read_slice(from, *each.tensor, each.cut, out);
}

/// Reads the box `part` of a parameter that is one tensor of the checkpoint.
template <element T>
void read(archive const& from, std::string const& name, box const& part, std::span<T> out) {
  shape_t const& global = from.at(name).shape;
  source const whole{name, box::all(global)};
  read(from, std::span{&whole, 1}, global, part, out);
}

}  // namespace checkpoint
}  // namespace heddle::inline HEDDLE_ABI
