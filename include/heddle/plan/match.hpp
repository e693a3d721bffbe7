// SPDX-License-Identifier: Apache-2.0
// How a rule's pattern meets a parameter's name. There is one wildcard, for loading and saving: a component `*` stands
// for a component of digits only, as in "layers.*.mlp".
#pragma once

#include <heddle/core/config.hpp>
#include <string_view>

namespace heddle::inline HEDDLE_ABI {

namespace detail {

[[nodiscard]] constexpr bool is_number(std::string_view text) {
  for (char c : text) {
    if (c < '0' || c > '9') return false;
  }
  return !text.empty();
}

/// Where the first component ends: at its dot, or at the end of the text. (std::string_view::find is no constant to g++
/// under -fsanitize=undefined.)
[[nodiscard]] constexpr std::size_t end_of_component(std::string_view text) {
  std::size_t dot = 0;
  while (dot < text.size() && text[dot] != '.') ++dot;
  return dot;
}

/// Takes the part up to the next dot off the front.
constexpr std::string_view take_component(std::string_view& text) {
  std::size_t const dot = end_of_component(text);
  std::string_view const component = text.substr(0, dot);
  text = dot == text.size() ? std::string_view{} : text.substr(dot + 1);
  return component;
}

}  // namespace detail

/// Whether `pattern` names `name`, component by component.
[[nodiscard]] constexpr bool matches(std::string_view pattern, std::string_view name) {
  for (;;) {
    bool const pattern_ends = detail::end_of_component(pattern) == pattern.size();
    bool const name_ends = detail::end_of_component(name) == name.size();
    std::string_view const wanted = detail::take_component(pattern);
    std::string_view const given = detail::take_component(name);
    // A `*` in the name is a model's code asking for the rule of every layer at once.
    if (wanted != given && !(wanted == "*" && detail::is_number(given))) return false;
    if (pattern_ends || name_ends) return pattern_ends && name_ends;
  }
}

/// The module of a parameter: "a.b" for "a.b.weight" and "a.b.bias", empty for any other name.
[[nodiscard]] constexpr std::string_view parent_of(std::string_view name) {
  for (std::string_view const suffix : {std::string_view{".weight"}, std::string_view{".bias"}}) {
    if (name.size() > suffix.size() && name.substr(name.size() - suffix.size()) == suffix)
      return name.substr(0, name.size() - suffix.size());
  }
  return {};
}

}  // namespace heddle::inline HEDDLE_ABI
