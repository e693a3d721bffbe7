// expect-error: parallel_style<Styles>|does not satisfy 'parallel_style'
// SPDX-License-Identifier: Apache-2.0
// A layer is made of styles.
#include <heddle/layer/layer.hpp>

using namespace heddle;

#if defined(CONTROL)
using tried = layer<colwise<tp>, rowwise<tp>>;
#else
using tried = layer<colwise<tp>, all_reduce<tp>>;
#endif

using checked = tried::backward;
