// expect-error: \[heddle\.sequence\.nonlinear\]
// SPDX-License-Identifier: Apache-2.0
// A bias added to a value that is still a sum would be counted once a rank.
#include <heddle/style/linear.hpp>

using namespace heddle;
using product = gemm<placement<on<tp, sharded<hidden>>>, placement<on<tp, partial>>, rowwise<tp>::weight>;
using bias = add_bias<placement<>, placement<>>;

#if defined(CONTROL)
using forward = sequence<product, all_reduce<tp>, bias>;
#else
using forward = sequence<product, bias, all_reduce<tp>>;
#endif

static_assert(forward::size == 3);
