// SPDX-License-Identifier: Apache-2.0
// Layers on cuda::execution, forward and backward, where host::execution stood: they are compiled, nothing runs. A
// layer that touched its data on the host, or waited for it, would not get through here.
#include <heddle/heddle.cuh>

namespace compiled {

using namespace heddle;
using gpu = device_memory;

/// A GEMM and a group that take anything: which ones is no matter of a layer.
struct any_gemm {
  template <class... Arguments>
  void multiply(Arguments const&...) const {}
  template <class... Arguments>
  void multiply_transposed(Arguments const&...) const {}
  template <class... Arguments>
  void accumulate_outer(Arguments const&...) const {}
};
struct any_group {
  [[nodiscard]] static int rank() { return 0; }
  [[nodiscard]] static int size() { return 1; }
  template <class... Arguments>
  void all_reduce(Arguments const&...) const {}
  template <class... Arguments>
  void all_gather(Arguments const&...) const {}
  template <class... Arguments>
  void reduce_scatter(Arguments const&...) const {}
};
struct any_groups {
  template <class Group>
  any_group& get() {
    return one;
  }
  any_group one;
};
using backend = cuda::execution<any_gemm, any_groups, any_groups>;
static_assert(execution<backend>);

template <class Layer, class Weights>
index_t step(backend& on, Weights const& weights, rows<bf16 const, gpu> x, rows<bf16, gpu> dy) {
  auto const [y, saved] = forward<Layer>(on, weights, x);
  auto const [dx, gradients] = backward<Layer>(on, weights, saved, dy);
  return y.data.count() + dx.data.count();
}

using mlp = layer<packed_colwise<tp>, gated<tp>, rowwise<tp>>;
index_t gated_mlp(backend& on, linear<bf16, gpu> up, linear<bf16, gpu> down, rows<bf16 const, gpu> x,
                  rows<bf16, gpu> dy) {
  return step<mlp>(on, std::tuple{up, down}, x, dy);
}

using sequence_mlp = layer<sequence_parallel<tp>, packed_colwise<tp, two_segments, sharded<tokens>>, gated<tp>,
                           rowwise<tp, sharded<tokens>>>;
index_t sequence(backend& on, norm_weight<bf16, gpu> norm, linear<bf16, gpu> up, linear<bf16, gpu> down,
                 rows<bf16 const, gpu> x, rows<bf16, gpu> dy) {
  activation<bf16 const, gpu> const part{x, x.size<hidden>()};
  auto const [y, saved] = forward<sequence_mlp>(on, std::tuple{norm, up, down}, part);
  auto const [dx, gradients] =
      backward<sequence_mlp>(on, std::tuple{norm, up, down}, saved, activation<bf16, gpu>{dy, dy.size<hidden>()});
  return y.data.count() + dx.data.count();
}

}  // namespace compiled
