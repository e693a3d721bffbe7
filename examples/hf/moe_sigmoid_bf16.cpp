// SPDX-License-Identifier: Apache-2.0
#include "run_moe.hpp"

namespace hf {

template heddle::rows<heddle::bf16 const> run_moe<sigmoid_router, heddle::bf16>(
    choice const&, execution&, heddle::moe_weights<heddle::bf16> const&, heddle::rows<heddle::bf16 const>);
template heddle::rows<heddle::bf16 const> run_moe<normalised_sigmoid_router, heddle::bf16>(
    choice const&, execution&, heddle::moe_weights<heddle::bf16> const&, heddle::rows<heddle::bf16 const>);

}  // namespace hf
