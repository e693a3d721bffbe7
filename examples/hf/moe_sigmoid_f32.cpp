// SPDX-License-Identifier: Apache-2.0
#include "run_moe.hpp"

namespace hf {

template heddle::rows<float const> run_moe<sigmoid_router, float>(choice const&, execution&,
                                                                  heddle::moe_weights<float> const&,
                                                                  heddle::rows<float const>);
template heddle::rows<float const> run_moe<normalised_sigmoid_router, float>(choice const&, execution&,
                                                                             heddle::moe_weights<float> const&,
                                                                             heddle::rows<float const>);

}  // namespace hf
