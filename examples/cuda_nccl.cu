// SPDX-License-Identifier: Apache-2.0
// Experts on several GPUs, a process each, forward and backward: torchrun --nproc-per-node 8 --no-python cuda_nccl
#include <cstdio>
#include <cstdlib>
#include <heddle/cuda/cublas_gemm.hpp>
#include <heddle/heddle.cuh>
#include <heddle/nccl.hpp>
#include <vector>
namespace hd = heddle;
using gpu = hd::device_memory;

// The plan: pairs of tokens and experts travel to their experts over ep, and their results back.
using moe = hd::expert_parallel<hd::top_k<hd::kernel::softmax_then_top_k<true>>, hd::all_to_all_dispatcher<>,
                                hd::glu_expert<hd::grouped>>;

hd::cuda::device_buffer numbers(hd::index_t count, int seed) {
  std::vector<float> values(static_cast<std::size_t>(count));
  for (float& value : values) value = static_cast<float>(seed = (seed * 31 + 7) % 2003) * 1e-4F - 0.1F;
  hd::cuda::device_buffer memory{values.size() * sizeof(float)};
  hd::cuda::check(cudaMemcpy(memory.data(), values.data(), memory.bytes(), cudaMemcpyHostToDevice), "cudaMemcpy");
  return memory;
}
float* in(hd::cuda::device_buffer const& memory) { return static_cast<float*>(memory.data()); }

int main() try {
  constexpr hd::index_t width = 256, ffn = 128, all = 16, tokens = 64, mib = 1 << 20;
  auto const at = hd::nccl::place_from_environment([](char const* name) { return std::getenv(name); });
  hd::cuda::device const device{at.local_rank, at.rank};
  device.use();
  hd::cuda::queue queue{.processors = device.processors(), .rank = at.rank};
  hd::cuda::check(cudaStreamCreate(&queue.stream), "cudaStreamCreate", at.rank);
  auto world = hd::nccl::join(at, queue.stream);
  auto counts = hd::nccl::numbers_of(world);
  hd::expert_mesh const grid{1, at.size, 1};
  hd::mesh_groups<decltype(world), hd::etp, hd::ep, hd::edp> groups{world, grid};
  hd::mesh_groups<decltype(counts), hd::etp, hd::ep, hd::edp> numbers_of{counts, grid};
  hd::cuda::device_buffer const data(256 * mib), room(32 * mib);
  hd::cuda::pinned_buffer const here(mib);
  hd::cuda::workspace scratch{data.data(), data.bytes(), here.data(), here.bytes(), at.rank};
  hd::cuda::cublas_gemm gemm{room.data(), room.bytes(), at.rank};
  hd::cuda::execution execution{gemm, groups, numbers_of, scratch, queue};
  auto const own = hd::balanced::piece(all, at.size, at.rank).size;  // experts of this rank
  auto const gate = numbers(all * width, 0), fc1 = numbers(own * 2 * ffn * width, at.rank),
             fc2 = numbers(own * width * ffn, at.rank), x = numbers(tokens * width, 5), dy = numbers(tokens * width, 1);
  hd::moe_weights<float, gpu> const weights{
      .gate = {.weight = {in(gate), {all, width}}, .full_out = all, .full_in = width},
      .fc1 = {{in(fc1), {own, 2 * ffn, width}}, all, 2 * ffn, width},
      .fc2 = {{in(fc2), {own, width, ffn}}, all, width, ffn},
      .top_k = 2};
  auto const [y, saved] = hd::forward<moe>(execution, weights, hd::rows<float const, gpu>{in(x), {tokens, width}});
  hd::rows<float, gpu> const back{in(dy), {tokens, width}};
  auto const [dx, gradients] = hd::backward<moe>(execution, weights, saved, back);
  hd::reduce_gradients<hd::sum, moe>(execution, gradients);
  world.transport().wait();
  std::printf("rank %d of %d has done a step\n", at.rank, at.size);
} catch (hd::error const& problem) {
  std::fprintf(stderr, "%s\n", problem.what());
  return 1;
}
