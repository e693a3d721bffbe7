// SPDX-License-Identifier: Apache-2.0
// A whole mixture-of-experts layer of the sizes of Qwen3-30B-A3B on one GPU: router, dispatch, experts, combine,
// forward and with the backward pass. The floor is the larger of its operations, at the rate of a dense cuBLAS product
// of this run, and the bytes of the weights that are used.
#include <heddle/cuda/cublas_gemm.hpp>
#include <heddle/heddle.cuh>
#include <heddle/host/self_communicator.hpp>

#include "bench.cuh"

using namespace gpu_bench;

namespace {

template <class Each>
using mixture = hd::expert_parallel<hd::top_k<hd::kernel::softmax_then_top_k<true>>, hd::all_to_all_dispatcher<>,
                                    hd::glu_expert<Each>>;

struct sizes {
  index_t tokens, width, inner, experts, k;
};

/// One rank alone on the GPU.
class rank {
 public:
  explicit rank(bench const& with, std::size_t bytes)
      : queue_{with.queue()}, data_{bytes}, room_{std::size_t{1} << 26} {}

  [[nodiscard]] auto& execution() { return on_; }
  [[nodiscard]] hd::cuda::workspace& scratch() { return scratch_; }
  [[nodiscard]] hd::cuda::cublas_gemm& gemm() { return gemm_; }

 private:
  template <class Communicator>
  using groups_of = hd::mesh_groups<Communicator, hd::etp, hd::ep>;

  hd::cuda::queue queue_;
  hd::cuda::device_buffer data_, room_;
  hd::cuda::pinned_buffer here_{std::size_t{1} << 20};
  hd::cuda::workspace scratch_{data_.data(), data_.bytes(), here_.data(), here_.bytes(), 0};
  hd::cuda::cublas_gemm gemm_{room_.data(), room_.bytes(), 0};
  hd::cuda::self_communicator world_{hd::cuda::self_transport{queue_}};
  hd::host::self_communicator same_world_;
  groups_of<hd::cuda::self_communicator> groups_{world_, hd::expert_mesh{}};
  groups_of<hd::host::self_communicator> numbers_{same_world_, hd::expert_mesh{}};
  hd::cuda::execution<hd::cuda::cublas_gemm, decltype(groups_), decltype(numbers_)> on_{gemm_, groups_, numbers_,
                                                                                        scratch_, queue_};
};

template <class T>
struct layer {
  sizes of;
  std::vector<T> x, gate, fc1, fc2;

  explicit layer(sizes const& is)
      : of{is},
        x{numbers<T>(is.tokens * is.width, 3, 1.7F)},
        gate{numbers<T>(is.experts * is.width, 0, 0.05F)},
        fc1{numbers<T>(is.experts * 2 * is.inner * is.width, 1, 0.04F)},
        fc2{numbers<T>(is.experts * is.width * is.inner, 2, 0.06F)} {}

  /// The experts of a token with their weights, in f64; none where rounding could choose others.
  [[nodiscard]] std::vector<std::pair<index_t, double>> choice(index_t token) const {
    std::vector<double> logits(at(of.experts));
    for (index_t e = 0; e < of.experts; ++e)
      for (index_t h = 0; h < of.width; ++h)
        logits[at(e)] += wide(x[at(token * of.width + h)]) * wide(gate[at(e * of.width + h)]);
    std::vector<std::pair<index_t, double>> chosen;
    double sum = 0, last = 0;
    for (index_t slot = 0; slot <= of.k && slot < of.experts; ++slot) {
      auto const best = std::max_element(logits.begin(), logits.end());
      if (slot == of.k)
        return last - *best < (sizeof(T) == 2 ? 2e-2 : 1e-4) ? decltype(chosen){} : normalised(chosen, sum);
      last = *best;
      chosen.emplace_back(best - logits.begin(), std::exp(last));
      sum += chosen.back().second;
      *best = -1e30;
    }
    return normalised(chosen, sum);
  }
  /// The result of a token in f64.
  [[nodiscard]] std::vector<float> due(index_t token, std::vector<std::pair<index_t, double>> const& chosen) const {
    std::vector<double> y(at(of.width));
    for (auto const& [expert, weight] : chosen) {
      std::vector<double> inner(at(of.inner));
      for (index_t f = 0; f < of.inner; ++f) {
        double open = 0, up = 0;
        for (index_t h = 0; h < of.width; ++h) {
          double const value = wide(x[at(token * of.width + h)]);
          open += value * wide(fc1[at((expert * 2 * of.inner + f) * of.width + h)]);
          up += value * wide(fc1[at((expert * 2 * of.inner + of.inner + f) * of.width + h)]);
        }
        inner[at(f)] = open / (1 + std::exp(-open)) * up;
      }
      for (index_t h = 0; h < of.width; ++h)
        for (index_t f = 0; f < of.inner; ++f)
          y[at(h)] += weight * inner[at(f)] * wide(fc2[at((expert * of.width + h) * of.inner + f)]);
    }
    return {y.begin(), y.end()};
  }

 private:
  static double wide(T value) { return static_cast<double>(static_cast<float>(value)); }
  static std::vector<std::pair<index_t, double>> normalised(std::vector<std::pair<index_t, double>> chosen,
                                                            double sum) {
    for (auto& [expert, weight] : chosen) weight /= sum;
    return chosen;
  }
};

template <class Each, class T, bool Backward>
void time_layer(bench& with, std::string const& name, sizes const& of) {
  using style = mixture<Each>;
  layer<T> const is{of};
  array<T> const x{is.x}, gate{is.gate}, fc1{is.fc1}, fc2{is.fc2}, dy{numbers<T>(of.tokens * of.width, 4)},
      y{of.tokens * of.width};
  // Copies of tokens, before and behind each product, and the gradients of the weights.
  std::size_t const values =
      at(of.tokens * of.k * (4 * of.width + 8 * of.inner) + of.tokens * (of.experts + 8 * of.width));
  rank alone{with, (std::size_t{1} << 28) + values * 8 +
                       (Backward ? (is.fc1.size() + is.fc2.size() + is.gate.size()) * 4 : 0)};
  hd::extents<hd::tokens, hd::hidden> const shape{of.tokens, of.width};
  hd::rows<T const, gpu> const input{x.data(), shape};
  hd::moe_weights<T, gpu> const weights{
      .gate = {.weight = {gate.data(), {of.experts, of.width}}, .full_out = of.experts, .full_in = of.width},
      .fc1 = {{fc1.data(), {of.experts, 2 * of.inner, of.width}}, of.experts, 2 * of.inner, of.width},
      .fc2 = {{fc2.data(), {of.experts, of.width, of.inner}}, of.experts, of.width, of.inner},
      .top_k = of.k};
  auto const step = [&](bool keeps) {
    hd::cuda::workspace::scope const until{alone.scratch()};
    if constexpr (Backward) {
      auto const [out, saved] = hd::forward<style>(alone.execution(), weights, input);
      auto const [dx, gradients] =
          hd::backward<style>(alone.execution(), weights, saved, hd::rows<T, gpu>{dy.data(), shape});
      if (keeps) with.queue().copy(y.data(), out.data.data(), at(out.data.count()) * sizeof(T));
    } else {
      auto const out = hd::infer<style>(alone.execution(), weights, input);
      if (keeps) with.queue().copy(y.data(), out.data.data(), at(out.data.count()) * sizeof(T));
    }
  };
  step(true);
  auto const found = y.get();
  std::vector<float> got, expected;
  int judged = 0;
  for (index_t token = 0; token < of.tokens && judged < 6; token += 1 + of.tokens / 40) {
    auto const chosen = is.choice(token);
    if (chosen.empty()) continue;
    ++judged;
    for (T const value : std::vector<T>(found.begin() + token * of.width, found.begin() + (token + 1) * of.width))
      got.push_back(static_cast<float>(value));
    for (float const value : is.due(token, chosen)) expected.push_back(value);
  }
  bool const right = judged > 0 && apart(got, expected) <= (sizeof(T) == 2 ? 2e-2 : 2e-5);
  double const ms = with.milliseconds([&] { step(false); });

  // The floor: a dense product of as many operations as the experts have.
  index_t const rows = of.tokens * of.k;
  array<T> const dense_x{rows * of.width}, dense_y{rows * 2 * of.inner};
  hd::cuda::check(cudaMemset(dense_x.data(), 0, at(dense_x.count()) * sizeof(T)), "cudaMemset");
  double const dense = with.milliseconds([&] {
    alone.gemm().multiply(hd::rows<T const, gpu>{dense_x.data(), {rows, of.width}},
                          hd::matrix<T const, gpu>{fc1.data(), {2 * of.inner, of.width}},
                          hd::rows<T, gpu>{dense_y.data(), {rows, 2 * of.inner}}, with.queue());
  });
  double const flops = 6.0 * static_cast<double>(rows * of.width * of.inner) * (Backward ? 3 : 1);
  double const rate = 4.0 * static_cast<double>(rows * of.width * of.inner) / dense;
  double const used = static_cast<double>(std::min(rows, of.experts));  // at the least every pair has its expert
  double const bytes = used * 3 * static_cast<double>(of.width * of.inner) * sizeof(T) * (Backward ? 2 : 1);
  with.report(
      {.name = name,
       .shape = "T" + std::to_string(of.tokens) + " E" + std::to_string(of.experts) + " K" + std::to_string(of.k),
       .ms = ms,
       .floor_ms = std::max(flops / rate, rows < of.experts ? 0.0 : bytes / with.copy_rate() * 1e3),
       .bytes = bytes,
       .flops = flops,
       .beside = "dense of as many operations " + figure("%.4f ms", flops / rate),
       .right = right});
}

}  // namespace

int main() {
  return run([](bench& with) {
    for (index_t const tokens : {16, 512, 4096})
      time_layer<hd::grouped, hd::bf16, false>(with, "layer forward bf16", {tokens, 2048, 768, 128, 8});
    time_layer<hd::sequential, hd::bf16, false>(with, "layer forward bf16, one by one", {4096, 2048, 768, 128, 8});
    for (index_t const tokens : {512, 4096})
      time_layer<hd::grouped, float, true>(with, "layer and backward f32", {tokens, 1024, 768, 64, 8});
  });
}
