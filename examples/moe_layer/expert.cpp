// SPDX-License-Identifier: Apache-2.0
#include "make_expert.hpp"
#include <heddle/core/error.hpp>
#include <string>

namespace probe {

namespace {

[[noreturn]] void refuse(std::string const& what, std::string const& hint) {
  throw heddle::error(heddle::error_kind::unsupported, what + " is not in this build", hint);
}

}  // namespace

template <class T>
std::unique_ptr<expert<T>> make_expert(config const& is, choice const& chosen) {
  if (is.activation != activation_kind::swiglu || is.glu_layout != layout_kind::halves)
    refuse(std::string{"config.activation "} + name_of(is.activation) + " in this layout", "use swiglu and halves");
  switch (chosen.expert) {
    case expert_kind::sequential: return expert_for<T, heddle::glu_expert<heddle::sequential>>(chosen);
    case expert_kind::grouped: return expert_for<T, heddle::glu_expert<heddle::grouped>>(chosen);
    case expert_kind::aligned: break;
  }
  refuse("--expert aligned", "use sequential or grouped");
}

template std::unique_ptr<expert<float>> make_expert<float>(config const&, choice const&);
template std::unique_ptr<expert<double>> make_expert<double>(config const&, choice const&);

}  // namespace probe
