// SPDX-License-Identifier: Apache-2.0
#include "run_moe.hpp"

namespace hf {

template heddle::rows<float const> run_moe<float>(choice const&, bool, execution&, heddle::moe_weights<float> const&,
                                                  heddle::rows<float const>);

}  // namespace hf
