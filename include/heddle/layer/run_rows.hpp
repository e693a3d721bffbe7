// SPDX-License-Identifier: Apache-2.0
// What the operations that work row by row do at run time: norms, embeddings, activations, parts of rows.
#pragma once

#include <heddle/compute/activation.hpp>
#include <heddle/compute/columns.hpp>
#include <heddle/compute/embedding.hpp>
#include <heddle/compute/norm.hpp>
#include <heddle/compute/parameter.hpp>
#include <heddle/compute/spread.hpp>
#include <heddle/kernel/embedding.hpp>
#include <heddle/kernel/glu.hpp>
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

template <class From, class To, class Group, class Axis, class Partition, class Frame, class Memory>
auto run(embed<From, To, placement<on<Group, sharded<Axis, Partition>>>>, Frame& frame, token_ids<Memory> ids) {
  auto const& table = frame.template parameter<whole>();
  using value = typename std::remove_cvref_t<decltype(table)>::element_type;
  auto& group = frame.template communicator<Group>();
  using cut = placement<on<Group, sharded<Axis, Partition>>>;
  detail::check_part<vocab, cut>(frame, table.weight.template size<out_features>(), table.full_vocab);
  detail::check_part<hidden, cut>(frame, table.weight.template size<in_features>(), table.full_hidden);
  index_t const height = ids.data.count();
  index_t first = 0;
  if constexpr (std::same_as<Axis, vocab>) first = Partition::piece(table.full_vocab, group.size(), group.rank()).begin;
  auto y = frame.template scratch_rows<value>(height, table.weight.template size<in_features>());
  frame.launch(kernel::embedding<value, Memory>{.ids = ids.data, .table = table.weight, .first = first, .y = y},
               height);
  return activation<value, Memory>{y, table.full_hidden};
}

template <class Activation>
struct kernel_of;
template <>
struct kernel_of<silu> {
  using type = kernel::silu;
};

template <class Activation, class From, class To, class Frame, class Element, class Memory>
auto run(glu<Activation, From, To>, Frame& frame, activation<Element, Memory> x) {
  using value = std::remove_const_t<Element>;
  index_t const width = x.data.template size<hidden>();
  if (width % 2 != 0) detail::check_width("the input of a gated activation", width, width + 1);
  auto y = frame.template scratch_rows<value>(x.data.template size<tokens>(), width / 2);
  frame.launch(kernel::glu<typename kernel_of<Activation>::type, value, Memory>{.gate_up = x.data, .y = y},
               x.data.template size<tokens>());
  return activation<value, Memory>{y, x.full_hidden / 2};
}

template <class Group, class Frame, class Element, class Memory>
auto run(spread<Group>, Frame& frame, activation<Element, Memory> x) {
  using value = std::remove_const_t<Element>;
  auto y = frame.template scratch_rows<value>(x.data.template size<tokens>(), x.data.template size<hidden>());
  auto const share =
      accumulator_t<value>{1} / static_cast<accumulator_t<value>>(frame.template communicator<Group>().size());
  frame.launch(kernel::scale<value, Memory>{.x = x.data, .factor = share, .y = y}, x.data.template size<tokens>());
  return activation<value, Memory>{y, x.full_hidden};
}

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

}  // namespace heddle::inline HEDDLE_ABI
