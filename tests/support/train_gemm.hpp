// SPDX-License-Identifier: Apache-2.0
// The matrix products of the training tests, compiled once: the reference, or oneDNN where the build has it.
#pragma once

#include <heddle/concepts/gemm.hpp>
#include <heddle/host/gemm_calls.hpp>
#include <memory>

namespace train {

using heddle::index_t;

/// A `gradient_gemm_policy` for float and double.
class gemm : public heddle::host::gemm_calls<gemm> {
 public:
  static constexpr bool row_invariant = true;
  /// `fast`: oneDNN in fixed tiles, if there is any.
  explicit gemm(bool fast);
  gemm(gemm&&) noexcept;
  ~gemm();

  /// What `gemm_calls` calls.
  template <heddle::host::weight_rows Make, class T>
  void product(T const* x, std::span<index_t const> counts, T const* w, index_t k, index_t n, T* y, int threads);
  template <class T>
  void outer(T const* dy, std::span<index_t const> counts, T const* x, index_t out, index_t in, T* dw, int threads);

 private:
  struct models;
  std::unique_ptr<models> models_;
};

static_assert(heddle::gradient_gemm_policy<gemm>);

}  // namespace train
