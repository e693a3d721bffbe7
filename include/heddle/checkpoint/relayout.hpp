// SPDX-License-Identifier: Apache-2.0
// What a folder is to hold, made of what the ranks hold: tensors as they are, or a parameter in another layout.
#pragma once

#include <heddle/checkpoint/reshard.hpp>
#include <heddle/checkpoint/roster.hpp>
#include <memory>

namespace heddle::inline HEDDLE_ABI {
namespace checkpoint {

/// A parameter that the folder stores in other tensors than the ranks: both layouts describe the same index space, with
/// whole tensors; the names in `from` are those of the ranks' entries.
struct relayout {
  std::vector<stored_tensor> from;
  std::vector<stored_tensor> to;
};

namespace detail {

/// One tensor of the folder, and what the ranks hold of its parameter.
struct gathered_tensor {
  stored_tensor whole;
  dtype type{};
  std::shared_ptr<std::vector<stored_tensor> const> parts;  ///< what `holders` point to
  std::vector<holding> holders;                             ///< tensor: its number in the roster
};

/// The holders of a parameter that the ranks have in the tensors `from`.
[[nodiscard]] inline gathered_tensor holders_of(std::span<stored_tensor const> from, roster const& all) {
  gathered_tensor result;
  auto parts = std::make_shared<std::vector<stored_tensor>>();
  bool first = true;
  for (stored_tensor const& each : from) {
    auto const found = all.find(each.name);
    if (found == all.end() || found->second.shape != each.shape) {
      throw error(
          error_kind::shape,
          "no rank holds a tensor " + shown(each.name) + " of shape " + text_of(each.shape) + ", which a layout names",
          "name the entries as the layout does");
    }
    shared_tensor const& shared = found->second;
    if (!first && shared.type != result.type) {
      throw error(error_kind::argument, "tensor " + shown(each.name) + " is " + std::string{name_of(shared.type)} +
                                            ", others of its parameter are " + std::string{name_of(result.type)});
    }
    result.type = shared.type;
    first = false;
    for (auto const& part : shared.parts) {
      parts->push_back(part_of(each, part.where));
      result.holders.push_back({part.rank, shared.number, nullptr});
    }
  }
  for (std::size_t i = 0; i < parts->size(); ++i) result.holders[i].where = &(*parts)[i];
  result.parts = std::move(parts);
  return result;
}

/// Every tensor of the folder, by name. Throws argument where two have one name.
[[nodiscard]] inline std::map<std::string, gathered_tensor> gathered(roster const& all,
                                                                     std::span<relayout const> changes) {
  std::map<std::string, gathered_tensor> result;
  metadata_t changed;
  auto const enter = [&](gathered_tensor tensor, stored_tensor const& whole) {
    tensor.whole = whole;
    if (result.try_emplace(whole.name, std::move(tensor)).second) return;
    throw error(error_kind::argument, "two tensors of the folder are called " + shown(whole.name));
  };
  for (relayout const& change : changes) {
    gathered_tensor const parameter = holders_of(change.from, all);
    for (stored_tensor const& whole : change.to) enter(parameter, whole);
    for (stored_tensor const& each : change.from) changed.try_emplace(each.name);
  }
  for (auto const& [name, shared] : all) {
    if (changed.contains(name)) continue;
    stored_tensor const whole = whole_tensor(name, shared.shape);
    enter(holders_of(std::span{&whole, 1}, all), whole);
  }
  return result;
}

}  // namespace detail
}  // namespace checkpoint
}  // namespace heddle::inline HEDDLE_ABI
