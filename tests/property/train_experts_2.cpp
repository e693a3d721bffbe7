// SPDX-License-Identifier: Apache-2.0
// The experts of families 4 to 7.
#include "../support/train_expert_parts.hpp"

namespace train {

template std::unique_ptr<expert_part<float>> make_four_families<float, 4>(int);
template std::unique_ptr<expert_part<double>> make_four_families<double, 4>(int);
template std::unique_ptr<rows_part<float>> make_four_shared<float, 4>(int);
template std::unique_ptr<rows_part<double>> make_four_shared<double, 4>(int);

}  // namespace train
