// SPDX-License-Identifier: Apache-2.0
// A whole layer whose parameters are shared out, style by style: each is gathered when its turn comes.
#pragma once

#include <heddle/layer/layer.hpp>
#include <heddle/style/fsdp.hpp>

namespace heddle::inline HEDDLE_ABI {

/// `layer<Styles...>` with every style that has parameters as `fsdp<Style, Group>`.
template <class Group, parallel_style... Styles>
using fsdp_layer = layer<std::conditional_t<(detail::parameterised_in<typename Styles::forward>::type::size > 0),
                                            fsdp<Styles, Group>, Styles>...>;

}  // namespace heddle::inline HEDDLE_ABI
