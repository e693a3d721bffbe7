// SPDX-License-Identifier: Apache-2.0
#include "router_parts.hpp"
#include <heddle/router/drop.hpp>

namespace probe {

namespace {

using heddle::drop_by;
using heddle::expert_room;

template <class T, drop_by By, expert_room Room>
std::unique_ptr<drop_part<T>> drop_of() {
  return std::make_unique<part_of<T, sequence_style<heddle::drop<By, Room>>, gates_of<T>, gates_of<T>>>();
}
template <class T, drop_by By>
std::unique_ptr<drop_part<T>> drop_into(bool padded) {
  if (padded) return drop_of<T, By, expert_room::to_capacity>();
  return drop_of<T, By, expert_room::as_chosen>();
}

}  // namespace

template <class T>
std::unique_ptr<drop_part<T>> make_drop(config const& is) {
  if (!is.capacity_factor) return nullptr;
  if (is.drop == drop_kind::position) return drop_into<T, drop_by::position>(is.pad_to_capacity);
  return drop_into<T, drop_by::probability>(is.pad_to_capacity);
}

template std::unique_ptr<drop_part<float>> make_drop<float>(config const&);
#if !defined(PROBE_ON_GPU)
template std::unique_ptr<drop_part<double>> make_drop<double>(config const&);
#endif

}  // namespace probe
