// SPDX-License-Identifier: Apache-2.0
#include "gemm.hpp"

#include <heddle/host/reference_gemm.hpp>
#include <variant>
#if defined(HEDDLE_WITH_ONEDNN)
#include <heddle/host/onednn_gemm.hpp>
#endif

namespace hf {

#if defined(HEDDLE_WITH_ONEDNN)
using either = std::variant<heddle::host::reference_gemm, heddle::host::onednn_gemm<>>;
#else
using either = std::variant<heddle::host::reference_gemm>;
#endif

struct gemm::model {
  either is;
};

gemm_kind default_gemm() { return std::variant_size_v<either> > 1 ? gemm_kind::onednn : gemm_kind::reference; }

gemm::gemm(gemm_kind kind) : model_{std::make_unique<model>()} {
  if (kind == gemm_kind::reference) return;
#if defined(HEDDLE_WITH_ONEDNN)
  model_->is.emplace<1>();
#else
  throw heddle::error(heddle::error_kind::unsupported, "this build has no oneDNN",
                      "install it and configure again, or use --gemm reference");
#endif
}
gemm::gemm(gemm&&) noexcept = default;
gemm::~gemm() = default;

void gemm::multiply(rows<float const> x, matrix<float> w, rows<float> y, int threads) {
  std::visit([&](auto& to) { to.multiply(x, w, y, threads); }, model_->is);
}
void gemm::multiply(rows<bf16 const> x, matrix<bf16> w, rows<bf16> y, int threads) {
  std::visit([&](auto& to) { to.multiply(x, w, y, threads); }, model_->is);
}
void gemm::multiply(rows<bf16 const> x, matrix<bf16> w, rows<float> y, int threads) {
  std::visit([&](auto& to) { to.multiply(x, w, y, threads); }, model_->is);
}
void gemm::multiply_grouped(rows<float const> x, counts_t counts, matrices<float> w, rows<float> y, int threads) {
  std::visit([&](auto& to) { to.multiply_grouped(x, counts, w, y, threads); }, model_->is);
}
void gemm::multiply_grouped(rows<bf16 const> x, counts_t counts, matrices<bf16> w, rows<bf16> y, int threads) {
  std::visit([&](auto& to) { to.multiply_grouped(x, counts, w, y, threads); }, model_->is);
}

}  // namespace hf
