// SPDX-License-Identifier: Apache-2.0
// What losses of a router do at run time: every term sums over this rank's tokens, one message a group adds up all
// sums, and every rank concludes the same.
#pragma once

#include <heddle/layer/bundle.hpp>
#include <heddle/layer/loss_part.hpp>
#include <heddle/layer/run_collective.hpp>

namespace heddle::inline HEDDLE_ABI {

namespace detail {

/// Numbers that a term sums over the ranks; none where its coefficient is 0.
template <class Term, class Tokens, class Frame, class Logits>
index_t columns_of(Frame& frame, Logits const& logits) {
  using part = loss_part<Term>;
  return part::coefficient(frame) == 0 ? 0 : part::template columns<Tokens>(frame, logits);
}

}  // namespace detail

// -- losses | losses_grad

template <class Tokens, class... Terms, class Frame, class Real, class Memory>
auto run(losses<Tokens, Terms...>, Frame& frame, activation<Real, Memory> logits) {
  rows<std::remove_const_t<Real> const, Memory> const x = logits.data;
  detail::check_padding(frame, x.shape()[0]);
  frame.report.aux = frame.report.z = {};
  // Braces keep the order of the terms, which is the order of what ranks say to each other.
  std::array<index_t, sizeof...(Terms)> const columns{detail::columns_of<Terms, Tokens>(frame, x)...};
  index_t total = 0;
  for (index_t const count : columns) total += count;
  if (total == 0) return logits;
  auto const sums = frame.template scratch<double>(total);
  auto const each = [&](auto const& visit) {
    std::size_t term = 0, begin = 0;
    auto const one = [&](auto part) {
      auto const count = static_cast<std::size_t>(columns[term++]);
      if (count > 0) visit(part, sums.subspan(begin, count));
      begin += count;
    };
    (one(detail::loss_part<Terms>{}), ...);
  };
  each([&](auto part, std::span<double> own) { part.sum(frame, x, own); });
  detail::sum_over(frame, Tokens{}, sums);
  each([&](auto part, std::span<double> all) { part.conclude(frame, x.row_size(), all); });
  return logits;
}

template <class Tokens, class... Terms, class Frame, class X, class Real, class Memory>
auto run(losses_grad<Tokens, Terms...>, Frame& frame, kept<activation<X, Memory>> const& saved,
         activation<Real, Memory> dlogits) {
  rows<std::remove_const_t<Real> const, Memory> const logits = std::get<0>(saved.values).data;
  auto const y = detail::writable(frame, dlogits);
  auto const add = [&](auto part) {
    if (part.coefficient(frame) != 0) part.grad(frame, logits, y.data);
  };
  (add(detail::loss_part<Terms>{}), ...);
  return y;
}

}  // namespace heddle::inline HEDDLE_ABI
