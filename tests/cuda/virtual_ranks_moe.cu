// SPDX-License-Identifier: Apache-2.0
// A mixture of experts on virtual ranks of one GPU against the same ranks as threads of the host in f64: every way that
// tokens go to experts, forward, backward, and the sums of the parameters' gradients.
#include <heddle/host/thread_world.hpp>

#include "one_rank.cuh"

using namespace one_rank;

namespace {

template <class Communicator>
using groups_over = mesh_groups<Communicator, tp, dp, etp, ep, edp, joint<etp, ep>>;
using virtual_world = host::basic_thread_world<cuda::mover>;

/// Tokens are dealt to all ranks, experts to `ranks` / `parts`, each expert in `parts`.
struct sizes {
  int ranks, parts;
  index_t height, width, inner, experts, k;

  [[nodiscard]] grid on() const { return {mesh<tp, dp>{1, ranks}, mesh<etp, ep, edp>{parts, ranks / parts, 1}}; }
};

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
  auto const value = [](std::uint32_t seed, index_t i) {
    return numbers<float>(1, seed * 100003U + static_cast<std::uint32_t>(i))[0];
  };
  problem<T> made{{}, {}, {}, {}, {}, mine.size, columns.size, owned.size};
  for (index_t i = mine.begin * of.width; i < (mine.begin + mine.size) * of.width; ++i) {
    made.x.push_back(static_cast<T>(value(1, i)));
    made.dy.push_back(static_cast<T>(value(2, i)));
  }
  for (index_t i = 0; i < of.experts * of.width; ++i) made.gate.push_back(static_cast<T>(value(3, i)));
  for (index_t e = owned.begin; e < owned.begin + owned.size; ++e) {
    for (index_t half = 0; half < 2; ++half) {
      for (index_t o = columns.begin; o < columns.begin + columns.size; ++o) {
        for (index_t i = 0; i < of.width; ++i)
          made.fc1.push_back(static_cast<T>(value(4, ((e * 2 + half) * of.inner + o) * of.width + i)));
      }
    }
    for (index_t o = 0; o < of.width; ++o) {
      for (index_t i = columns.begin; i < columns.begin + columns.size; ++i)
        made.fc2.push_back(static_cast<T>(value(5, (e * of.width + o) * of.inner + i)));
    }
  }
  return made;
}

/// What a rank has at the end.
struct outcome {
  std::vector<double> y, dx, dgate, dfc1, dfc2;
};

/// `put(values)` gives them where the execution reads them, `get(view)` brings them back.
template <class Layer, class T, class Execution, class Put, class Get>
outcome step(Execution& on, sizes const& of, int rank, Put const& put, Get const& get) {
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

template <class Layer>
std::vector<outcome> on_threads(sizes const& of) {
  std::vector<outcome> found(static_cast<std::size_t>(of.ranks));
  host::thread_world world{of.ranks};
  host::run(world, [&](host::thread_communicator& rank) {
    groups_over<host::thread_communicator> groups{rank, of.on()};
    plain_gemm gemm;
    host::workspace scratch;
    host::execution on{gemm, groups, scratch};
    std::vector<std::vector<double>> kept;
    kept.reserve(8);
    auto const put = [&](std::vector<double> const& values) { return kept.emplace_back(values).data(); };
    auto const get = [](auto const& view) { return std::vector<double>(view.data(), view.data() + view.count()); };
    found[static_cast<std::size_t>(rank.rank())] = step<Layer, double>(on, of, rank.rank(), put, get);
  });
  return found;
}

template <class Layer>
std::vector<outcome> on_streams(sizes const& of) {
  constexpr std::size_t bytes = std::size_t{1} << 26, bytes_here = 1 << 16, room = std::size_t{1} << 24;
  std::vector<outcome> found(static_cast<std::size_t>(of.ranks));
  virtual_world world{of.ranks};
  host::run(world, [&](auto& rank, auto& same, cuda::queue const& queue) {
    groups_over<virtual_world::communicator_type> groups{rank, of.on()};
    groups_over<host::thread_communicator> numbers_groups{same, of.on()};
    cuda::device_buffer const data{bytes}, gemm_room{room};
    cuda::pinned_buffer const here{bytes_here};
    cuda::workspace scratch{data.data(), bytes, here.data(), bytes_here, rank.rank()};
    cuda::cublas_gemm gemm{gemm_room.data(), room, rank.rank()};
    cuda::execution on{gemm, groups, numbers_groups, scratch, queue};
    auto const put = [&]<class T>(std::vector<T> const& values) {
      T* const there = on.template allocate<T>(static_cast<index_t>(values.size()));
      if (!values.empty()) {
        cuda::check(
            cudaMemcpyAsync(there, values.data(), values.size() * sizeof(T), cudaMemcpyHostToDevice, queue.stream),
            "cudaMemcpyAsync");
      }
      return there;
    };
    auto const get = [&](auto const& view) {
      std::vector<std::remove_cvref_t<decltype(*view.data())>> values(static_cast<std::size_t>(view.count()));
      queue.fetch(values.data(), view.data(), values.size() * sizeof(values[0]));
      return std::vector<double>(values.begin(), values.end());
    };
    found[static_cast<std::size_t>(rank.rank())] = step<Layer, float>(on, of, rank.rank(), put, get);
  });
  return found;
}

template <class Dispatcher, class Mode>
using layer_of = on_expert_grid<expert_parallel<top_k<kernel::softmax_then_top_k<true>>, Dispatcher, glu_expert<Mode>>>;

template <class Dispatcher>
void check(sizes const& of) {
  auto const expected = on_threads<layer_of<Dispatcher, sequential>>(of);
  auto const got = on_streams<layer_of<Dispatcher, grouped>>(of);
  for (std::size_t rank = 0; rank < expected.size(); ++rank) {
    CAPTURE(rank);
    CHECK(apart(got[rank].y, expected[rank].y) <= 2e-5);
    CHECK(apart(got[rank].dx, expected[rank].dx) <= 2e-5);
    CHECK(apart(got[rank].dgate, expected[rank].dgate) <= 2e-5);
    CHECK(apart(got[rank].dfc1, expected[rank].dfc1) <= 2e-5);
    CHECK(apart(got[rank].dfc2, expected[rank].dfc2) <= 2e-5);
  }
}

template <class Dispatcher>
void check_all() {
  for (int const ranks : {1, 2, 3, 4, 6, 8}) {
    CAPTURE(ranks);
    check<Dispatcher>({ranks, 1, 37, 16, 6, 24, 3});
    check<Dispatcher>({ranks, 1, ranks - 1, 16, 5, 9, 2});  // a rank without tokens
    if (ranks % 2 == 0) check<Dispatcher>({ranks, 2, 41, 24, 7, 24, 2});
  }
}

}  // namespace

TEST_CASE("virtual ranks: a masked mixture is that of the host's threads") {
  check_all<masked<ep, etp, sharded<tokens, as_given>>>();
}
TEST_CASE("virtual ranks: a mixture that gathers tokens is that of the host's threads") {
  check_all<all_gather_dispatcher<>>();
}
TEST_CASE("virtual ranks: a mixture that exchanges rows is that of the host's threads") {
  check_all<all_to_all_dispatcher<>>();
}
TEST_CASE("virtual ranks: a mixture that sends rows to parts of experts is that of the host's threads") {
  check_all<flex_dispatcher<>>();
}
