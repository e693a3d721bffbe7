// SPDX-License-Identifier: Apache-2.0
// A dense block on a GPU against the same block on the host: one program, another execution.
#include <doctest/doctest.h>

#include <heddle/cuda/cublas_gemm.hpp>
#include <heddle/heddle.cuh>
#include <heddle/host/execution.hpp>
#include <heddle/host/self_communicator.hpp>
#include <memory>
#include <vector>

using namespace heddle;

namespace {

using gpu = device_memory;
using block = layer<replicated_norm, packed_colwise<tp>, gated<tp>, rowwise<tp>>;

template <class T>
std::vector<T> numbers(index_t count, std::uint32_t seed) {
  std::vector<T> values;
  std::uint32_t state = seed * 2654435761U + 1;
  for (index_t i = 0; i < count; ++i) {
    state = state * 1664525U + 1013904223U;
    values.push_back(static_cast<T>(static_cast<float>(static_cast<std::int32_t>(state)) * 0x1p-32F));
  }
  return values;
}

struct sizes {
  index_t height, width, inner;
};

/// The data of one case on the host, in T.
template <class T>
struct problem {
  explicit problem(sizes of)
      : at{of},
        x{numbers<T>(of.height * of.width, 1)},
        dy{numbers<T>(of.height * of.width, 2)},
        norm{numbers<T>(of.width, 3)},
        up{numbers<T>(2 * of.inner * of.width, 4)},
        down{numbers<T>(of.width * of.inner, 5)} {}
  sizes at;
  std::vector<T> x, dy, norm, up, down;
};

/// What a step gives: the result, the gradient of the input, the gradients of the weights one behind the other.
struct outcome {
  std::vector<double> y, dx, dw;
};

/// One step on any execution; `put` brings numbers to its memory and `get` fetches them.
template <class T, class Execution, class Put, class Get>
outcome step(Execution& on, problem<T> const& of, Put const& put, Get const& get) {
  using memory = typename Execution::memory;
  auto const [height, width, inner] = of.at;
  extents<tokens, hidden> const shape{height, width};
  std::tuple const weights{
      norm_weight<T, memory>{.weight = {put(of.norm), extents<hidden>{width}}},
      linear<T, memory>{.weight = {put(of.up), {2 * inner, width}}, .full_out = 2 * inner, .full_in = width},
      linear<T, memory>{.weight = {put(of.down), {width, inner}}, .full_out = width, .full_in = inner}};
  auto const [y, saved] = forward<block>(on, weights, rows<T const, memory>{put(of.x), shape});
  auto const [dx, gradients] = backward<block>(on, weights, saved, rows<T, memory>{put(of.dy), shape});
  outcome result{get(y.data), get(dx.data), {}};
  auto const add = [&](auto const& gradient) {
    for (double const value : get(gradient)) result.dw.push_back(value);
  };
  add(std::get<0>(gradients).weight);
  add(std::get<1>(gradients).weight);
  add(std::get<2>(gradients).weight);
  return result;
}

/// Three loops.
struct plain_gemm {
  template <class X, class W, class Y>
  void multiply(rows<X> x, matrix<W> w, rows<Y> y, int) const {
    for (index_t t = 0; t < y.shape()[0]; ++t) {
      for (index_t o = 0; o < y.shape()[1]; ++o) {
        y(t, o) = 0;
        for (index_t i = 0; i < x.shape()[1]; ++i) y(t, o) += x(t, i) * w(o, i);
      }
    }
  }
  template <class X, class W, class Y>
  void multiply_transposed(rows<X> x, matrix<W> w, rows<Y> y, int) const {
    for (index_t t = 0; t < y.shape()[0]; ++t) {
      for (index_t i = 0; i < y.shape()[1]; ++i) {
        y(t, i) = 0;
        for (index_t o = 0; o < x.shape()[1]; ++o) y(t, i) += x(t, o) * w(o, i);
      }
    }
  }
  template <class Dy, class X, class Dw>
  void accumulate_outer(rows<Dy> dy, rows<X> x, matrix<Dw> dw, int) const {
    for (index_t t = 0; t < x.shape()[0]; ++t)
      for (index_t o = 0; o < dy.shape()[1]; ++o)
        for (index_t i = 0; i < x.shape()[1]; ++i) dw(o, i) += dy(t, o) * x(t, i);
  }
};

outcome on_host(problem<double> const& of) {
  host::self_communicator world;
  mesh<tp> const grid{1};
  mesh_groups<host::self_communicator, tp> groups{world, grid};
  plain_gemm gemm;
  host::workspace scratch;
  host::execution on{gemm, groups, scratch};
  auto const put = [](std::vector<double> const& values) { return const_cast<double*>(values.data()); };
  auto const get = [](auto const& view) { return std::vector<double>(view.data(), view.data() + view.count()); };
  return step(on, of, put, get);
}

template <class T>
outcome on_gpu(problem<T> const& of) {
  constexpr std::size_t bytes = std::size_t{1} << 26, bytes_here = 1 << 16;
  cuda::device const gpu_of_rank;
  cuda::device_buffer const data{bytes}, room{std::size_t{1} << 25};
  struct alignas(256) line {
    std::byte bytes[256];
  };
  auto const here = std::make_unique<line[]>(bytes_here / 256);
  cuda::workspace scratch{data.data(), bytes, here.get(), bytes_here, 0};
  cudaStream_t stream{};
  cuda::check(cudaStreamCreateWithFlags(&stream, cudaStreamNonBlocking), "cudaStreamCreateWithFlags");
  cuda::queue const queue{.stream = stream, .processors = gpu_of_rank.processors(), .rank = 0};
  cuda::cublas_gemm gemm{room.data(), room.bytes(), 0};
  cuda::self_communicator world{cuda::self_transport{queue}};
  host::self_communicator same_world;
  mesh<tp> const grid{1};
  mesh_groups<cuda::self_communicator, tp> groups{world, grid};
  mesh_groups<host::self_communicator, tp> numbers_of{same_world, grid};
  cuda::execution on{gemm, groups, numbers_of, scratch, queue};
  auto const put = [&](std::vector<T> const& values) {
    T* const there = on.template allocate<T>(static_cast<index_t>(values.size()));
    if (!values.empty())
      cuda::check(cudaMemcpy(there, values.data(), values.size() * sizeof(T), cudaMemcpyHostToDevice), "cudaMemcpy");
    return there;
  };
  auto const get = [&](auto const& view) {
    using value = std::remove_cvref_t<decltype(*view.data())>;
    std::vector<value> found(static_cast<std::size_t>(view.count()));
    cuda::check(cudaStreamSynchronize(stream), "cudaStreamSynchronize");
    if (!found.empty())
      cuda::check(cudaMemcpy(found.data(), view.data(), found.size() * sizeof(value), cudaMemcpyDeviceToHost),
                  "cudaMemcpy");
    return std::vector<double>(found.begin(), found.end());
  };
  outcome const result = step(on, of, put, get);
  static_cast<void>(cudaStreamDestroy(stream));
  return result;
}

/// The difference of two results, relative, in the L2 norm.
double apart(std::vector<double> const& got, std::vector<double> const& expected) {
  REQUIRE(got.size() == expected.size());
  double off = 0, size = 0;
  for (std::size_t i = 0; i < got.size(); ++i) {
    off += (got[i] - expected[i]) * (got[i] - expected[i]);
    size += expected[i] * expected[i];
  }
  return size == 0 ? off : kernel::square_root(off / size);
}

template <class T>
void check(sizes of, double tolerance) {
  problem<T> const here{of};
  problem<double> wide{of};
  auto const widen = [](std::vector<T> const& from, std::vector<double>& to) { to.assign(from.begin(), from.end()); };
  widen(here.x, wide.x);
  widen(here.dy, wide.dy);
  widen(here.norm, wide.norm);
  widen(here.up, wide.up);
  widen(here.down, wide.down);
  outcome const expected = on_host(wide);
  outcome const got = on_gpu(here);
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
