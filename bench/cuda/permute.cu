// SPDX-License-Identifier: Apache-2.0
// Tokens to the rows of their experts and back, against what a copy of as many bytes takes.
#include <heddle/cuda/launch.cuh>
#include <heddle/kernel/permute.hpp>
#include <heddle/kernel/unpermute.hpp>

#include "bench.cuh"

using namespace gpu_bench;

namespace {

template <class T>
void both_ways(bench& with, char const* dtype, index_t tokens, index_t width, index_t experts, index_t k) {
  auto const sorted = sort_pairs(draw_choices(tokens, experts, k), experts, k);
  auto const x = numbers<T>(tokens * width, 1);
  auto const w = numbers<float>(tokens * k, 2);
  array<T> const x_there{x}, rows_there{tokens * k * width}, y_there{tokens * width};
  array<float> const w_there{w};
  array<std::int32_t> const token_of{sorted.row_to_token}, row_of{sorted.slot_to_row};
  hd::extents<hd::tokens, hd::hidden> const narrow{tokens, width}, wide{tokens * k, width};
  hd::cuda::queue const on = with.queue();
  std::string const shape = "T" + std::to_string(tokens) + " K" + std::to_string(k) + " H" + std::to_string(width);
  double const bytes = static_cast<double>(tokens * width + tokens * k * width) * sizeof(T);

  hd::kernel::permute<T, gpu> const out{.x = {x_there.data(), narrow},
                                        .row_to_token = {token_of.data(), hd::extents<hd::tokens>{tokens * k}},
                                        .y = {rows_there.data(), wide}};
  double ms = with.milliseconds([&] { hd::cuda::launch_rows(out, tokens * k, on); });
  auto const found = rows_there.get();
  bool right = true;
  for (index_t row = 0; row < tokens * k; ++row) {
    T const* const due = x.data() + sorted.row_to_token[at(row)] * width;
    for (index_t i = 0; i < width; ++i) right = right && found[at(row * width + i)] == due[i];
  }
  with.report({.name = std::string{"permute "} + dtype, .shape = shape, .ms = ms, .bytes = bytes, .right = right});

  hd::kernel::unpermute<T, gpu> const back{.x = {rows_there.data(), wide},
                                           .slot_to_row = {row_of.data(), {tokens, k}},
                                           .weights = {w_there.data(), {tokens, k}},
                                           .y = {y_there.data(), narrow}};
  ms = with.milliseconds([&] { hd::cuda::launch_rows(back, tokens, on); });
  std::vector<float> expected(at(tokens * width));
  for (index_t t = 0; t < tokens; ++t) {
    float sum = 0;
    for (index_t slot = 0; slot < k; ++slot) sum += w[at(t * k + slot)];
    for (index_t i = 0; i < width; ++i) expected[at(t * width + i)] = sum * static_cast<float>(x[at(t * width + i)]);
  }
  right = apart(y_there.get(), expected) <= (sizeof(T) == 2 ? 1e-2 : 2e-6);
  with.report({.name = std::string{"unpermute "} + dtype, .shape = shape, .ms = ms, .bytes = bytes, .right = right});
}

}  // namespace

int main() {
  return run([](bench& with) {
    for (index_t const tokens : {128, 1024, 8192}) both_ways<hd::bf16>(with, "bf16", tokens, 2048, 128, 8);
    both_ways<hd::bf16>(with, "bf16", 4096, 7168, 256, 8);
    both_ways<float>(with, "f32", 4096, 2048, 128, 8);
  });
}
