// SPDX-License-Identifier: Apache-2.0
// The experts of families 12 to 15.
#include "../support/train_expert_parts.hpp"

namespace train {

template std::unique_ptr<expert_part<float>> make_four_families<float, 12>(int);
template std::unique_ptr<expert_part<double>> make_four_families<double, 12>(int);
template std::unique_ptr<rows_part<float>> make_four_shared<float, 12>(int);
template std::unique_ptr<rows_part<double>> make_four_shared<double, 12>(int);

}  // namespace train
