// SPDX-License-Identifier: Apache-2.0
// One rank on a GPU and one on the host, for tests that run the same step on both: numbers, a plain GEMM, and all that
// an execution needs.
#pragma once

#include <doctest/doctest.h>

#include <heddle/cuda/cublas_gemm.hpp>
#include <heddle/heddle.cuh>
#include <heddle/host/execution.hpp>
#include <heddle/host/self_communicator.hpp>
#include <vector>

namespace one_rank {

using namespace heddle;

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

/// The groups of a world of one rank.
using grid = folding<mesh<tp, dp>, mesh<etp, ep, edp>>;
inline constexpr grid alone{mesh<tp, dp>{1, 1}, mesh<etp, ep, edp>{1, 1, 1}};
template <class Communicator>
using groups_of = mesh_groups<Communicator, tp, dp, etp, ep, edp>;

/// A rank on the host that computes in f64.
class on_host {
 public:
  [[nodiscard]] auto& execution() { return on_; }
  static double* put(std::vector<double> const& values) { return const_cast<double*>(values.data()); }
  template <class View>
  static std::vector<double> get(View const& view) {
    return std::vector<double>(view.data(), view.data() + view.count());
  }

 private:
  host::self_communicator world_;
  groups_of<host::self_communicator> groups_{world_, alone};
  plain_gemm gemm_;
  host::workspace scratch_;
  host::execution<plain_gemm, decltype(groups_)> on_{gemm_, groups_, scratch_};
};

/// A rank on a GPU.
class on_gpu {
 public:
  on_gpu() { cuda::check(cudaStreamSynchronize(nullptr), "cudaStreamSynchronize"); }
  on_gpu(on_gpu const&) = delete;
  on_gpu& operator=(on_gpu const&) = delete;
  ~on_gpu() { static_cast<void>(cudaStreamDestroy(queue_.stream)); }

  [[nodiscard]] auto& execution() { return on_; }
  template <class T>
  T* put(std::vector<T> const& values) {
    T* const there = on_.template allocate<T>(static_cast<index_t>(values.size()));
    if (!values.empty()) {
      cuda::check(cudaMemcpy(there, values.data(), values.size() * sizeof(T), cudaMemcpyHostToDevice), "cudaMemcpy");
      cuda::check(cudaStreamSynchronize(nullptr), "cudaStreamSynchronize");  // the copy may still be under way
    }
    return there;
  }
  template <class View>
  std::vector<double> get(View const& view) {
    std::vector<typename View::value_type> found(static_cast<std::size_t>(view.count()));
    queue_.fetch(found.data(), view.data(), found.size() * sizeof(found[0]));
    return std::vector<double>(found.begin(), found.end());
  }

 private:
  static constexpr std::size_t bytes = std::size_t{1} << 26, bytes_here = 1 << 16, room = std::size_t{1} << 25;
  static cuda::queue made() {
    cudaStream_t stream{};
    cuda::check(cudaStreamCreateWithFlags(&stream, cudaStreamNonBlocking), "cudaStreamCreateWithFlags");
    return {.stream = stream, .processors = cuda::device{}.processors(), .rank = 0};
  }

  cuda::queue queue_ = made();
  cuda::device_buffer data_{bytes}, room_{room};
  cuda::pinned_buffer here_{bytes_here};
  cuda::workspace scratch_{data_.data(), bytes, here_.data(), bytes_here, 0};
  cuda::cublas_gemm gemm_{room_.data(), room, 0};
  cuda::self_communicator world_{cuda::self_transport{queue_}};
  host::self_communicator same_world_;
  groups_of<cuda::self_communicator> groups_{world_, alone};
  groups_of<host::self_communicator> numbers_{same_world_, alone};
  cuda::execution<cuda::cublas_gemm, decltype(groups_), decltype(numbers_)> on_{gemm_, groups_, numbers_, scratch_,
                                                                                queue_};
};

/// The difference of two results, relative, in the L2 norm.
inline double apart(std::vector<double> const& got, std::vector<double> const& expected) {
  REQUIRE(got.size() == expected.size());
  double off = 0, size = 0;
  for (std::size_t i = 0; i < got.size(); ++i) {
    off += (got[i] - expected[i]) * (got[i] - expected[i]);
    size += expected[i] * expected[i];
  }
  return size == 0 ? off : kernel::square_root(off / size);
}

/// The same numbers in f64.
template <class T>
std::vector<double> widened(std::vector<T> const& from) {
  return std::vector<double>(from.begin(), from.end());
}

}  // namespace one_rank
