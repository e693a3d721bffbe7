// SPDX-License-Identifier: Apache-2.0
// The order of token-expert pairs by expert, from the choices of a router to lists of rows, as a step builds it: no
// number goes to the host.
#include <heddle/cuda/execution.cuh>

#include "bench.cuh"

using namespace gpu_bench;

namespace {

void order(bench& with, index_t tokens, index_t experts, index_t k, std::size_t room) {
  auto const ids = draw_choices(tokens, experts, k);
  auto const due = sort_pairs(ids, experts, k);
  index_t const pairs = tokens * k;
  array<std::int32_t> const ids_there{ids}, token_of{pairs}, slot_of{pairs}, row_of{pairs};
  hd::cuda::device_buffer const data{room};
  hd::cuda::pinned_buffer const here{1 << 16};
  hd::cuda::workspace scratch{data.data(), data.bytes(), here.data(), here.bytes(), 0};
  hd::cuda::no_groups none;
  int nothing = 0;
  hd::cuda::execution<int> const on{nothing, none, none, scratch, with.queue()};
  hd::extents<hd::tokens, hd::slots> const shape{tokens, k};
  auto const build = [&] {
    return on.order_by_expert({ids_there.data(), shape}, 0, experts, {token_of.data(), at(pairs)},
                              {slot_of.data(), at(pairs)}, {row_of.data(), shape});
  };
  bool right = true;
  {
    hd::cuda::workspace::scope const until{scratch};
    static_cast<void>(build());
    right = token_of.get() == due.row_to_token && row_of.get() == due.slot_to_row;
    std::vector<std::int32_t> slots(at(pairs));
    for (index_t pair = 0; pair < pairs; ++pair)
      slots[at(due.slot_to_row[at(pair)])] = static_cast<std::int32_t>(pair % k);
    right = right && slot_of.get() == slots;
  }
  double const ms = with.milliseconds([&] {
    hd::cuda::workspace::scope const until{scratch};
    static_cast<void>(build());
  });
  with.report({.name = "index build",
               .shape = "T" + std::to_string(tokens) + " E" + std::to_string(experts) + " K" + std::to_string(k),
               .ms = ms,
               .bytes = static_cast<double>(pairs) * 4 * 4,  // choices once, three lists
               .right = right});
}

}  // namespace

int main() {
  return run([](bench& with) {
    for (index_t const tokens : {1, 128, 1024, 8192, 65536}) order(with, tokens, 128, 8, std::size_t{1} << 28);
    order(with, 8192, 1024, 32, std::size_t{1} << 28);
  });
}
