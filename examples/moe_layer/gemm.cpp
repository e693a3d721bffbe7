// SPDX-License-Identifier: Apache-2.0
#include "gemm.hpp"

#if defined(HEDDLE_WITH_ONEDNN)
#include <heddle/host/onednn_gemm.hpp>
#else
#include <heddle/host/reference_gemm.hpp>
#endif

namespace probe {

struct gemm::model {
#if defined(HEDDLE_WITH_ONEDNN)
  heddle::host::onednn_gemm<> is;
#else
  heddle::host::reference_gemm is;
#endif
};

gemm::gemm() : model_{std::make_unique<model>()} {}
gemm::gemm(gemm&&) noexcept = default;
gemm::~gemm() = default;

template <heddle::host::weight_rows Make, class T>
void gemm::product(T const* x, std::span<index_t const> counts, T const* w, index_t k, index_t n, T* y, int threads) {
  model_->is.product<Make>(x, counts, w, k, n, y, threads);
}
template <class T>
void gemm::outer(T const* dy, std::span<index_t const> counts, T const* x, index_t out, index_t in, T* dw,
                 int threads) {
  model_->is.outer(dy, counts, x, out, in, dw, threads);
}

using heddle::host::weight_rows;
using counts_t = std::span<index_t const>;
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

}  // namespace probe
