// SPDX-License-Identifier: Apache-2.0
// The matrix multiplication of this program, compiled once: oneDNN where the build has it, the reference where not.
#pragma once

#include <heddle/concepts/gemm.hpp>
#include <memory>
#include <string>

namespace hf {

enum class gemm_kind { reference, onednn };

/// What `--gemm` is where the user does not say.
[[nodiscard]] gemm_kind default_gemm();

class gemm {
 public:
  static constexpr bool row_invariant = true;
  template <class T>
  using rows = heddle::rows<T>;
  template <class T>
  using matrix = heddle::matrix<T const>;
  template <class T>
  using matrices = heddle::matrices<T const>;
  using bf16 = heddle::bf16;
  using counts_t = std::span<heddle::index_t const>;

  /// Throws unsupported where the build has no oneDNN.
  explicit gemm(gemm_kind kind);
  gemm(gemm&&) noexcept;
  ~gemm();

  void multiply(rows<float const> x, matrix<float> w, rows<float> y, int threads);
  void multiply(rows<bf16 const> x, matrix<bf16> w, rows<bf16> y, int threads);
  void multiply(rows<bf16 const> x, matrix<bf16> w, rows<float> y, int threads);
  void multiply_grouped(rows<float const> x, counts_t counts, matrices<float> w, rows<float> y, int threads);
  void multiply_grouped(rows<bf16 const> x, counts_t counts, matrices<bf16> w, rows<bf16> y, int threads);

 private:
  struct model;
  std::unique_ptr<model> model_;
};

static_assert(heddle::gemm_policy<gemm>);

}  // namespace hf
