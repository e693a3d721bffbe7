// SPDX-License-Identifier: Apache-2.0
#include "make_transport.hpp"
#include <heddle/dispatcher/direct.hpp>

namespace probe {

using dispatcher = heddle::direct_dispatcher<>;

template <class T>
std::unique_ptr<transport<T>> make_direct(place_kind at) {
  return transport_of<T, dispatcher>(at);
}

template std::unique_ptr<transport<float>> make_direct<float>(place_kind);
#if !defined(PROBE_ON_GPU)
template std::unique_ptr<transport<double>> make_direct<double>(place_kind);
#endif

}  // namespace probe
