// SPDX-License-Identifier: Apache-2.0
#include "run_decoder.hpp"

namespace hf {

template class rank_model<float>;

}  // namespace hf
