// SPDX-License-Identifier: Apache-2.0
// The kernels that run in a dry step: those that write whole numbers, which decide how many rows go where.
#pragma once

#include <heddle/core/dtype.hpp>
#include <heddle/kernel/assign.hpp>
#include <heddle/kernel/capacity.hpp>
#include <heddle/kernel/columns.hpp>
#include <heddle/kernel/count_choices.hpp>
#include <heddle/kernel/expert_choice.hpp>
#include <heddle/kernel/identity_experts.hpp>
#include <heddle/kernel/mask_experts.hpp>
#include <heddle/kernel/pad_order.hpp>
#include <heddle/kernel/pad_rows.hpp>
#include <heddle/kernel/permute.hpp>
#include <heddle/kernel/ranks_of.hpp>
#include <heddle/kernel/repeat_choices.hpp>
#include <heddle/kernel/route.hpp>
#include <heddle/kernel/sinkhorn.hpp>

namespace heddle::inline HEDDLE_ABI {
namespace host {

// dry_part(kernel, zeros): what a dry step launches instead of a kernel. Kernels without an overload are not launched.
// A kernel that touches other data too finds zeros there: zeros.template make<T>(count) is memory for that.

/// Stands where experts are chosen by logits.
struct no_choice {
  void operator()(serial_team const&, index_t) const {
    throw error(error_kind::unsupported, "a dry step has no logits to choose experts by",
                "give it choices, in inputs.recorded, or let them be dealt");
  }
};
template <class Rule, class Real, class Memory, class Weight>
no_choice dry_part(kernel::route<Rule, Real, Memory, Weight> const&, auto const&) {
  return {};
}
template <class Score, class Real, class Memory>
no_choice dry_part(kernel::scores_of_rows<Score, Real, Memory> const&, auto const&) {
  return {};
}
template <class Real, class Memory>
no_choice dry_part(kernel::sinkhorn_columns<Real, Memory> const&, auto const&) {
  return {};
}

template <class Memory>
auto dry_part(kernel::deal_recorded<Memory> const& whole, auto const&) {
  return whole;
}
template <class Memory>
auto dry_part(kernel::deal_round_robin<Memory> const& whole, auto const&) {
  return whole;
}
template <class Memory>
auto dry_part(kernel::deal_randomly<Memory> const& whole, auto const&) {
  return whole;
}
template <class Memory>
auto dry_part(kernel::count_choices<Memory> const& whole, auto const&) {
  return whole;
}
template <class Memory>
auto dry_part(kernel::ranks_of<Memory> const& whole, auto const&) {
  return whole;
}
template <class Memory>
auto dry_part(kernel::pad_order<Memory> const& whole, auto const&) {
  return whole;
}
template <class Memory>
auto dry_part(kernel::map_groups<Memory> const& whole, auto const&) {
  return whole;
}
template <std::integral T, class Memory>
auto dry_part(kernel::permute<T, Memory> const& whole, auto const&) {
  return whole;
}
template <std::integral T, class Memory>
auto dry_part(kernel::copy_columns<T, Memory> const& whole, auto const&) {
  return whole;
}

template <class Memory, class Weight>
auto dry_part(kernel::mask_experts<Memory, Weight> whole, auto const& zeros) {
  Weight* const weights = zeros.template make<Weight>(whole.weights.count());
  whole.weights = {weights, whole.weights.shape()};
  whole.masked_weights = {weights, whole.masked_weights.shape()};
  return whole;
}
template <class Memory, class Weight>
auto dry_part(kernel::repeat_choices<Memory, Weight> whole, auto const& zeros) {
  Weight* const weights = zeros.template make<Weight>(whole.wide_weights.count());
  whole.weights = {weights, whole.weights.shape()};
  whole.wide_weights = {weights, whole.wide_weights.shape()};
  return whole;
}
/// All weights are equal: how many choices of an expert are dropped does not depend on them.
template <kernel::drop_by By, class Memory, class Weight>
auto dry_part(kernel::drop<By, Memory, Weight> whole, auto const& zeros) {
  whole.weights = {zeros.template make<Weight>(whole.weights.count()), whole.weights.shape()};
  return whole;
}
template <class T, class Memory, class Weight>
auto dry_part(kernel::identity_experts<T, Memory, Weight> whole, auto const& zeros) {
  using no_columns = extents<tokens, hidden>;
  whole.weights = {zeros.template make<Weight>(whole.weights.count()), whole.weights.shape()};
  whole.x = {whole.x.data(), no_columns{whole.x.template size<tokens>(), 0}};
  whole.y = {whole.y.data(), no_columns{whole.y.template size<tokens>(), 0}};
  return whole;
}

}  // namespace host
}  // namespace heddle::inline HEDDLE_ABI
