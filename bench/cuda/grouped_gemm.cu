// SPDX-License-Identifier: Apache-2.0
// Products grouped by expert on the tensor cores, beside cuBLAS: one dense product of as many operations, which is the
// floor, and its own grouped product, which must know the sizes of the groups on the host.
#include <cublas_v2.h>

#include <heddle/cuda/cublas_gemm.hpp>
#include <heddle/cuda/grouped_outer.cuh>
#include <memory>

#include "bench.cuh"

using namespace gpu_bench;

namespace {

/// cuBLAS with a workspace of its own.
class blas {
 public:
  explicit blas(bench const& with) : room_{std::size_t{1} << 26} {
    hd::cuda::check(cublasCreate(&handle_), "cublasCreate");
    hd::cuda::check(cublasSetStream(handle_, with.queue().stream), "cublasSetStream");
    hd::cuda::check(cublasSetWorkspace(handle_, room_.data(), room_.bytes()), "cublasSetWorkspace");
  }
  blas(blas const&) = delete;
  blas& operator=(blas const&) = delete;
  ~blas() { static_cast<void>(cublasDestroy(handle_)); }

  /// y [R, O] = x [R, I] w [O, I]^T.
  template <class T>
  void multiply(T const* x, T const* w, T* y, index_t rows, index_t out, index_t in) const {
    float const one = 1, zero = 0;
    hd::cuda::check(cublasGemmEx(handle_, CUBLAS_OP_T, CUBLAS_OP_N, static_cast<int>(out), static_cast<int>(rows),
                                 static_cast<int>(in), &one, w, hd::cuda::cublas_type<T>, static_cast<int>(in), x,
                                 hd::cuda::cublas_type<T>, static_cast<int>(in), &zero, y, hd::cuda::cublas_type<T>,
                                 static_cast<int>(out), CUBLAS_COMPUTE_32F, CUBLAS_GEMM_DEFAULT),
                    "cublasGemmEx");
  }

  /// The same for each group that has rows.
  template <class T>
  class grouped {
   public:
    grouped(T const* x, T const* w, T* y, std::vector<index_t> const& begins, index_t out, index_t in) {
      std::vector<void const*> first, second;
      std::vector<void*> results;
      for (std::size_t g = 0; g + 1 < begins.size(); ++g) {
        index_t const rows = begins[g + 1] - begins[g];
        if (rows == 0) continue;
        first.push_back(w + static_cast<index_t>(g) * out * in);
        second.push_back(x + begins[g] * in);
        results.push_back(y + begins[g] * out);
        n_.push_back(static_cast<int>(rows));
        m_.push_back(static_cast<int>(out));
        k_.push_back(static_cast<int>(in));
        each_.push_back(1);
        turned_.push_back(CUBLAS_OP_T);
        plain_.push_back(CUBLAS_OP_N);
        one_.push_back(1);
        zero_.push_back(0);
      }
      first_ = std::make_unique<array<void const*>>(first);
      second_ = std::make_unique<array<void const*>>(second);
      results_ = std::make_unique<array<void*>>(results);
    }
    void operator()(blas const& with) const {
      hd::cuda::check(cublasGemmGroupedBatchedEx(with.handle_, turned_.data(), plain_.data(), m_.data(), n_.data(),
                                                 k_.data(), one_.data(), first_->data(), hd::cuda::cublas_type<T>,
                                                 k_.data(), second_->data(), hd::cuda::cublas_type<T>, k_.data(),
                                                 zero_.data(), results_->data(), hd::cuda::cublas_type<T>, m_.data(),
                                                 static_cast<int>(n_.size()), each_.data(), CUBLAS_COMPUTE_32F),
                      "cublasGemmGroupedBatchedEx");
    }

   private:
    std::vector<int> m_, n_, k_, each_;
    std::vector<cublasOperation_t> turned_, plain_;
    std::vector<float> one_, zero_;
    std::unique_ptr<array<void const*>> first_, second_;
    std::unique_ptr<array<void*>> results_;
  };

 private:
  cublasHandle_t handle_ = nullptr;
  hd::cuda::device_buffer room_;
};

/// Some elements of a product against sums in f64: `term(i)` is the i-th of `count` terms.
template <class Term>
double sum_of(index_t count, Term const& term) {
  double sum = 0;
  for (index_t i = 0; i < count; ++i) sum += term(i);
  return sum;
}
template <class T>
double wide(T value) {
  return static_cast<double>(static_cast<float>(value));
}

template <class T>
void products(bench& with, char const* dtype, index_t tokens, index_t k, index_t experts, index_t out, index_t in) {
  index_t const rows = tokens * k;
  auto const begins = sort_pairs(draw_choices(tokens, experts, k), experts, k).begins;
  auto const x = numbers<T>(rows * in, 1), w = numbers<T>(experts * out * in, 2), dy = numbers<T>(rows * out, 3);
  array<T> const x_there{x}, w_there{w}, dy_there{dy}, y_there{rows * out}, dx_there{rows * in}, peer_there{rows * out};
  array<index_t> const begins_there{begins};
  hd::per_row<index_t const, gpu> const at_rows{begins_there.data(), hd::extents<hd::tokens>{experts + 1}};
  hd::extents<hd::tokens, hd::hidden> const narrow{rows, in}, broad{rows, out};
  hd::matrices<T const, gpu> const weights{w_there.data(), {experts, out, in}};
  hd::cuda::queue const on = with.queue();
  blas const peer{with};
  std::string const shape = "R" + std::to_string(rows) + " E" + std::to_string(experts) + " " + std::to_string(out) +
                            "x" + std::to_string(in);
  double const flops = 2.0 * static_cast<double>(rows) * static_cast<double>(out) * static_cast<double>(in);
  double const bytes = static_cast<double>(rows * in + rows * out + experts * out * in) * sizeof(T);

  double const dense =
      with.milliseconds([&] { peer.multiply(x_there.data(), w_there.data(), peer_there.data(), rows, out, in); });
  typename blas::grouped<T> const by_cublas{x_there.data(), w_there.data(), peer_there.data(), begins, out, in};
  double grouped = 0;
  try {
    grouped = with.milliseconds([&] { by_cublas(peer); });
  } catch (hd::error const&) {
    grouped = 0;  // not for this type on this GPU
  }
  double const floor = std::max(dense, bytes / with.copy_rate() * 1e3);
  std::string const beside = "dense " + figure("%.4f ms", dense) +
                             (grouped > 0 ? ", cuBLAS grouped " + figure("%.4f ms", grouped) : ", no cuBLAS grouped");
  constexpr index_t samples = 400;
  double const tolerance = sizeof(T) == 2 ? 1e-2 : 2e-5;
  auto const row_at = [&](index_t i) {
    return static_cast<index_t>(0.5F * (1 + drawn(at(i), 7)) * static_cast<float>(rows - 1));
  };
  auto const group_of = [&](index_t row) {
    return static_cast<index_t>(std::upper_bound(begins.begin(), begins.end(), row) - begins.begin()) - 1;
  };
  auto const judge = [&](auto const& found, index_t columns, auto const& due) {
    std::vector<float> got, expected;
    for (index_t i = 0; i < samples; ++i) {
      index_t const row = row_at(i), column = (i * 7919) % columns;
      got.push_back(static_cast<float>(found[at(row * columns + column)]));
      expected.push_back(static_cast<float>(due(row, column)));
    }
    return apart(got, expected) <= tolerance;
  };

  double ms = with.milliseconds([&] {
    hd::cuda::multiply_grouped(hd::rows<T const, gpu>{x_there.data(), narrow}, at_rows, weights,
                               hd::rows<T, gpu>{y_there.data(), broad}, on);
  });
  auto const y = y_there.get();
  bool right = judge(y, out, [&](index_t row, index_t column) {
    T const* const of_w = w.data() + (group_of(row) * out + column) * in;
    return sum_of(in, [&](index_t i) { return wide(x[at(row * in + i)]) * wide(of_w[i]); });
  });
  if (grouped > 0) right = right && apart(y, peer_there.get()) <= tolerance;  // every element
  with.report({.name = std::string{"grouped forward "} + dtype,
               .shape = shape,
               .ms = ms,
               .floor_ms = floor,
               .bytes = bytes,
               .flops = flops,
               .beside = beside,
               .right = right});

  ms = with.milliseconds([&] {
    hd::cuda::multiply_transposed_grouped(hd::rows<T const, gpu>{dy_there.data(), broad}, at_rows, weights,
                                          hd::rows<T, gpu>{dx_there.data(), narrow}, on);
  });
  right = judge(dx_there.get(), in, [&](index_t row, index_t column) {
    T const* const of_w = w.data() + group_of(row) * out * in + column;
    return sum_of(out, [&](index_t o) { return wide(dy[at(row * out + o)]) * wide(of_w[o * in]); });
  });
  with.report({.name = std::string{"grouped dgrad "} + dtype,
               .shape = shape,
               .ms = ms,
               .floor_ms = floor,
               .bytes = bytes,
               .flops = flops,
               .beside = "dense " + figure("%.4f ms", dense),
               .right = right});

  array<float> const dw_there{std::vector<float>(at(experts * out * in), 0.0F)};
  hd::matrices<float, gpu> const dw{dw_there.data(), {experts, out, in}};
  auto const outer = [&] {
    hd::cuda::accumulate_outer_grouped(hd::rows<T const, gpu>{dy_there.data(), broad}, at_rows,
                                       hd::rows<T const, gpu>{x_there.data(), narrow}, dw, on);
  };
  outer();
  auto const found = dw_there.get();
  std::vector<float> got, expected;
  for (index_t i = 0; i < samples; ++i) {
    index_t const g = group_of(row_at(i)), o = (i * 7919) % out, n = (i * 104729) % in;
    got.push_back(found[at((g * out + o) * in + n)]);
    expected.push_back(static_cast<float>(sum_of(begins[at(g + 1)] - begins[at(g)], [&](index_t r) {
      index_t const row = begins[at(g)] + r;
      return wide(dy[at(row * out + o)]) * wide(x[at(row * in + n)]);
    })));
  }
  right = apart(got, expected) <= 2e-5;  // operands are exact, and sums are f32
  ms = with.milliseconds(outer);
  double const wgrad_bytes =
      static_cast<double>(rows * (in + out)) * sizeof(T) + 8.0 * static_cast<double>(experts * out * in);
  with.report({.name = std::string{"grouped wgrad "} + dtype,
               .shape = shape,
               .ms = ms,
               .floor_ms = std::max(dense, wgrad_bytes / with.copy_rate() * 1e3),
               .bytes = wgrad_bytes,
               .flops = flops,
               .beside = "dense " + figure("%.4f ms", dense),
               .right = right});
}

}  // namespace

int main() {
  return run([](bench& with) {
    // Up and down projection of Qwen3-30B-A3B, few and many tokens; Mixtral's; and one in f32, without tensor cores.
    for (index_t const tokens : {16, 512, 4096}) products<hd::bf16>(with, "bf16", tokens, 8, 128, 1536, 2048);
    products<hd::bf16>(with, "bf16", 4096, 8, 128, 2048, 768);
    products<hd::bf16>(with, "bf16", 4096, 2, 8, 14336, 4096);
    products<float>(with, "f32", 1024, 8, 64, 1024, 1024);
  });
}
