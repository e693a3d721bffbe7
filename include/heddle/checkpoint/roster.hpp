// SPDX-License-Identifier: Apache-2.0
// Who holds which part of which tensor, known to every rank of a group, and who of several holders is the owner.
#pragma once

#include <heddle/checkpoint/header.hpp>
#include <heddle/checkpoint/shard_part.hpp>
#include <heddle/concepts/communicator.hpp>
#include <heddle/core/dtype.hpp>
#include <map>
#include <numeric>
#include <span>
#include <vector>

namespace heddle::inline HEDDLE_ABI {
namespace checkpoint {

/// What a rank holds of a tensor of `shape`: the box `part`, dense and row-major in the caller's memory.
struct shard_entry {
  std::string name;
  dtype type{};
  shape_t shape;
  box part;
  std::span<std::byte const> bytes;
};

/// The part of a tensor that `values` holds.
template <element T>
[[nodiscard]] shard_entry shard_of(std::string name, shape_t shape, box part, std::span<T const> values) {
  return {std::move(name), dtype_v<T>, std::move(shape), std::move(part), std::as_bytes(values)};
}

/// One tensor over all ranks. `parts` are distinct, none empty, each with the first rank that holds it; together they
/// are the tensor. A tensor without elements has one part, of the first rank that names it.
struct shared_tensor {
  struct owned_part {
    int rank = 0;
    box where;
  };
  dtype type{};
  shape_t shape;
  std::vector<owned_part> parts;
  std::size_t number = 0;  ///< its place among the names of all tensors, the same on every rank
};
/// All tensors that ranks of a group hold, by name.
using roster = std::map<std::string, shared_tensor>;

namespace detail {

inline void require_good(std::span<shard_entry const> entries) {
  metadata_t seen;
  for (shard_entry const& entry : entries) {
    std::string const who = "the part of tensor " + shown(entry.name);
    if (!seen.try_emplace(entry.name).second) {
      throw error(error_kind::argument, who + " is there twice on one rank",
                  "give every tensor of a rank its own name");
    }
    require_inside(who + ",", entry.part, entry.shape);
    if (repeats(entry.part)) throw error(error_kind::argument, who + " " + text_of(entry.part) + " repeats elements");
    auto const wanted = static_cast<std::uint64_t>(entry.part.count()) * size_of(entry.type);
    if (entry.bytes.size() != wanted) {
      throw error(error_kind::shape, who + " has " + std::to_string(entry.bytes.size()) + " bytes, its box asks for " +
                                         std::to_string(wanted));
    }
  }
}

/// Lines "type part\n", each followed by a name of known length.
[[nodiscard]] inline std::string lines_of(std::span<shard_entry const> entries) {
  std::string text;
  for (shard_entry const& entry : entries) {
    text.append(std::to_string(static_cast<int>(entry.type))).append(" ").append(std::to_string(entry.name.size()));
    text.append(" ").append(text_of(shard_part{entry.shape, canonical(entry.part)})).append("\n").append(entry.name);
  }
  return text;
}

/// Enters what `rank` holds; ranks come in ascending order.
inline void enter(roster& all, int rank, std::string_view text) {
  while (!text.empty()) {
    std::int64_t type = 0, length = 0;
    bool good = take_number(text, type) && take(text, ' ') && take_number(text, length) && take(text, ' ');
    std::size_t const line = text.find('\n');
    auto const part = good && line != text.npos ? parse_part(text.substr(0, line)) : std::nullopt;
    good = part && line + 1 + static_cast<std::size_t>(length) <= text.size();
    if (!good) throw error(error_kind::mismatch, "rank " + std::to_string(rank) + " says what no rank can say");
    std::string const name{text.substr(line + 1, static_cast<std::size_t>(length))};
    text.remove_prefix(line + 1 + static_cast<std::size_t>(length));
    auto const [found, fresh] = all.try_emplace(name, shared_tensor{static_cast<dtype>(type), part->shape, {}, 0});
    shared_tensor& tensor = found->second;
    if (!fresh && (tensor.type != static_cast<dtype>(type) || tensor.shape != part->shape)) {
      throw error(error_kind::mismatch,
                  "tensor " + shown(name) + " is " + std::string{name_of(tensor.type)} + " " + text_of(tensor.shape) +
                      " on one rank and " + std::string{name_of(static_cast<dtype>(type))} + " " +
                      text_of(part->shape) + " on rank " + std::to_string(rank),
                  "give the whole tensor's shape and one type on every rank");
    }
    bool const nothing = heddle::detail::product_of(tensor.shape) == 0;
    bool known = nothing ? !tensor.parts.empty() : part->where.count() == 0;
    for (auto const& own : tensor.parts) {
      if (known || !meet(own.where, part->where)) continue;
      known = own.where == part->where;
      if (known) continue;
      throw error(error_kind::argument,
                  "tensor " + shown(name) + ": " + text_of(own.where) + " of rank " + std::to_string(own.rank) +
                      " and " + text_of(part->where) + " of rank " + std::to_string(rank) + " overlap and differ",
                  "ranks hold the same part of a tensor or parts that do not meet");
    }
    if (!known) tensor.parts.push_back({rank, nothing ? box::all(tensor.shape) : part->where});
  }
}

inline void require_complete(roster const& all) {
  for (auto const& [name, tensor] : all) {
    std::int64_t held = 0;
    for (auto const& own : tensor.parts) held += own.where.count();
    std::int64_t const wanted = heddle::detail::product_of(tensor.shape);
    if (held == wanted) continue;
    throw error(error_kind::argument,
                "the ranks hold " + std::to_string(held) + " of the " + std::to_string(wanted) +
                    " elements of tensor " + shown(name),
                "every element needs a rank that holds it");
  }
}

}  // namespace detail

/// Collective: what all ranks hold together. Throws, on every rank, `argument` (a name twice on a rank, parts that
/// overlap and differ, elements that nobody holds), `shape` (a box outside its tensor, bytes that do not fit) and
/// `mismatch` (ranks that disagree about a tensor).
template <communicator Group>
[[nodiscard]] roster share_roster(Group& group, std::span<shard_entry const> entries) {
  group.agree([&] { detail::require_good(entries); });
  std::string const own = detail::lines_of(entries);
  auto const size = static_cast<std::int64_t>(own.size());
  std::vector<std::int64_t> sizes(static_cast<std::size_t>(group.size()));
  group.template all_gather<std::int64_t>(std::span<std::int64_t const>{&size, 1}, std::span{sizes});
  std::int64_t const total = std::accumulate(sizes.begin(), sizes.end(), std::int64_t{0});
  std::vector<std::uint8_t> text(static_cast<std::size_t>(total));
  group.template all_gather<std::uint8_t>({reinterpret_cast<std::uint8_t const*>(own.data()), own.size()},
                                          std::span{text}, std::span<index_t const>{sizes});
  roster all;
  std::string_view rest{reinterpret_cast<char const*>(text.data()), text.size()};
  for (int rank = 0; rank < group.size(); ++rank) {
    auto const mine = static_cast<std::size_t>(sizes[static_cast<std::size_t>(rank)]);
    detail::enter(all, rank, rest.substr(0, mine));
    rest.remove_prefix(mine);
  }
  detail::require_complete(all);
  std::size_t number = 0;
  for (auto& [name, tensor] : all) tensor.number = number++;
  return all;
}

}  // namespace checkpoint
}  // namespace heddle::inline HEDDLE_ABI
