// SPDX-License-Identifier: Apache-2.0
// The one execution type of this program: only dtype, dispatcher and expert remain as template parameters.
#pragma once

#include "communicator.hpp"
#include "gemm.hpp"
#include <heddle/collective/mesh_groups.hpp>
#include <heddle/host/execution.hpp>

namespace hf {

using groups_type = heddle::mesh_groups<communicator, heddle::tp, heddle::dp, heddle::etp, heddle::ep, heddle::edp>;
using execution = heddle::host::execution<gemm, groups_type>;

}  // namespace hf
