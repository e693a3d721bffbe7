// expect-error: \[heddle\.gradients\.start\] the start placement contradicts what the style asks of its input\.
// SPDX-License-Identifier: Apache-2.0
#include <heddle/host/execution.hpp>
#include <heddle/layer/reduce_gradients.hpp>

using namespace heddle;

struct one_rank {
  int size() const { return 1; }
  void all_reduce(std::span<float>) {}
};
struct groups {
  template <class Group>
  one_rank& get() {
    return rank;
  }
  one_rank rank;
};

#if defined(CONTROL)
using start = placement<on<dp, sharded<tokens, as_given>>>;
#else
using start = placement<on<tp, sharded<tokens, as_given>>>;
#endif

template <class Execution>
void step(Execution& execution, linear_gradient<float> const& gradients) {
  reduce_gradients<sum, colwise<tp>, start>(execution, gradients);
}
template void step(host::execution<int, groups>&, linear_gradient<float> const&);
