// SPDX-License-Identifier: Apache-2.0
// A sequence as text, for people and for golden tests:
// "fork{ | gate top_k} on_port<0>(permute<ep> all_to_all<ep>) ...". Branches stand in braces, parted by a bar.
#pragma once

#include <heddle/sequence/combinators.hpp>

namespace heddle::inline HEDDLE_ABI {

namespace detail {

/// Counts characters, or stores them where there is a buffer.
struct text_sink {
  char* out = nullptr;
  std::size_t size = 0;
  constexpr void put(char c) {
    if (out != nullptr) out[size] = c;
    ++size;
  }
  constexpr void put(std::string_view text) {
    for (std::size_t i = 0; out != nullptr && i < text.size(); ++i) out[size + i] = text[i];
    size += text.size();
  }
};

template <class... Labels>
constexpr void put_labels(text_sink& sink, type_list<Labels...>) {
  if constexpr (sizeof...(Labels) > 0) {
    bool first = true;
    sink.put('<');
    ((first ? void() : sink.put(std::string_view{", "}), first = false, sink.put(Labels::name.view())), ...);
    sink.put('>');
  }
}

template <class Operation>
struct printer {
  static constexpr void print(text_sink& sink) {
    sink.put(Operation::name.view());
    put_labels(sink, typename Operation::labels{});
  }
};
template <class... Operations>
struct printer<sequence<Operations...>> {
  static constexpr void print(text_sink& sink) {
    bool first = true;
    bool const in_order[] = {first, one<Operations>(sink, first)...};  // not a fold: clang nests those at most 256 deep
    static_cast<void>(in_order);
  }

 private:
  template <class Operation>
  static constexpr bool one(text_sink& sink, bool& first) {
    if (!first) sink.put(' ');
    first = false;
    printer<Operation>::print(sink);
    return true;
  }
};
template <class... Branches>
constexpr void put_branches(text_sink& sink, std::string_view name) {
  bool first = true;
  sink.put(name);
  sink.put('{');
  ((first ? void() : sink.put(std::string_view{" | "}), first = false, printer<Branches>::print(sink)), ...);
  sink.put('}');
}
template <class... Branches>
struct printer<fork<Branches...>> {
  static constexpr void print(text_sink& sink) { put_branches<Branches...>(sink, "fork"); }
};
template <class... Branches>
struct printer<join<Branches...>> {
  static constexpr void print(text_sink& sink) { put_branches<Branches...>(sink, "join"); }
};
template <std::size_t Port, class Branch>
struct printer<on_port<Port, Branch>> {
  static constexpr void print(text_sink& sink) {
    sink.put(std::string_view{"on_port<"});
    sink.put(static_cast<char>('0' + Port));
    sink.put(std::string_view{">("});
    printer<Branch>::print(sink);
    sink.put(')');
  }
};
template <class Branch>
struct printer<each<Branch>> {
  static constexpr void print(text_sink& sink) {
    sink.put(std::string_view{"each("});
    printer<Branch>::print(sink);
    sink.put(')');
  }
};

template <class Branch>
struct printer<recompute<Branch>> {
  static constexpr void print(text_sink& sink) { put_branches<Branch>(sink, "recompute"); }
};

template <class Branch>
struct printer<beside<Branch>> {
  static constexpr void print(text_sink& sink) { put_branches<Branch>(sink, "beside"); }
};

template <class Type>
struct description {
  static constexpr std::size_t length() {
    text_sink sink;
    printer<Type>::print(sink);
    return sink.size;
  }
  static constexpr auto text = [] {
    std::array<char, length() + 1> buffer{};
    text_sink sink{buffer.data()};
    printer<Type>::print(sink);
    return buffer;
  }();
};

}  // namespace detail

/// The text of a sequence, an operation or a combinator.
template <class Type>
[[nodiscard]] consteval std::string_view describe() {
  return {detail::description<Type>::text.data(), detail::description<Type>::text.size() - 1};
}

}  // namespace heddle::inline HEDDLE_ABI
