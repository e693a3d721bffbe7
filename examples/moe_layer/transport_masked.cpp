// SPDX-License-Identifier: Apache-2.0
#include "make_transport.hpp"
#include <heddle/dispatcher/masked.hpp>

namespace probe {

using dispatcher = heddle::masked<ep, etp, heddle::sharded<heddle::tokens, heddle::as_given>>;

template <class T>
std::unique_ptr<transport<T>> make_masked(place_kind at) {
  return transport_of<T, dispatcher>(at);
}

template std::unique_ptr<transport<float>> make_masked<float>(place_kind);
#if !defined(PROBE_ON_GPU)
template std::unique_ptr<transport<double>> make_masked<double>(place_kind);
#endif

}  // namespace probe
