// expect-error: \[heddle\.extents\.axis\]
// SPDX-License-Identifier: Apache-2.0
#include <heddle/tensor/extents.hpp>

using shape = heddle::extents<heddle::tokens, heddle::fixed<heddle::hidden, 64>>;

#if defined(CONTROL)
using asked = heddle::hidden;
#else
using asked = heddle::ffn;
#endif

heddle::index_t width(shape const& sizes) { return sizes.size<asked>(); }
