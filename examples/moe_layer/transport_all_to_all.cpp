// SPDX-License-Identifier: Apache-2.0
#include "make_transport.hpp"
#include <heddle/dispatcher/all_to_all.hpp>

namespace probe {

using dispatcher = heddle::all_to_all_dispatcher<>;

template <class T>
std::unique_ptr<transport<T>> make_all_to_all(place_kind at) {
  return transport_of<T, dispatcher>(at);
}

template std::unique_ptr<transport<float>> make_all_to_all<float>(place_kind);
#if !defined(PROBE_ON_GPU)
template std::unique_ptr<transport<double>> make_all_to_all<double>(place_kind);
#endif

}  // namespace probe
