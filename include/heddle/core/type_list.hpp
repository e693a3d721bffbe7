// SPDX-License-Identifier: Apache-2.0
// The whole vocabulary of lists of types: a list, its concatenation, and where an element is.
#pragma once

#include <concepts>
#include <cstddef>
#include <heddle/core/config.hpp>

namespace heddle::inline HEDDLE_ABI {

/// Types in a row, of which nothing is instantiated.
template <class... Types>
struct type_list {
  static constexpr std::size_t size = sizeof...(Types);
};

template <class... Lists>
struct concat;
template <template <class...> class List, class... A>
struct concat<List<A...>> {
  using type = List<A...>;
};
template <template <class...> class List, class... A, class... B, class... Rest>
struct concat<List<A...>, List<B...>, Rest...> : concat<List<A..., B...>, Rest...> {};
// Eight at a step, so that a hundred lists are a dozen instantiations deep.
template <template <class...> class List, class... A, class... B, class... C, class... D, class... E, class... F,
          class... G, class... H, class... Rest>
struct concat<List<A...>, List<B...>, List<C...>, List<D...>, List<E...>, List<F...>, List<G...>, List<H...>, Rest...>
    : concat<List<A..., B..., C..., D..., E..., F..., G..., H...>, Rest...> {};
/// The lists joined in order. All lists are of one template.
template <class... Lists>
using concat_t = typename concat<Lists...>::type;

/// Whether `Type` is one of the types of `List`.
template <class Type, class List>
inline constexpr bool contains_v = false;
template <class Type, template <class...> class List, class... Types>
inline constexpr bool contains_v<Type, List<Types...>> = (std::same_as<Type, Types> || ...);

/// The position of the first `Type` in `List`, or the list's size.
template <class Type, class List>
inline constexpr std::size_t index_of_v = 0;
template <class Type, template <class...> class List, class... Types>
inline constexpr std::size_t index_of_v<Type, List<Types...>> = [] {
  std::size_t index = 0;
  static_cast<void>(((std::same_as<Type, Types> ? false : (++index, true)) && ...));
  return index;
}();

}  // namespace heddle::inline HEDDLE_ABI
