// SPDX-License-Identifier: Apache-2.0
#include <heddle/layer/fsdp.hpp>

#include "../../support/ranks.hpp"
#include "../../support/tensors.hpp"

#include <doctest/doctest.h>
#include <heddle/host/lane.hpp>
#include <heddle/layer/fsdp_layer.hpp>
#include <heddle/layer/reduce_gradients.hpp>
#include <heddle/layer/saved_bytes.hpp>
#include <heddle/style/shard.hpp>
#include <mutex>

using namespace heddle;
using namespace support;

namespace {

using grid_type = mesh<tp, dp, replica>;
using whole_mlp = layer<packed_colwise<tp>, gated<tp>, rowwise<tp>>;
using shared_mlp = fsdp_layer<dp, packed_colwise<tp>, gated<tp>, rowwise<tp>>;
using kept_mlp = layer<fsdp<packed_colwise<tp>, dp, keep_gathered>, gated<tp>, fsdp<rowwise<tp>, dp, keep_gathered>>;
template <class Group>
using dealt = on<Group, sharded<tokens, as_given>>;
using over_data = placement<dealt<dp>, dealt<replica>>;

constexpr index_t width = 6, inside = 10, height = 3;

/// An MLP's parameters, the part of one rank, and room for the gradients of all.
template <class First, class Second>
struct mlp {
  mlp(grid_type const& grid, int rank)
      : part1{shard_weight<First>(w1.shape, grid, rank)},
        part1b{shard_bias<First>(b1.shape, grid, rank)},
        part2{shard_weight<Second>(w2.shape, grid, rank)},
        own1{cut<float>(w1, part1)},
        own1b{cut<float>(b1, part1b)},
        own2{cut<float>(w2, part2)} {}

  [[nodiscard]] auto weights() const {
    return std::tuple{
        linear<float>{.weight = matrix_of(own1, part1.shape()[0], width),
                      .full_out = 2 * inside,
                      .full_in = width,
                      .bias = vector_of(own1b)},
        linear<float>{
            .weight = matrix_of(own2, part2.shape()[0], part2.shape()[1]), .full_out = width, .full_in = inside}};
  }

  tensor w1 = distinct({2 * inside, width}, 1), b1 = distinct({2 * inside}, 2), w2 = distinct({width, inside}, 3);
  box part1, part1b, part2;
  std::vector<float> own1, own1b, own2;
};
using whole_parameters = mlp<packed_colwise<tp>, rowwise<tp>>;
using shared_parameters = mlp<fsdp<packed_colwise<tp>, dp>, fsdp<rowwise<tp>, dp>>;

/// A tensor put together from the parts of ranks; what several have must be equal.
struct assembly {
  std::vector<double> values;
  std::vector<bool> there;

  template <class Extents>
  void put(shape_t const& shape, box const& part, view<float, Extents> own) {
    tensor numbers{shape, {}};
    for (index_t i = 0; i < count_of(shape); ++i) numbers.data.push_back(static_cast<double>(i));
    auto const places = cut<double>(numbers, part);
    values.resize(numbers.data.size());
    there.resize(numbers.data.size());
    CHECK(static_cast<index_t>(places.size()) == own.count());
    for (std::size_t i = 0; i < places.size(); ++i) {
      auto const at = static_cast<std::size_t>(places[i]);
      double const value = static_cast<double>(own.data()[i]);
      if (there[at]) CHECK(values[at] == value);
      values[at] = value;
      there[at] = true;
    }
  }
  friend bool operator==(assembly const&, assembly const&) = default;
};
/// Results of all ranks.
struct outcome {
  std::vector<std::vector<float>> y, dx;
  assembly w1, b1, w2;
  friend bool operator==(outcome const&, outcome const&) = default;
};

/// When the weight pass runs: behind the data pass, behind the gathers of another layer, or on a second lane, with
/// communicators of its own, while those happen.
enum class weigh { at_once, later, on_a_lane };

template <class Style, class Parameters>
outcome run_mlp(grid_type const& grid, int batches = 1, weigh when = weigh::at_once) {
  outcome all;
  all.y.resize(static_cast<std::size_t>(grid.world()));
  all.dx.resize(all.y.size());
  std::mutex mutex;
  on_ranks<tp, dp, replica>(grid, 1, [&](auto& tools) {
    Parameters const parameters{grid, tools.rank};
    auto const weights = parameters.weights();
    auto const seed = static_cast<std::uint64_t>(10 + tools.rank / grid.template size<tp>());
    auto const x = all_of<float>(distinct({height, width}, seed));
    auto const dy = all_of<float>(distinct({height, width}, seed + 50));
    host::workspace::scope const whole_step{tools.scratch};
    auto const gradients = zero_gradients(tools.execution, weights);
    typename std::remove_cvref_t<decltype(tools)>::groups_type own_groups{tools.world, grid};
    host::reference_gemm own_gemm;
    host::workspace own_scratch;
    host::execution beside{own_gemm, own_groups, own_scratch};
    host::lane_thread lane;
    std::size_t blocks = 0;
    for (int batch = 0; batch < batches; ++batch) {
      host::workspace::scope const one_batch{tools.scratch};
      auto const result = forward<Style>(tools.execution, weights, rows_of(x, height, width));
      auto const data = backward_data<Style>(tools.execution, weights, result.saved, rows_of(dy, height, width));
      auto const next_layer = [&] {  // gathers over the same ranks
        static_cast<void>(infer<Style>(tools.execution, weights, rows_of(dy, height, width)));
      };
      if (when == weigh::on_a_lane) {
        host::workspace::scope const of_the_lane{own_scratch};
        auto job = [&] { backward_weights<Style>(beside, weights, result.saved, data.pending, gradients); };
        // Half of the ranks begin the one before the other: only a lane that meets its peers apart gets through.
        if (tools.rank % 2 == 0) next_layer();
        lane.start(job);
        if (tools.rank % 2 != 0) next_layer();
        lane.wait();
      } else {
        if (when == weigh::later) next_layer();
        backward_weights<Style>(tools.execution, weights, result.saved, data.pending, gradients);
      }
      if (batch == 1) blocks = tools.scratch.blocks();
      if (batch > 1) CHECK(tools.scratch.blocks() == blocks);
      std::lock_guard const lock{mutex};
      auto const at = static_cast<std::size_t>(tools.rank);
      all.y[at].assign(result.y.data.data(), result.y.data.data() + result.y.data.count());
      all.dx[at].assign(data.dx.data.data(), data.dx.data.data() + data.dx.data.count());
    }
    reduce_gradients<sum, Style, over_data>(tools.execution, gradients);
    std::lock_guard const lock{mutex};
    auto const& [first, second] = gradients;
    all.w1.put(parameters.w1.shape, parameters.part1, first.weight);
    all.b1.put(parameters.b1.shape, parameters.part1b, first.bias);
    all.w2.put(parameters.w2.shape, parameters.part2, second.weight);
  });
  return all;
}

}  // namespace

TEST_CASE("fsdp: bit for bit what whole parameters and one reduction give") {
  for (grid_type const& grid : {grid_type{1, 1, 1}, grid_type{1, 3, 1}, grid_type{2, 2, 1}, grid_type{3, 2, 1},
                                grid_type{1, 2, 2}, grid_type{2, 2, 2}, grid_type{1, 7, 1}}) {
    CAPTURE(grid.world());
    outcome const whole = run_mlp<whole_mlp, whole_parameters>(grid);
    CHECK(run_mlp<shared_mlp, shared_parameters>(grid) == whole);
    CHECK(run_mlp<kept_mlp, shared_parameters>(grid) == whole);
    CHECK(run_mlp<shared_mlp, shared_parameters>(grid, 1, weigh::later) == whole);
    CHECK(run_mlp<shared_mlp, shared_parameters>(grid, 1, weigh::on_a_lane) == whole);
    CHECK(run_mlp<kept_mlp, shared_parameters>(grid, 1, weigh::on_a_lane) == whole);
  }
}

TEST_CASE("fsdp: micro-batches add up in the parts, and take no new memory") {
  grid_type const grid{2, 3, 1};
  outcome const once = run_mlp<shared_mlp, shared_parameters>(grid);
  outcome const often = run_mlp<shared_mlp, shared_parameters>(grid, 4);
  CHECK(run_mlp<shared_mlp, shared_parameters>(grid, 4, weigh::on_a_lane) == often);
  CHECK(often.w1.values.size() == once.w1.values.size());
  for (std::size_t i = 0; i < once.w1.values.size(); ++i) {
    CHECK(often.w1.values[i] == doctest::Approx(4 * once.w1.values[i]).epsilon(1e-5));
  }
}

TEST_CASE("fsdp: HSDP leaves the sum over replicas to one reduction of the parts") {
  using gradients = parameter_gradients_t<shared_mlp::forward, over_data>;
  static_assert(std::same_as<detail::element_t<gradients, 0>, placement<on<replica, partial>>>);
  static_assert(std::same_as<detail::element_t<gradients, 3>, placement<on<replica, partial>>>);
  support::on_ranks<tp, dp, replica>(grid_type{1, 2, 2}, 1, [&](auto& tools) {
    shared_parameters const parameters{tools.grid, tools.rank};
    auto const weights = parameters.weights();
    auto const gradient = zero_gradients(tools.execution, weights);
    index_t const before = tools.groups.template get<replica>().bytes_sent();
    reduce_gradients<sum, shared_mlp, over_data>(tools.execution, gradient);
    // A ring of two sends each element once: half the parameters, not all of them.
    index_t const part = parameters.part1.count() + parameters.part1b.count() + parameters.part2.count();
    CHECK(part == (2 * inside * width + 2 * inside + width * inside) / 2);
    CHECK(tools.groups.template get<replica>().bytes_sent() - before ==
          all_reduce_bytes(parameters.part1.count(), 4, 2, tools.grid.template coordinate<replica>(tools.rank)) +
              all_reduce_bytes(parameters.part1b.count(), 4, 2, tools.grid.template coordinate<replica>(tools.rank)) +
              all_reduce_bytes(parameters.part2.count(), 4, 2, tools.grid.template coordinate<replica>(tools.rank)));
  });
}

TEST_CASE("fsdp: what stays gathered is saved, what is gathered again is not, and goes back in between") {
  support::on_ranks<tp, dp, replica>(grid_type{1, 2, 1}, 1, [&](auto& tools) {
    shared_parameters const parameters{tools.grid, tools.rank};
    auto const weights = parameters.weights();
    auto const x = all_of<float>(distinct({height, width}, 5));
    auto const in = rows_of(x, height, width);
    index_t const all = (2 * inside * width + 2 * inside + width * inside) * 4;
    host::workspace::scope const scope{tools.scratch};
    auto const again = forward<shared_mlp>(tools.execution, weights, in);
    auto const kept = forward<kept_mlp>(tools.execution, weights, in);
    CHECK(saved_bytes(kept.saved) - saved_bytes(again.saved) == all);
    CHECK(tools.scratch.aside().used_bytes() == 0);
    CHECK(tools.scratch.aside().peak_bytes() > 0);
    // Never more than one matrix at a time: packed rows are gathered, then sorted into halves.
    CHECK(tools.scratch.aside().peak_bytes() <
          static_cast<std::size_t>(2 * (2 * inside * width + 2 * inside) * 4 + 4 * 64));
  });
}

TEST_CASE("fsdp: a part of another size is refused on every rank") {
  support::on_ranks<tp, dp, replica>(grid_type{1, 2, 1}, 1, [&](auto& tools) {
    whole_parameters const parameters{tools.grid, tools.rank};  // not shared out
    auto const weights = parameters.weights();
    auto const x = all_of<float>(distinct({height, width}, 5));
    CHECK_THROWS_AS(static_cast<void>(infer<shared_mlp>(tools.execution, weights, rows_of(x, height, width))), error);
  });
}

TEST_CASE("fsdp: a branch that is computed again gathers again, with the same bits") {
  using inner = fsdp<replicated_linear, dp>;
  struct again {
    using forward = sequence<recompute<inner::forward>>;
  };
  using mesh_type = mesh<dp>;
  tensor const w = distinct({5, 4}, 8);
  support::on_ranks<dp>(mesh_type{2}, 1, [&](auto& tools) {
    box const part = shard_weight<inner>(w.shape, tools.grid, tools.rank);
    auto const own = cut<float>(w, part);
    linear<float> const weights{matrix_of(own, part.shape()[0], 4), 5, 4};
    auto const x = all_of<float>(distinct({3, 4}, static_cast<std::uint64_t>(tools.rank)));
    auto const dy = all_of<float>(distinct({3, 5}, static_cast<std::uint64_t>(9 + tools.rank)));
    auto const run = [&]<class Sequence>(Sequence) {
      step_state<> state;
      frame step{tools.execution, weights, state};
      auto const out = detail::walk<detail::training, Sequence>::through(
          step, std::tuple{activation<float const>{rows_of(x, 3, 4), 4}});
      auto const back = detail::walk_back<Sequence>::through(step, out.saved,
                                                             std::tuple{activation<float const>{rows_of(dy, 3, 5), 5}});
      auto const gradients = zero_gradients(tools.execution, weights);
      frame weigh{tools.execution, weights, state, gradients};
      detail::walk_weights<Sequence>::through(weigh, out.saved, back.pending);
      return std::vector<float>(gradients.weight.data(), gradients.weight.data() + gradients.weight.count());
    };
    CHECK(run(again::forward{}) == run(inner::forward{}));
  });
}
