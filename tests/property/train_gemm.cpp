// SPDX-License-Identifier: Apache-2.0
// The two models of the products.
#include "../support/train_gemm.hpp"

#include <heddle/host/reference_gemm.hpp>
#if defined(HEDDLE_WITH_ONEDNN)
#include <heddle/host/onednn_gemm.hpp>
#endif

namespace train {

struct gemm::models {
  bool fast;
  heddle::host::reference_gemm reference{};
#if defined(HEDDLE_WITH_ONEDNN)
  heddle::host::onednn_gemm<> tiles{};
#else
  heddle::host::reference_gemm tiles{};
#endif
};

gemm::gemm(bool fast) : models_{std::make_unique<models>(models{.fast = fast})} {}
gemm::gemm(gemm&&) noexcept = default;
gemm::~gemm() = default;

using counts_t = std::span<index_t const>;
using heddle::host::weight_rows;

template <weight_rows Make, class T>
void gemm::product(T const* x, counts_t counts, T const* w, index_t k, index_t n, T* y, int threads) {
  if (models_->fast) models_->tiles.template product<Make>(x, counts, w, k, n, y, threads);
  else models_->reference.template product<Make>(x, counts, w, k, n, y, threads);
}
template <class T>
void gemm::outer(T const* dy, counts_t counts, T const* x, index_t out, index_t in, T* dw, int threads) {
  if (models_->fast) models_->tiles.outer(dy, counts, x, out, in, dw, threads);
  else models_->reference.outer(dy, counts, x, out, in, dw, threads);
}

template void gemm::product<weight_rows::make_outputs>(float const*, counts_t, float const*, index_t, index_t, float*,
                                                       int);
template void gemm::product<weight_rows::make_inputs>(float const*, counts_t, float const*, index_t, index_t, float*,
                                                      int);
template void gemm::product<weight_rows::make_outputs>(double const*, counts_t, double const*, index_t, index_t,
                                                       double*, int);
template void gemm::product<weight_rows::make_inputs>(double const*, counts_t, double const*, index_t, index_t, double*,
                                                      int);
template void gemm::outer(float const*, counts_t, float const*, index_t, index_t, float*, int);
template void gemm::outer(double const*, counts_t, double const*, index_t, index_t, double*, int);

}  // namespace train
