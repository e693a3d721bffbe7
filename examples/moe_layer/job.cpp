// SPDX-License-Identifier: Apache-2.0
#include "job.hpp"

#include <heddle/core/error.hpp>

namespace probe {

template <class T>
answer<T> run_layer(communicator&, problem<T> const&, choice const& chosen) {
  throw heddle::error(heddle::error_kind::unsupported,
                      std::string{"--dispatcher "} + dispatcher_names[static_cast<std::size_t>(chosen.dispatcher)] +
                          " cannot be run yet");
}

template answer<float> run_layer<float>(communicator&, problem<float> const&, choice const&);
template answer<double> run_layer<double>(communicator&, problem<double> const&, choice const&);

}  // namespace probe
