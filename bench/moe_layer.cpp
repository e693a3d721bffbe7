// SPDX-License-Identifier: Apache-2.0
// The mixture-of-experts layer of Qwen3-30B-A3B (hidden 2048, ffn 768, 128 experts, top 8, bf16 weights, random) on one
// rank. Beside every time stands the floor of this machine, probed in the same run: the larger of operations over the
// fp32 multiply-add rate and weight bytes over the read bandwidth.
// Three GEMM models: oneDNN in fixed tiles, oneDNN as it likes (no promise about bits), and the one without a library.
//   moe_layer [--threads N] [Google Benchmark's flags]
#include <benchmark/benchmark.h>

#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <heddle/core/philox.hpp>
#include <heddle/dispatcher/all_to_all.hpp>
#include <heddle/expert/glu_expert.hpp>
#include <heddle/host/execution.hpp>
#include <heddle/host/reference_gemm.hpp>
#include <heddle/host/self_communicator.hpp>
#if __has_include(<dnnl.hpp>)
#include <heddle/host/onednn_gemm.hpp>
#endif
#include <heddle/collective/mesh_groups.hpp>
#include <heddle/kernel/weigh.hpp>
#include <heddle/layer/forward.hpp>
#include <heddle/router/top_k.hpp>
#include <heddle/style/expert_parallel.hpp>
#include <vector>

#include "probe.hpp"

namespace {

namespace hd = heddle;
using hd::index_t;
using element = hd::bf16;

constexpr index_t width = 2048, ffn = 768, experts = 128, top_k = 8;
constexpr index_t most_tokens = 1024;

using routing = hd::top_k<hd::kernel::softmax_then_top_k<true>>;
using moe = hd::expert_parallel<routing, hd::all_to_all_dispatcher<>, hd::glu_expert<hd::grouped>>;

std::vector<element> random_values(index_t count, std::uint64_t stream, float scale) {
  std::vector<element> values(static_cast<std::size_t>(count));
  hd::philox const draw{2026, stream};
  for (std::size_t i = 0; i < values.size(); ++i) values[i] = element{draw.uniform(i, -scale, scale)};
  return values;
}

struct layer {
  std::vector<element> gate = random_values(experts * width, 0, 0.05F);
  std::vector<element> fc1 = random_values(experts * 2 * ffn * width, 1, 0.04F);
  std::vector<element> fc2 = random_values(experts * width * ffn, 2, 0.06F);
  std::vector<element> x = random_values(most_tokens * width, 3, 1.7F);
  hd::moe_weights<element> weights{
      .gate = {.weight = {gate.data(), hd::extents<hd::out_features, hd::in_features>{experts, width}},
               .full_out = experts,
               .full_in = width},
      .fc1 = {.weight = {fc1.data(),
                         hd::extents<hd::experts, hd::out_features, hd::in_features>{experts, 2 * ffn, width}},
              .full_experts = experts,
              .full_out = 2 * ffn,
              .full_in = width},
      .fc2 = {.weight = {fc2.data(), hd::extents<hd::experts, hd::out_features, hd::in_features>{experts, width, ffn}},
              .full_experts = experts,
              .full_out = width,
              .full_in = ffn},
      .top_k = top_k};
};

struct machine {
  int threads = 1;
  double flops = 0;
  double bytes = 0;
};

/// The experts that the first `tokens` tokens choose, by the router's formula in double.
std::vector<std::vector<std::pair<index_t, double>>> choices(layer const& l, index_t tokens) {
  std::vector<std::vector<std::pair<index_t, double>>> chosen(static_cast<std::size_t>(tokens));
  for (index_t t = 0; t < tokens; ++t) {
    std::vector<double> logits(experts);
    for (index_t e = 0; e < experts; ++e) {
      for (index_t h = 0; h < width; ++h) {
        logits[static_cast<std::size_t>(e)] +=
            static_cast<double>(float{l.x[static_cast<std::size_t>(t * width + h)]}) *
            static_cast<double>(float{l.gate[static_cast<std::size_t>(e * width + h)]});
      }
    }
    double sum = 0;
    for (index_t slot = 0; slot < top_k; ++slot) {
      std::size_t best = 0;
      for (std::size_t e = 1; e < logits.size(); ++e) best = logits[e] > logits[best] ? e : best;
      chosen[static_cast<std::size_t>(t)].emplace_back(best, std::exp(logits[best]));
      sum += std::exp(logits[best]);
      logits[best] = -1e30;
    }
    for (auto& [expert, weight] : chosen[static_cast<std::size_t>(t)]) weight /= sum;
  }
  return chosen;
}

/// The relative L2 error of the first two tokens against the formula in double.
double error_of(layer const& l, hd::rows<element const> y) {
  index_t const tokens = y.size<hd::tokens>() < 2 ? y.size<hd::tokens>() : 2;
  auto const chosen = choices(l, tokens);
  auto const at = [](std::vector<element> const& values, index_t i) {
    return static_cast<double>(float{values[static_cast<std::size_t>(i)]});
  };
  double difference = 0, norm = 0;
  for (index_t t = 0; t < tokens; ++t) {
    std::vector<double> expected(width);
    for (auto const& [expert, weight] : chosen[static_cast<std::size_t>(t)]) {
      std::vector<double> inner(ffn);
      for (index_t f = 0; f < ffn; ++f) {
        double gate = 0, up = 0;
        for (index_t h = 0; h < width; ++h) {
          gate += at(l.x, t * width + h) * at(l.fc1, (expert * 2 * ffn + f) * width + h);
          up += at(l.x, t * width + h) * at(l.fc1, (expert * 2 * ffn + ffn + f) * width + h);
        }
        inner[static_cast<std::size_t>(f)] = gate / (1 + std::exp(-gate)) * up;
      }
      for (index_t h = 0; h < width; ++h) {
        double sum = 0;
        for (index_t f = 0; f < ffn; ++f)
          sum += inner[static_cast<std::size_t>(f)] * at(l.fc2, (expert * width + h) * ffn + f);
        expected[static_cast<std::size_t>(h)] += weight * sum;
      }
    }
    for (index_t h = 0; h < width; ++h) {
      double const e = expected[static_cast<std::size_t>(h)];
      double const d = static_cast<double>(float{y(t, h)}) - e;
      difference += d * d;
      norm += e * e;
    }
  }
  return std::sqrt(difference / norm);
}

template <class Gemm>
void run(benchmark::State& state, layer const& l, machine const& host) {
  index_t const tokens = state.range(0);
  hd::host::self_communicator world;
  hd::mesh_groups<hd::host::self_communicator, hd::etp, hd::ep> groups{world, hd::expert_mesh{}};
  Gemm gemm;
  hd::host::workspace scratch;
  hd::host::execution execution{gemm, groups, scratch, host.threads};
  hd::rows<element const> const x{l.x.data(), hd::extents<hd::tokens, hd::hidden>{tokens, width}};

  double wrong = 0;
  {
    hd::host::workspace::scope const step{scratch};
    wrong = error_of(l, hd::infer<moe>(execution, l.weights, x).data);
  }
  for (auto _ : state) {
    hd::host::workspace::scope const step{scratch};
    benchmark::DoNotOptimize(hd::infer<moe>(execution, l.weights, x).data.data());
  }

  std::vector<bool> active(experts);
  for (auto const& token : choices(l, tokens)) {
    for (auto const& [expert, weight] : token) active[static_cast<std::size_t>(expert)] = true;
  }
  double used = 0;
  for (bool each : active) used += each ? 1 : 0;
  double const flops = static_cast<double>(tokens) * (6.0 * top_k * width * ffn + 2.0 * width * experts);
  double const bytes =
      (used * 3 * width * ffn + experts * width + 2.0 * static_cast<double>(tokens) * width) * sizeof(element);
  double const floor = std::max(flops / host.flops, bytes / host.bytes);
  auto const steps = static_cast<double>(state.iterations());
  state.counters["GFLOP/s"] = benchmark::Counter(flops * 1e-9 * steps, benchmark::Counter::kIsRate);
  state.counters["GB/s"] = benchmark::Counter(bytes * 1e-9 * steps, benchmark::Counter::kIsRate);
  state.counters["of_floor"] = benchmark::Counter(floor * steps, benchmark::Counter::kIsRate);
  state.counters["experts"] = used;
  state.counters["rel_error"] = wrong;
  if (!(wrong < 2e-2)) state.SkipWithError("the result is wrong");
}

}  // namespace

int main(int argc, char** argv) {
  machine host;
#if defined(_OPENMP)
  host.threads = omp_get_num_procs();
#endif
  for (int i = 1; i + 1 < argc; ++i) {
    if (std::strcmp(argv[i], "--threads") != 0) continue;
    host.threads = std::atoi(argv[i + 1]);
    for (int j = i; j + 2 < argc; ++j) argv[j] = argv[j + 2];
    argc -= 2;
  }
  if (host.threads < 1) {
    std::fprintf(stderr, "moe_layer: --threads takes a number of at least 1\n");
    return 1;
  }
  benchmark::Initialize(&argc, argv);
  if (benchmark::ReportUnrecognizedArguments(argc, argv)) return 1;
  host.flops = bench::peak_flops(host.threads);
  host.bytes = bench::read_bandwidth(host.threads);
  std::printf("threads %d, probed: fp32 multiply-add %.0f GFLOP/s, read %.1f GB/s\n", host.threads, host.flops * 1e-9,
              host.bytes * 1e-9);
  std::printf("H %ld, F %ld, E %ld, K %ld, bf16; of_floor is floor time over measured time\n", width, ffn, experts,
              top_k);
  layer const l;
  auto const add = [&]<class Gemm>(char const* name, std::type_identity<Gemm>) {
    for (index_t tokens : {1, 16, 128, 1024}) {
      benchmark::RegisterBenchmark(name, [&](benchmark::State& state) { run<Gemm>(state, l, host); })
          ->Arg(tokens)
          ->Unit(benchmark::kMillisecond)
          ->UseRealTime();
    }
  };
#if __has_include(<dnnl.hpp>)
  add("onednn/T", std::type_identity<hd::host::onednn_gemm<>>{});
  add("onednn_fast/T", std::type_identity<hd::host::onednn_gemm<hd::host::fast>>{});
#endif
  add("reference/T", std::type_identity<hd::host::reference_gemm>{});
  benchmark::RunSpecifiedBenchmarks();
  return 0;
}
