// SPDX-License-Identifier: Apache-2.0
// A choice of an expert becomes a choice of each rank of its tensor group: K ETP choices among E ETP experts, each of
// which has a part of the columns.
#pragma once

#include <heddle/sequence/operation.hpp>

namespace heddle::inline HEDDLE_ABI {

template <class ExpertParallel, class ExpertTensor>
struct repeat_choices;
template <class ExpertParallel, class ExpertTensor>
struct sum_choices;

namespace detail {
/// Tokens and their routing weights, where they are at home.
template <class ExpertParallel, class ExpertTensor>
using at_home = placement<on<ExpertParallel, sharded<tokens, as_given>>, on<ExpertTensor, sharded<tokens, as_given>>>;
}  // namespace detail

/// Routing weights [tokens, slots] to [tokens, slots * ETP], the ranks of a slot side by side; tokens stay as they are.
template <class ExpertParallel, class ExpertTensor>
struct repeat_choices : operation_base<"repeat", detail::at_home<ExpertParallel, ExpertTensor>,
                                       detail::at_home<ExpertParallel, ExpertTensor>,
                                       sum_choices<ExpertParallel, ExpertTensor>, ExpertTensor> {};

/// The gradient of a weight is the sum over its repetitions, in ascending order.
template <class ExpertParallel, class ExpertTensor>
struct sum_choices : operation_base<"sum_choices", detail::at_home<ExpertParallel, ExpertTensor>,
                                    detail::at_home<ExpertParallel, ExpertTensor>,
                                    repeat_choices<ExpertParallel, ExpertTensor>, ExpertTensor> {};

}  // namespace heddle::inline HEDDLE_ABI
