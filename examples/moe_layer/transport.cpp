// SPDX-License-Identifier: Apache-2.0
#include "make_transport.hpp"
#include <heddle/core/error.hpp>
#include <string>

namespace probe {

template <class T>
std::unique_ptr<transport<T>> make_transport(choice const& is) {
  switch (is.dispatcher) {
    case dispatcher_kind::masked: return make_masked<T>(is.weight_at);
    case dispatcher_kind::all_gather: return make_all_gather<T>(is.weight_at);
    case dispatcher_kind::all_to_all: return make_all_to_all<T>(is.weight_at);
    case dispatcher_kind::all_to_all_dedup:
    case dispatcher_kind::flex:
    case dispatcher_kind::direct: break;
  }
  throw heddle::error(heddle::error_kind::unsupported,
                      std::string{"--dispatcher "} + dispatcher_names[static_cast<std::size_t>(is.dispatcher)] +
                          " is not in this build",
                      "use masked, all_gather or all_to_all");
}

template std::unique_ptr<transport<float>> make_transport<float>(choice const&);
template std::unique_ptr<transport<double>> make_transport<double>(choice const&);

}  // namespace probe
