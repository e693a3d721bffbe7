// SPDX-License-Identifier: Apache-2.0
// What dispatch and combine cost. Experts are taken to be chosen equally often.
#pragma once

#include <heddle/collective/all_to_all.hpp>
#include <heddle/compute/permute.hpp>
#include <heddle/core/spans.hpp>
#include <heddle/plan/bill.hpp>

namespace heddle::inline HEDDLE_ABI {

namespace detail {

/// What an operation takes that neither sends nor multiplies and gives as many rows as it gets: nothing, as it works in
/// place; new rows; or new weights, one a row.
enum class row_price { other, none, rows, weights };
template <class Operation>
inline constexpr row_price price_of_rows = row_price::other;
template <class... A>
inline constexpr row_price price_of_rows<sort_chunks<A...>> = row_price::rows;
template <class... A>
inline constexpr row_price price_of_rows<unsort_chunks<A...>> = row_price::rows;

/// Copies in row order: a gate becomes one weight a row.
template <class P>
constexpr priced_value price_copies(P& p, priced_value x, index_t rows) {
  x.rows = rows;
  if (x.gates) x = {.rows = rows, .width = 1, .full_width = 1, .element_size = sum_size(p.shape.element_size)};
  p.keep(x);
  return x;
}

/// Rows with gaps that fill those of each of the rank's experts up to a multiple of `multiple`.
template <class Group, class P>
constexpr priced_value price_gaps(P& p, priced_value x, index_t multiple) {
  index_t const own = ceil_chunk::piece(p.shape.experts, p.template size<Group>(), p.template index<Group>()).size;
  if (own == 0) return x;
  index_t const each = (x.rows + own - 1) / own;
  index_t const filled = own * rounded_up(each, multiple);
  if (multiple == 1 || x.rows == 0) return x;
  p.keep({.rows = filled - x.rows, .width = x.width, .element_size = x.element_size});
  x.rows = filled;
  return x;
}

}  // namespace detail

template <class Operation, class P>
  requires(detail::price_of_rows<Operation> != detail::row_price::other)
constexpr detail::priced_value price(Operation, P& p, detail::priced_value x) {
  constexpr auto takes = detail::price_of_rows<Operation>;
  if (takes == detail::row_price::rows) p.keep(x);
  if (takes == detail::row_price::weights)
    p.keep({.rows = x.rows, .width = 1, .element_size = detail::sum_size(p.shape.element_size)});
  return x;
}

template <class P, class G>
constexpr detail::priced_value price(permute<G>, P& p, detail::priced_value x) {
  p.copies = true;
  if (!x.gates) p.token_rows = x.rows;
  return detail::price_copies(p, x, p.ordered_rows(x.rows));
}
template <class P, class G>
constexpr detail::priced_value price(unpermute<G>, P& p, detail::priced_value x) {
  p.copies = false;
  x.rows = p.token_rows;
  p.keep(x);
  return x;
}
/// `kept` of the rows stay on the rank, which has `arrived` rows afterwards.
template <class Operation, class G, class P>
constexpr detail::priced_value price_exchange(P& p, detail::priced_value x, index_t kept, index_t arrived,
                                              index_t counts) {
  p.template send<Operation, G>(all_to_all_bytes(x.rows * x.width, kept * x.width, x.element_size) + counts, true);
  x.rows = arrived;
  p.keep(x);
  return x;
}
template <class P, class G>
constexpr detail::priced_value price(all_to_all<G>, P& p, detail::priced_value x) {
  index_t const own = ceil_chunk::piece(p.shape.experts, p.template size<G>(), p.template index<G>()).size;
  index_t const kept = x.rows * own / p.shape.experts;
  index_t const arrived = kept * p.template size<G>();  // every rank sends as many: a rank with more experts gets more
  if (x.full_width == 1) return price_exchange<all_to_all<G>, G>(p, x, kept, arrived, 0);  // weights follow their rows
  p.chunks = p.template size<G>() * own;
  p.sent_rows = x.rows;
  index_t const counts = p.counts(all_to_all_bytes(p.shape.experts, own, sizeof(index_t)));
  return price_exchange<all_to_all<G>, G>(p, x, kept, arrived, counts);
}
template <class P, class G>
constexpr detail::priced_value price(all_to_all_back<G>, P& p, detail::priced_value x) {
  return price_exchange<all_to_all_back<G>, G>(p, x, x.rows / p.template size<G>(), p.sent_rows, 0);
}
template <class P, class G>
constexpr detail::priced_value price(select_local<G>, P& p, detail::priced_value x) {
  p.copies = true;
  p.token_rows = x.rows;
  index_t const own = ceil_chunk::piece(p.shape.experts, p.template size<G>(), p.template index<G>()).size;
  return detail::price_copies(p, x, p.copies_of(x.rows) * own / p.shape.experts);
}

template <class P, class G>
constexpr detail::priced_value price(unselect_local<G>, P& p, detail::priced_value x) {
  p.copies = false;
  x.rows = p.token_rows;
  p.keep(x);
  return x;
}
template <class P, class G, int Rows>
constexpr detail::priced_value price(align_chunks<G, Rows>, P& p, detail::priced_value x) {
  p.arrived_rows = x.rows;
  p.keep(x);
  return detail::price_gaps<G>(p, x, Rows);
}
template <class P, class G, int Rows>
constexpr detail::priced_value price(unalign_chunks<G, Rows>, P& p, detail::priced_value x) {
  x.rows = p.arrived_rows;
  p.keep(x);
  return x;
}

}  // namespace heddle::inline HEDDLE_ABI
