// expect-error: \[heddle\.sequence\.nonlinear\]
// SPDX-License-Identifier: Apache-2.0
// Summands that nobody summed cannot pass an activation that is not linear.
#include <heddle/layer/layer.hpp>

using namespace heddle;

struct summands {
  static constexpr fixed_string name = "summands";
  using weight = rowwise<tp>::weight;
  using bias = placement<>;
  using forward = sequence<gemm<placement<on<tp, sharded<hidden>>>, placement<on<tp, partial>>, weight>>;
  using backward = conjugate_t<forward>;
};
struct plain_glu {
  static constexpr fixed_string name = "glu";
  using weight = placement<>;
  using bias = placement<>;
  using forward = sequence<glu<silu>>;
  using backward = conjugate_t<forward>;
};

#if defined(CONTROL)
using down = rowwise<tp>;
#else
using down = summands;
#endif

static_assert(layer<down, plain_glu>::forward::size > 0);
