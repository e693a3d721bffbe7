// SPDX-License-Identifier: Apache-2.0
// A mixture of experts on several ranks, each with its part of one problem: the same step on threads of the host and on
// ranks of a device.
#pragma once

#include <heddle/heddle.hpp>
#include <heddle/host/execution.hpp>
#include <heddle/host/thread_world.hpp>
#include <vector>

namespace ranks_moe {

using namespace heddle;

using grid = folding<mesh<tp, dp>, mesh<etp, ep, edp>>;
template <class Communicator>
using groups_over = mesh_groups<Communicator, tp, dp, etp, ep, edp, joint<etp, ep>>;

/// Tokens are dealt to all ranks, experts to `ranks` / `parts`, each expert in `parts`.
struct sizes {
  int ranks, parts;
  index_t height, width, inner, experts, k;

  [[nodiscard]] grid on() const { return {mesh<tp, dp>{1, ranks}, mesh<etp, ep, edp>{parts, ranks / parts, 1}}; }
};

/// Number `i` of tensor `seed`, in (-0.5, 0.5).
inline float drawn(std::uint32_t seed, index_t i) {
  std::uint32_t bits = (seed * 100003U + static_cast<std::uint32_t>(i)) * 2654435761U + 1;
  bits = (bits ^ (bits >> 15)) * 0x846ca68bU;
  return static_cast<float>(static_cast<std::int32_t>(bits ^ (bits >> 16))) * 0x1p-32F;
}

/// A rank's own part of everything.
template <class T>
struct problem {
  std::vector<T> x, dy, gate, fc1, fc2;
  index_t height, inner, experts;
};

template <class T>
problem<T> part_of(sizes const& of, int rank) {
  grid const all = of.on();
  int const expert_rank = all.expert().coordinate<ep>(rank), part = all.expert().coordinate<etp>(rank);
  range const mine = balanced::piece(of.height, of.ranks, rank);
  range const owned = ceil_chunk::piece(of.experts, of.ranks / of.parts, expert_rank);
  range const columns = ceil_chunk::piece(of.inner, of.parts, part);
  problem<T> made{{}, {}, {}, {}, {}, mine.size, columns.size, owned.size};
  for (index_t i = mine.begin * of.width; i < (mine.begin + mine.size) * of.width; ++i) {
    made.x.push_back(static_cast<T>(drawn(1, i)));
    made.dy.push_back(static_cast<T>(drawn(2, i)));
  }
  for (index_t i = 0; i < of.experts * of.width; ++i) made.gate.push_back(static_cast<T>(drawn(3, i)));
  for (index_t e = owned.begin; e < owned.begin + owned.size; ++e) {
    for (index_t half = 0; half < 2; ++half) {
      for (index_t o = columns.begin; o < columns.begin + columns.size; ++o) {
        for (index_t i = 0; i < of.width; ++i)
          made.fc1.push_back(static_cast<T>(drawn(4, ((e * 2 + half) * of.inner + o) * of.width + i)));
      }
    }
    for (index_t o = 0; o < of.width; ++o) {
      for (index_t i = columns.begin; i < columns.begin + columns.size; ++i)
        made.fc2.push_back(static_cast<T>(drawn(5, (e * of.width + o) * of.inner + i)));
    }
  }
  return made;
}

/// What a rank has at the end.
template <class T>
struct outcome {
  std::vector<T> y, dx, dgate, dfc1, dfc2;
  bool operator==(outcome const&) const = default;
};

/// `put(values)` gives them where the execution reads them, `get(view)` brings them back.
template <class Layer, class T, class Execution, class Put, class Get>
outcome<T> step(Execution& on, sizes const& of, int rank, Put const& put, Get const& get) {
  using memory = typename Execution::memory;
  problem<T> const mine = part_of<T>(of, rank);
  extents<tokens, hidden> const shape{mine.height, of.width};
  moe_weights<T, memory> const weights{
      .gate = {.weight = {put(mine.gate), {of.experts, of.width}}, .full_out = of.experts, .full_in = of.width},
      .fc1 = {{put(mine.fc1), {mine.experts, 2 * mine.inner, of.width}}, of.experts, 2 * of.inner, of.width},
      .fc2 = {{put(mine.fc2), {mine.experts, of.width, mine.inner}}, of.experts, of.width, of.inner},
      .top_k = of.k};
  auto const [y, saved] = forward<Layer>(on, weights, rows<T const, memory>{put(mine.x), shape});
  auto const [dx, gradients] = backward<Layer>(on, weights, saved, rows<T, memory>{put(mine.dy), shape});
  reduce_gradients<sum, Layer>(on, gradients);
  return {get(y.data), get(dx.data), get(gradients.gate.weight), get(gradients.fc1.weight), get(gradients.fc2.weight)};
}

/// The ranks as threads of the host, whose GEMM is `Gemm`.
template <class Layer, class T, class Gemm>
std::vector<outcome<T>> on_threads(sizes const& of) {
  std::vector<outcome<T>> found(static_cast<std::size_t>(of.ranks));
  host::thread_world world{of.ranks};
  host::run(world, [&](host::thread_communicator& rank) {
    groups_over<host::thread_communicator> groups{rank, of.on()};
    Gemm gemm;
    host::workspace scratch;
    host::execution on{gemm, groups, scratch};
    auto const put = [](std::vector<T> const& values) { return const_cast<T*>(values.data()); };
    auto const get = [](auto const& view) { return std::vector<T>(view.data(), view.data() + view.count()); };
    found[static_cast<std::size_t>(rank.rank())] = step<Layer, T>(on, of, rank.rank(), put, get);
  });
  return found;
}

template <class Dispatcher, class Mode>
using layer_of = on_expert_grid<expert_parallel<top_k<kernel::softmax_then_top_k<true>>, Dispatcher, glu_expert<Mode>>>;
using by_mask = masked<ep, etp, sharded<tokens, as_given>>;

/// check(sizes) for these numbers of ranks: uneven, with a rank that has no token, and with experts in parts.
template <class Check>
void each_size(Check const& check) {
  for (int const ranks : {1, 2, 3, 4, 6, 8}) {
    check({ranks, 1, 37, 16, 6, 24, 3});
    check({ranks, 1, ranks - 1, 16, 5, 9, 2});
    if (ranks % 2 == 0) check({ranks, 2, 41, 24, 7, 24, 2});
  }
}

}  // namespace ranks_moe
