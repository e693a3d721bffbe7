// SPDX-License-Identifier: Apache-2.0
// What the operations that work row by row do at run time: norms, embeddings, parts of rows.
#pragma once

#include <heddle/compute/columns.hpp>
#include <heddle/compute/embedding.hpp>
#include <heddle/compute/norm.hpp>
#include <heddle/compute/parameter.hpp>
#include <heddle/compute/spread.hpp>
#include <heddle/kernel/embedding.hpp>
#include <heddle/kernel/rms_norm.hpp>
#include <heddle/kernel/scale.hpp>
#include <heddle/layer/bundle.hpp>
#include <heddle/layer/run_collective.hpp>

namespace heddle::inline HEDDLE_ABI {

// -- normalise | normalise_grad

template <class At, class Parameter, class Role, class Frame, class Element, class Memory>
auto run(normalise<At, Parameter, Role>, Frame& frame, activation<Element, Memory> x) {
  using value = std::remove_const_t<Element>;
  auto const& parameter = frame.template parameter<Role>();
  index_t const width = x.data.template size<hidden>();
  if (parameter.weight.count() == 0 || width % parameter.weight.count() != 0)
    detail::check_width("a norm weight", parameter.weight.count(), width);
  auto y = frame.template scratch_rows<value>(x.data.template size<tokens>(), width);
  frame.launch(
      kernel::rms_norm<value, Memory>{.x = x.data, .weight = parameter.weight, .y = y, .epsilon = parameter.epsilon},
      x.data.template size<tokens>());
  return activation<value, Memory>{y, x.full_hidden};
}

template <class At, class Parameter, class Role, class Frame, class X, class Element, class Memory>
auto run(normalise_grad<At, Parameter, Role>, Frame& frame, kept<activation<X, Memory>> const& saved,
         activation<Element, Memory> dy) {
  using value = std::remove_const_t<Element>;
  auto const& parameter = frame.template parameter<Role>();
  auto const x = std::get<0>(saved.values).data;
  detail::check_width("the gradient of a norm", dy.data.template size<hidden>(), x.template size<hidden>());
  rows<value, Memory> const dx = detail::place_for(frame, dy);
  frame.launch(
      kernel::rms_norm_grad<value, Memory>{
          .x = x, .weight = parameter.weight, .dy = dy.data, .dx = dx, .epsilon = parameter.epsilon},
      dx.template size<tokens>());
  return activation<value, Memory>{dx, dy.full_hidden};
}
template <class At, class Parameter, class Role, class Gradients>
auto gradient_of(normalise<At, Parameter, Role>, Gradients const& gradients) {
  return Role::of(gradients).weight;
}
template <class At, class Parameter, class Role, class Frame, class X, class Element, class Memory>
void accumulate(normalise<At, Parameter, Role>, Frame& frame, kept<activation<X, Memory>> const& saved,
                activation<Element, Memory> dy) {
  using value = std::remove_const_t<Element>;
  auto const& parameter = frame.template parameter<Role>();
  auto const x = std::get<0>(saved.values).data;
  index_t const height = x.template size<tokens>();
  index_t const heads = x.template size<hidden>() / parameter.weight.count();
  auto scales = frame.template scratch_rows<accumulator_t<value>>(height, heads);
  frame.launch(kernel::rms_norm_scale<value, Memory>{.x = x, .scales = scales, .epsilon = parameter.epsilon}, height);
  kernel::rms_norm_weight_grad<value, Memory> const sum{
      .x = x, .dy = dy.data, .scales = scales, .gradient = frame.template gradient<Role>().weight};
  frame.launch(sum, sum.blocks());
}

// -- embed | embed_grad

namespace detail {

/// The first id of the rows that a rank has of a table.
template <class Group, class Axis, class Partition, class Frame>
[[nodiscard]] index_t first_id(Frame& frame) {
  if constexpr (std::same_as<Axis, vocab>) {
    auto& group = frame.template communicator<Group>();
    return Partition::piece(frame.template parameter<whole>().full_vocab, group.size(), group.rank()).begin;
  } else {
    return 0;
  }
}

}  // namespace detail

template <class From, class To, class Group, class Axis, class Partition, class Frame, class Memory>
auto run(embed<From, To, placement<on<Group, sharded<Axis, Partition>>>>, Frame& frame, token_ids<Memory> ids) {
  auto const& table = frame.template parameter<whole>();
  using value = typename std::remove_cvref_t<decltype(table)>::element_type;
  using cut = placement<on<Group, sharded<Axis, Partition>>>;
  detail::check_part<vocab, cut>(frame, table.weight.template size<out_features>(), table.full_vocab);
  detail::check_part<hidden, cut>(frame, table.weight.template size<in_features>(), table.full_hidden);
  index_t const height = ids.data.count();
  index_t const first = detail::first_id<Group, Axis, Partition>(frame);
  auto y = frame.template scratch_rows<value>(height, table.weight.template size<in_features>());
  frame.launch(kernel::embedding<value, Memory>{.ids = ids.data, .table = table.weight, .first = first, .y = y},
               height);
  return activation<value, Memory>{y, table.full_hidden};
}

/// Ids have no gradient: the way back ends here, and the weight pass meets what came.
template <class From, class To, class Parameter, class Frame, class Memory, class Element>
auto run(embed_grad<From, To, Parameter>, Frame&, kept<token_ids<Memory>> const&, activation<Element, Memory>) {
  return no_gradient{};
}
template <class From, class To, class Parameter, class Gradients>
auto gradient_of(embed<From, To, Parameter>, Gradients const& gradients) {
  return gradients.weight;
}
/// The first row of the rank's part of the table: the weight pass has no group to ask.
template <class From, class To, class Group, class Axis, class Partition, class Frame>
index_t put_by(embed<From, To, placement<on<Group, sharded<Axis, Partition>>>>, Frame& frame) {
  return detail::first_id<Group, Axis, Partition>(frame);
}
template <class From, class To, class Parameter, class Frame, class Memory, class Element>
void accumulate(embed<From, To, Parameter>, Frame& frame, kept<token_ids<Memory>> const& saved,
                activation<Element, Memory> dy, index_t first) {
  kernel::embedding_grad<std::remove_const_t<Element>, Memory> const sum{
      .ids = std::get<0>(saved.values).data,
      .dy = dy.data,
      .first = first,
      .gradient = frame.template gradient<whole>().weight};
  frame.launch(sum, sum.blocks());
}

// -- spread, its own conjugate

template <class Group, class Frame, class Element, class Memory>
auto run(spread<Group>, Frame& frame, activation<Element, Memory> x) {
  using value = std::remove_const_t<Element>;
  auto y = frame.template scratch_rows<value>(x.data.template size<tokens>(), x.data.template size<hidden>());
  auto const share =
      accumulator_t<value>{1} / static_cast<accumulator_t<value>>(frame.template communicator<Group>().size());
  frame.launch(kernel::scale<value, Memory>{.x = x.data, .factor = share, .y = y}, x.data.template size<tokens>());
  return activation<value, Memory>{y, x.full_hidden};
}

// -- slice | concat_columns

template <class At, class Frame, class Element, class Memory>
auto run(slice<At>, Frame& frame, activation<Element, Memory> x) {
  using value = std::remove_const_t<Element>;
  index_t const height = x.data.template size<tokens>();
  index_t const first = frame.weights().first_width;
  index_t const second = x.data.template size<hidden>() - first;
  if (first < 0 || second < 0)
    detail::check_width("the first part of a sliced projection", first, x.data.template size<hidden>());
  auto a = frame.template scratch_rows<value>(height, first);
  auto b = frame.template scratch_rows<value>(height, second);
  detail::copy_columns<value>(frame, x.data, 0, a, 0, first);
  detail::copy_columns<value>(frame, x.data, first, b, 0, second);
  return std::pair{activation<value, Memory>{a, first}, activation<value, Memory>{b, second}};
}

template <class At, class Frame, class A, class B, class Memory>
auto run(concat_columns<At>, Frame& frame, activation<A, Memory> a, activation<B, Memory> b) {
  using value = std::remove_const_t<A>;
  index_t const first = a.data.template size<hidden>();
  index_t const second = b.data.template size<hidden>();
  auto y = frame.template scratch_rows<value>(a.data.template size<tokens>(), first + second);
  detail::copy_columns<value>(frame, a.data, 0, y, 0, first);
  detail::copy_columns<value>(frame, b.data, 0, y, first, second);
  return activation<value, Memory>{y, a.full_hidden + b.full_hidden};
}

}  // namespace heddle::inline HEDDLE_ABI
