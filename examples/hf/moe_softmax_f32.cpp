// SPDX-License-Identifier: Apache-2.0
#include "run_moe.hpp"

namespace hf {

template heddle::rows<float const> run_moe<softmax_router, float>(choice const&, execution&,
                                                                  heddle::moe_weights<float> const&,
                                                                  heddle::rows<float const>);
template heddle::rows<float const> run_moe<normalised_softmax_router, float>(choice const&, execution&,
                                                                             heddle::moe_weights<float> const&,
                                                                             heddle::rows<float const>);

}  // namespace hf
