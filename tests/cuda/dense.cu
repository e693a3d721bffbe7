// SPDX-License-Identifier: Apache-2.0
// A dense block on a GPU against the same block on the host: one program, another execution.
#include "one_rank.cuh"

using namespace one_rank;

namespace {

using block = layer<replicated_norm, packed_colwise<tp>, gated<tp>, rowwise<tp>>;

struct sizes {
  index_t height, width, inner;
};

template <class T>
struct problem {
  sizes at;
  std::vector<T> x, dy, norm, up, down;
};

/// What a step gives: the result, the gradient of the input, the gradients of the weights one behind the other.
struct outcome {
  std::vector<double> y, dx, dw;
};

template <class T, class Rank>
outcome step(problem<T> const& of) {
  Rank rank;
  auto& on = rank.execution();
  using memory = typename std::remove_reference_t<decltype(on)>::memory;
  auto const [height, width, inner] = of.at;
  extents<tokens, hidden> const shape{height, width};
  std::tuple const weights{
      norm_weight<T, memory>{.weight = {rank.put(of.norm), extents<hidden>{width}}},
      linear<T, memory>{.weight = {rank.put(of.up), {2 * inner, width}}, .full_out = 2 * inner, .full_in = width},
      linear<T, memory>{.weight = {rank.put(of.down), {width, inner}}, .full_out = width, .full_in = inner}};
  auto const [y, saved] = forward<block>(on, weights, rows<T const, memory>{rank.put(of.x), shape});
  auto const [dx, gradients] = backward<block>(on, weights, saved, rows<T, memory>{rank.put(of.dy), shape});
  outcome result{rank.get(y.data), rank.get(dx.data), {}};
  auto const add = [&](auto const& gradient) {
    for (double const value : rank.get(gradient)) result.dw.push_back(value);
  };
  add(std::get<0>(gradients).weight);
  add(std::get<1>(gradients).weight);
  add(std::get<2>(gradients).weight);
  return result;
}

template <class T>
void check(sizes of, double tolerance) {
  problem<T> const here{of,
                        numbers<T>(of.height * of.width, 1),
                        numbers<T>(of.height * of.width, 2),
                        numbers<T>(of.width, 3),
                        numbers<T>(2 * of.inner * of.width, 4),
                        numbers<T>(of.width * of.inner, 5)};
  problem<double> const wide{
      of, widened(here.x), widened(here.dy), widened(here.norm), widened(here.up), widened(here.down)};
  outcome const expected = step<double, on_host>(wide);
  outcome const got = step<T, on_gpu>(here);
  CHECK(apart(got.y, expected.y) <= tolerance);
  CHECK(apart(got.dx, expected.dx) <= tolerance);
  CHECK(apart(got.dw, expected.dw) <= tolerance);
}

}  // namespace

TEST_CASE("dense: a block on a GPU is the block on the host in f64, forward and backward") {
  for (sizes const of : {sizes{5, 8, 12}, sizes{1, 33, 7}, sizes{64, 256, 128}, sizes{0, 8, 12}}) {
    check<float>(of, 2e-5);
    check<bf16>(of, 2e-2);
  }
}
