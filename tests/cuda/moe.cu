// SPDX-License-Identifier: Apache-2.0
// A mixture of experts on a GPU against the same one on the host: router, dispatch, experts one after the other or in
// grouped products by counts that stay on the GPU, combine, and all of it backward.
#include "one_rank.cuh"

using namespace one_rank;

namespace {

template <class Dispatcher, class Mode, weight_at At>
using mixture =
    on_expert_grid<expert_parallel<top_k<kernel::softmax_then_top_k<true>>, Dispatcher, glu_expert<Mode>, At>>;
using by_mask = masked<ep, etp, sharded<tokens, as_given>>;

struct sizes {
  index_t height, width, inner, experts, k;
};

template <class T>
struct problem {
  sizes at;
  std::vector<T> x, dy, gate, fc1, fc2;
};

struct outcome {
  std::vector<double> y, dx, dw;
};

template <class Mixture, class T, class Rank>
outcome step(problem<T> const& of) {
  Rank rank;
  auto& on = rank.execution();
  using memory = typename std::remove_reference_t<decltype(on)>::memory;
  auto const [height, width, inner, all, k] = of.at;
  extents<tokens, hidden> const shape{height, width};
  moe_weights<T, memory> const weights{
      .gate = {.weight = {rank.put(of.gate), {all, width}}, .full_out = all, .full_in = width},
      .fc1 = {{rank.put(of.fc1), {all, 2 * inner, width}}, all, 2 * inner, width},
      .fc2 = {{rank.put(of.fc2), {all, width, inner}}, all, width, inner},
      .top_k = k};
  auto const [y, saved] = forward<Mixture>(on, weights, rows<T const, memory>{rank.put(of.x), shape});
  auto const [dx, gradients] = backward<Mixture>(on, weights, saved, rows<T, memory>{rank.put(of.dy), shape});
  outcome result{rank.get(y.data), rank.get(dx.data), {}};
  auto const add = [&](auto const& gradient) {
    for (double const value : rank.get(gradient)) result.dw.push_back(value);
  };
  add(gradients.gate.weight);
  add(gradients.fc1.weight);
  add(gradients.fc2.weight);
  return result;
}

template <class Dispatcher, class Mode, weight_at At>
void check(sizes of) {
  problem<float> const here{of,
                            numbers<float>(of.height * of.width, 1),
                            numbers<float>(of.height * of.width, 2),
                            numbers<float>(of.experts * of.width, 3),
                            numbers<float>(of.experts * 2 * of.inner * of.width, 4),
                            numbers<float>(of.experts * of.width * of.inner, 5)};
  problem<double> const wide{
      of, widened(here.x), widened(here.dy), widened(here.gate), widened(here.fc1), widened(here.fc2)};
  outcome const expected = step<mixture<Dispatcher, sequential, At>, double, on_host>(wide);
  outcome const got = step<mixture<Dispatcher, Mode, At>, float, on_gpu>(here);
  CHECK(apart(got.y, expected.y) <= 2e-5);
  CHECK(apart(got.dx, expected.dx) <= 2e-5);
  CHECK(apart(got.dw, expected.dw) <= 2e-5);
}

}  // namespace

TEST_CASE("moe: a mixture on a GPU is the mixture on the host in f64, forward and backward") {
  for (sizes const of :
       {sizes{7, 8, 6, 5, 2}, sizes{1, 16, 4, 3, 3}, sizes{300, 64, 32, 16, 4}, sizes{0, 8, 6, 5, 2}}) {
    check<all_to_all_dispatcher<>, sequential, weight_at::origin>(of);
    check<all_to_all_dispatcher<>, grouped, weight_at::origin>(of);
    check<by_mask, grouped, weight_at::origin>(of);
    check<by_mask, aligned<4>, weight_at::output>(of);
  }
}
