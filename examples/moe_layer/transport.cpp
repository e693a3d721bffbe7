// SPDX-License-Identifier: Apache-2.0
#include "make_transport.hpp"

namespace probe {

template <class T>
std::unique_ptr<transport<T>> make_transport(choice const& is) {
  switch (is.dispatcher) {
    case dispatcher_kind::masked: return make_masked<T>(is.weight_at);
    case dispatcher_kind::all_gather: return make_all_gather<T>(is.weight_at);
    case dispatcher_kind::all_to_all: break;
    case dispatcher_kind::all_to_all_dedup: return make_dedup<T>(is.weight_at);
    case dispatcher_kind::flex: return make_flex<T>(is.weight_at);
    case dispatcher_kind::direct: return make_direct<T>(is.weight_at);
  }
  return make_all_to_all<T>(is.weight_at);
}

template std::unique_ptr<transport<float>> make_transport<float>(choice const&);
#if !defined(PROBE_ON_GPU)
template std::unique_ptr<transport<double>> make_transport<double>(choice const&);
#endif

}  // namespace probe
