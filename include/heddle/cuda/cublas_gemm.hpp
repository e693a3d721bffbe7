// SPDX-License-Identifier: Apache-2.0
// Matrix multiplication by cuBLAS, for dense layers. No umbrella includes this header: who does links CUDA::cublas.
#pragma once

#include <cublas_v2.h>

#include <heddle/cuda/product.hpp>
#include <heddle/cuda/queue.hpp>
#include <heddle/tensor/view.hpp>
#include <type_traits>

namespace heddle::inline HEDDLE_ABI {
namespace cuda {

/// Throws what a status of cuBLAS means; `call` names what was asked of it.
inline void check(cublasStatus_t status, char const* call, int rank = -1,
                  source_place where = source_place::current()) {
  if (status == CUBLAS_STATUS_SUCCESS) return;
  bool const wanting = status == CUBLAS_STATUS_NOT_SUPPORTED || status == CUBLAS_STATUS_ARCH_MISMATCH;
  error_kind const kind = status == CUBLAS_STATUS_ALLOC_FAILED    ? error_kind::workspace
                          : wanting                               ? error_kind::unsupported
                          : status == CUBLAS_STATUS_INVALID_VALUE ? error_kind::argument
                                                                  : error_kind::device;
  throw error(kind, std::string{call}.append(": ").append(cublasGetStatusString(status)),
              kind == error_kind::workspace ? "free memory of the GPU" : "see the documentation of that call in cuBLAS",
              rank, where);
}

/// What cuBLAS calls an element type.
template <class T>
inline constexpr cudaDataType_t cublas_type = CUDA_R_32F;
template <>
inline constexpr cudaDataType_t cublas_type<double> = CUDA_R_64F;
template <>
inline constexpr cudaDataType_t cublas_type<bf16> = CUDA_R_16BF;
template <>
inline constexpr cudaDataType_t cublas_type<f16> = CUDA_R_16F;

/// Multiplies for `cuda::execution`. Sums run in f32 (f64 for f64) without TF32 and round once. Both operands have one
/// element type; a result has theirs or `accumulator_t` of it. The same call on the same GPU has the same bits, but a
/// row's bits may depend on the number of rows. One object serves one rank's thread.
class cublas_gemm {
 public:
  static constexpr bool row_invariant = false;

  /// On the current GPU. `workspace` of `bytes` is the caller's, aligned to 256 bytes, and outlives the object: with it
  /// cuBLAS allocates nothing in a step; NVIDIA advises 32 MiB on Hopper. Throws as `check` does.
  explicit cublas_gemm(void* workspace = nullptr, std::size_t bytes = 0, int rank = -1)
      : workspace_{workspace}, bytes_{bytes} {
    check(cublasCreate(&handle_), "cublasCreate", rank);
    // By default parts of a long sum may be added in the type of the result: that is to round more than once.
    auto const status = cublasSetMathMode(handle_, CUBLAS_MATH_DISALLOW_REDUCED_PRECISION_REDUCTION);
    if (status != CUBLAS_STATUS_SUCCESS) static_cast<void>(cublasDestroy(handle_));
    check(status, "cublasSetMathMode", rank);
  }
  cublas_gemm(cublas_gemm const&) = delete;
  cublas_gemm& operator=(cublas_gemm const&) = delete;
  ~cublas_gemm() { static_cast<void>(cublasDestroy(handle_)); }

  /// x [T, I], w [O, I], y [T, O]: y = x w^T.
  template <class T, class Y>
  void multiply(rows<T const, device_memory> x, matrix<T const, device_memory> w, rows<Y, device_memory> y,
                queue const& on) {
    check_product("multiply", y, x, w, on.rank);
    run(forward_product(y.shape()[0], w.shape()[0], w.shape()[1]), w.data(), x.data(), y.data(), on);
  }
  /// x [T, O], w [O, I], y [T, I]: y = x w.
  template <class T, class Y>
  void multiply_transposed(rows<T const, device_memory> x, matrix<T const, device_memory> w, rows<Y, device_memory> y,
                           queue const& on) {
    check_product("multiply_transposed", x, y, w, on.rank);
    run(input_gradient_product(y.shape()[0], w.shape()[0], w.shape()[1]), w.data(), x.data(), y.data(), on);
  }
  /// dy [T, O], x [T, I], dw [O, I]: dw += dy^T x.
  template <class T, class Dw>
  void accumulate_outer(rows<T const, device_memory> dy, rows<T const, device_memory> x, matrix<Dw, device_memory> dw,
                        queue const& on) {
    check_product("accumulate_outer", dy, x, dw, on.rank);
    run(weight_gradient_product(x.shape()[0], dw.shape()[0], dw.shape()[1]), x.data(), dy.data(), dw.data(), on);
  }

 private:
  template <class T, class Y>
  void run(product const& p, T const* first, T const* second, Y* out, queue const& on) {
    static_assert(std::is_same_v<Y, T> || std::is_same_v<Y, accumulator_t<T>>,
                  "[heddle.gemm.types] cuBLAS rounds sums to the type of the operands or not at all. Fix: give it a "
                  "result of their type, or of the type that sums run in.");
    using sum = accumulator_t<T>;
    if (p.empty()) return;
    if (p.k == 0) {
      if (!p.adds) on.clear(out, static_cast<std::size_t>(p.m * p.n) * sizeof(Y));
      return;
    }
    go_on(on);
    sum const one = 1, before = p.adds ? sum{1} : sum{0};
    auto const turn = [](bool turned) { return turned ? CUBLAS_OP_T : CUBLAS_OP_N; };
    constexpr cublasComputeType_t in = std::is_same_v<sum, double> ? CUBLAS_COMPUTE_64F : CUBLAS_COMPUTE_32F;
    check(cublasGemmEx_64(handle_, turn(p.first_turned), turn(p.second_turned), p.m, p.n, p.k, &one, first,
                          cublas_type<T>, p.first_stride, second, cublas_type<T>, p.second_stride, &before, out,
                          cublas_type<Y>, p.out_stride, in, CUBLAS_GEMM_DEFAULT),
          "cublasGemmEx", on.rank);
  }
  /// A new stream forgets the workspace.
  void go_on(queue const& on) {
    if (begun_ && stream_ == on.stream) return;
    check(cublasSetStream(handle_, on.stream), "cublasSetStream", on.rank);
    if (bytes_ > 0) check(cublasSetWorkspace(handle_, workspace_, bytes_), "cublasSetWorkspace", on.rank);
    stream_ = on.stream;
    begun_ = true;
  }

  cublasHandle_t handle_ = nullptr;
  void* workspace_;
  std::size_t bytes_;
  cudaStream_t stream_ = nullptr;
  bool begun_ = false;
};

}  // namespace cuda
}  // namespace heddle::inline HEDDLE_ABI
