// SPDX-License-Identifier: Apache-2.0
// What dispatchers cost that store rows, send tokens once a rank, or work over one group. Experts are taken to be
// chosen equally often; where a token goes once a rank, its experts to be on as many ranks as they can.
#pragma once

#include <heddle/collective/send_tokens.hpp>
#include <heddle/compute/repeat_choices.hpp>
#include <heddle/plan/price_dispatch.hpp>

namespace heddle::inline HEDDLE_ABI {

namespace detail {

/// How rows leave a rank: so many, each to `times` ranks, and from `ranks` ranks as many come as stay. `parts` copies
/// are there of each row that the experts of all ranks share. What ranks first tell each other is `counts` bytes.
struct leaving {
  index_t rows = 0, times = 1, parts = 1;
  int ranks = 1;
  index_t counts = 0;
};
template <class Operation, class ExpertParallel, class Group, class P>
constexpr priced_value price_leaving(P& p, priced_value x, leaving const& is) {
  index_t const own =
      ceil_chunk::piece(p.shape.experts, p.template size<ExpertParallel>(), p.template index<ExpertParallel>()).size;
  index_t const kept = is.rows * own / (p.shape.experts * is.parts);
  bool const first = x.full_width != 1 && !x.gates;  // weights follow their rows
  p.template send<Operation, Group>(
      (is.rows * is.times - kept) * x.width * x.element_size + (first ? p.counts(is.counts) : 0), true);
  if (first) p.sent_rows = x.rows;
  x.rows = kept * is.ranks;
  p.keep(x);
  return x;
}
/// What came from `ranks` ranks, as much from each, goes back to where `sent_rows` left.
template <class Operation, class Group, class P>
constexpr priced_value price_home(P& p, priced_value x, int ranks) {
  p.template send<Operation, Group>((x.rows - x.rows / ranks) * x.width * x.element_size, true);
  x.rows = p.sent_rows;
  p.keep(x);
  return x;
}
/// Counts that a rank stores in the tables of the others, or sends them: `told` numbers.
[[nodiscard]] constexpr index_t counts_for(index_t told, int ranks) {
  return told * static_cast<index_t>(sizeof(index_t)) * (ranks - 1);
}
/// The most ranks of a group that have experts of one token.
template <class Group, class P>
[[nodiscard]] constexpr index_t ranks_of_token(P const& p) {
  index_t const choices = p.shape.top_k;  // a name of its own: `top_k <` would begin a template's arguments
  index_t const ranks = p.template size<Group>();
  return choices < ranks ? choices : ranks;
}

}  // namespace detail

// -- copies by stores; where there is one for each rank of the tensor group, so are the bins

template <class P, class Ep, class Etp, on_overflow Overflow, class Copies, int Rows>
constexpr detail::priced_value price(direct_send<Ep, Etp, Overflow, Copies, Rows>, P& p, detail::priced_value x) {
  constexpr bool copied = std::same_as<Copies, bucketed>;
  int const inner = p.template size<Etp>();
  int const ranks = inner * p.template size<Ep>();
  auto const y = detail::price_leaving<direct_send<Ep, Etp, Overflow, Copies, Rows>, Ep, joint<Etp, Ep>>(
      p, x,
      {.rows = x.rows,
       .times = copied ? 1 : inner,
       .parts = copied ? inner : 1,
       .ranks = ranks,
       .counts = detail::counts_for(p.shape.experts * (copied ? inner : 1), ranks)});
  p.arrived_rows = y.rows;
  return detail::price_gaps<Ep>(p, y, Rows);
}
template <class P, class Ep, class Etp, on_overflow Overflow, class Copies, int Rows>
constexpr detail::priced_value price(direct_return<Ep, Etp, Overflow, Copies, Rows>, P& p, detail::priced_value x) {
  if (Rows > 1) x.rows = p.arrived_rows;
  return detail::price_home<direct_return<Ep, Etp, Overflow, Copies, Rows>, joint<Etp, Ep>>(
      p, x, p.template size<Etp>() * p.template size<Ep>());
}

// -- one group

template <class P, class Ep, class Etp>
constexpr detail::priced_value price(repeat_choices<Ep, Etp>, P& p, detail::priced_value x) {
  if (x.gates) {
    x.width *= p.template size<Etp>();
    p.keep(x);
  }
  return x;
}
template <class P, class Ep, class Etp>
constexpr detail::priced_value price(sum_choices<Ep, Etp>, P& p, detail::priced_value x) {
  if (x.gates) {
    x.width /= p.template size<Etp>();
    p.keep(x);
  }
  return x;
}
template <class P, class Etp, class Ep>
constexpr detail::priced_value price(permute<joint<Etp, Ep>>, P& p, detail::priced_value x) {
  p.copies = true;
  if (!x.gates) p.token_rows = x.rows;
  return detail::price_copies(p, x, p.ordered_rows(x.rows) * p.template size<Etp>());
}
template <class P, class Etp, class Ep>
constexpr detail::priced_value price(unpermute<joint<Etp, Ep>>, P& p, detail::priced_value x) {
  p.copies = false;
  x.rows = p.token_rows;
  p.keep(x);
  return x;
}
template <class P, class Etp, class Ep>
constexpr detail::priced_value price(all_to_all<joint<Etp, Ep>>, P& p, detail::priced_value x) {
  using group = joint<Etp, Ep>;
  index_t const inner = p.template size<Etp>();
  index_t const own = ceil_chunk::piece(p.shape.experts, p.template size<Ep>(), p.template index<Ep>()).size;
  return detail::price_leaving<all_to_all<group>, Ep, group>(
      p, x,
      {.rows = x.rows,
       .parts = inner,
       .ranks = static_cast<int>(inner) * p.template size<Ep>(),
       .counts = all_to_all_bytes(p.shape.experts * inner, own, sizeof(index_t))});
}
template <class P, class Etp, class Ep>
constexpr detail::priced_value price(all_to_all_back<joint<Etp, Ep>>, P& p, detail::priced_value x) {
  return detail::price_home<all_to_all_back<joint<Etp, Ep>>, joint<Etp, Ep>>(
      p, x, p.template size<Etp>() * p.template size<Ep>());
}

// -- tokens once a rank

template <class P, class G>
constexpr detail::priced_value price(send_tokens<G>, P& p, detail::priced_value x) {
  int const ranks = p.template size<G>();
  p.copies = true;
  p.chunks = ranks;  // what a gather over the tensor group tells of them
  return detail::price_leaving<send_tokens<G>, G, G>(
      p, x, {.rows = x.rows * detail::ranks_of_token<G>(p), .ranks = ranks, .counts = detail::counts_for(1, ranks)});
}
template <class P, class G>
constexpr detail::priced_value price(return_sums<G>, P& p, detail::priced_value x) {
  p.copies = false;
  return detail::price_home<return_sums<G>, G>(p, x, p.template size<G>());
}
template <class P, class Ep, class Etp, on_overflow Overflow>
constexpr detail::priced_value price(direct_tokens<Ep, Etp, Overflow>, P& p, detail::priced_value x) {
  int const ranks = p.template size<Etp>() * p.template size<Ep>();
  return detail::price_leaving<direct_tokens<Ep, Etp, Overflow>, Ep, joint<Etp, Ep>>(
      p, x,
      {.rows = x.rows * detail::ranks_of_token<Ep>(p),
       .times = p.template size<Etp>(),
       .ranks = ranks,
       .counts = detail::counts_for(p.template size<Ep>() + p.shape.experts, ranks)});
}
template <class P, class Ep, class Etp, on_overflow Overflow>
constexpr detail::priced_value price(direct_sums<Ep, Etp, Overflow>, P& p, detail::priced_value x) {
  return detail::price_home<direct_sums<Ep, Etp, Overflow>, joint<Etp, Ep>>(
      p, x, p.template size<Etp>() * p.template size<Ep>());
}
template <class P, class G>
constexpr detail::priced_value price(expand<G>, P& p, detail::priced_value x) {
  if (!x.gates) p.token_rows = x.rows;
  return detail::price_copies(p, x, p.copies_of(x.rows) / detail::ranks_of_token<G>(p));
}
template <class P, class G>
constexpr detail::priced_value price(collapse<G>, P& p, detail::priced_value x) {
  x.rows = p.token_rows;
  p.keep(x);
  return x;
}

}  // namespace heddle::inline HEDDLE_ABI
