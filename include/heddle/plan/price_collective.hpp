// SPDX-License-Identifier: Apache-2.0
// What the collectives cost: one overload an operation, as in the interpreters. An operation without one of its own has
// no price, and a bill that needs it does not compile.
#pragma once

#include <heddle/collective/all_gather_reduce_scatter.hpp>
#include <heddle/collective/copy_all_reduce.hpp>
#include <heddle/collective/regrid.hpp>
#include <heddle/collective/split_unsplit.hpp>
#include <heddle/plan/bill.hpp>

namespace heddle::inline HEDDLE_ABI {

template <class P, class G>
constexpr detail::priced_value price(copy<G>, P&, detail::priced_value x) {
  return x;
}

template <class P, class G>
constexpr detail::priced_value price(all_reduce<G>, P& p, detail::priced_value x) {
  p.template send<all_reduce<G>, G>(
      all_reduce_bytes(x.rows * x.width, x.element_size, p.template size<G>(), p.template index<G>()));
  return x;
}
template <class P, class G, class Part>
constexpr detail::priced_value price(split<G, tokens, Part>, P& p, detail::priced_value x) {
  p.template count_exchange<G>();  // whoever cuts knows all parts, and is asked no more
  x.rows = size_of_part<Part>(x.rows, p.template size<G>(), p.template index<G>());
  return x;
}
template <class P, class G, class Part>
constexpr detail::priced_value price(split<G, hidden, Part>, P& p, detail::priced_value x) {
  x.full_width = x.width;
  x.width = size_of_part<Part>(x.width, p.template size<G>(), p.template index<G>());
  p.keep(x);
  return x;
}
template <class P, class G, class Part>
constexpr detail::priced_value price(unsplit<G, hidden, Part>, P& p, detail::priced_value x) {
  p.template send<unsplit<G, hidden, Part>, G>(
      all_gather_bytes(x.rows * x.width, x.element_size, p.template size<G>()));
  x.width = x.full_width;
  p.keep(x);
  p.keep(x);
  return x;
}
template <class Operation, class G, class P>
constexpr detail::priced_value price_row_gather(P& p, detail::priced_value x) {
  p.template send<Operation, G>(all_gather_bytes(x.rows * x.width, x.element_size, p.template size<G>()) +
                                p.template count_exchange<G>());
  x.rows *= p.template size<G>();
  if (p.template size<G>() > 1) p.keep(x);
  return x;
}
template <class P, class G, class Part>
constexpr detail::priced_value price(unsplit<G, tokens, Part>, P& p, detail::priced_value x) {
  return price_row_gather<unsplit<G, tokens, Part>, G>(p, x);
}
template <class P, class G, class Part>
constexpr detail::priced_value price(all_gather<G, tokens, Part>, P& p, detail::priced_value x) {
  return price_row_gather<all_gather<G, tokens, Part>, G>(p, x);
}
template <class P, class G, class Part>
constexpr detail::priced_value price(reduce_scatter<G, tokens, Part>, P& p, detail::priced_value x) {
  using partition = std::conditional_t<std::same_as<Part, as_given>, ceil_chunk, Part>;
  p.template count_exchange<G>();
  index_t const own =
      p.back ? p.before.rows : size_of_part<partition>(x.rows, p.template size<G>(), p.template index<G>());
  p.template send<reduce_scatter<G, tokens, Part>, G>(
      reduce_scatter_bytes(x.rows * x.width, own * x.width, x.element_size));
  x.rows = own;
  if (p.template size<G>() > 1) p.keep(x);
  return x;
}
template <class P, class D, class E, class T>
constexpr detail::priced_value price(regrid<D, E, T>, P& p, detail::priced_value x) {
  if constexpr (std::same_as<T, replicated>) {
    p.outer_rows = x.rows;
    return price(split<tp, tokens>{}, p, x);
  }
  return x;
}
template <class P, class D, class E, class T>
constexpr detail::priced_value price(regrid_back<D, E, T>, P& p, detail::priced_value x) {
  if constexpr (std::same_as<T, replicated>) {
    p.template send<unsplit<tp, tokens>, tp>(all_gather_bytes(x.rows * x.width, x.element_size, p.template size<tp>()));
    x.rows = p.outer_rows;
    if (p.template size<tp>() > 1) p.keep(x);
  }
  return x;
}

}  // namespace heddle::inline HEDDLE_ABI
