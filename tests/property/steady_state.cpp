// SPDX-License-Identifier: Apache-2.0
// After the first step of a shape, a rank allocates nothing: not in kernels, not in collectives.
#include "../support/allocations.hpp"
#include "../support/moe_trial.hpp"

#include <doctest/doctest.h>
#include <heddle/layer/gradient_norm.hpp>
#include <heddle/layer/update_expert_bias.hpp>
#include <memory>
#include <new>

using namespace heddle;
using namespace support;

namespace {

/// Runs `step` four times on every rank and counts what the last three allocate.
template <class Step>
void check(split_of const& split, Step const& make_step) {
  CAPTURE(split.text());
  std::mutex mutex;
  long later = 0;
  std::size_t first_blocks = 0;
  std::size_t last_blocks = 0;
  on_ranks<tp, dp, etp, ep, edp>(split.grid(), 1, [&](grid_tools& tools) {
    auto step = make_step(tools);
    long before = 0;
    std::size_t blocks = 0;
    for (int repeat = 0; repeat < 4; ++repeat) {
      host::workspace::scope const scope{tools.scratch};
      step();
      if (repeat == 0) {
        before = allocations();
        blocks = tools.scratch.blocks();
      }
    }
    long const mine = allocations() - before;
    std::lock_guard const lock{mutex};
    later += mine;
    first_blocks += blocks;
    last_blocks += tools.scratch.blocks();
  });
  CHECK(later == 0);
  CHECK(first_blocks > 0);
  CHECK(last_blocks == first_blocks);
}

template <class Layer>
void check_moe(split_of const& split) {
  moe_data const data = make_moe({.tokens = 64, .width = 32, .ffn = 24, .experts = 12, .slots = 4});
  check(split, [&](grid_tools& tools) {
    auto const parameters = std::make_shared<moe_parameters<float>>(data.layer, tools.grid, tools.rank);
    auto const x = std::make_shared<std::vector<float>>(all_of<float>(data.x));
    return [&tools, parameters, x] {
      static_cast<void>(infer<Layer>(tools.execution, parameters->weights, rows_of(*x, 64, 32)));
    };
  });
}

}  // namespace

TEST_CASE("the counter counts") {
  long const before = allocations();
  ::operator delete(::operator new(8));
  ::operator delete (::operator new (64, std::align_val_t{64}), std::align_val_t{64});
  CHECK(allocations() - before == 2);
}

TEST_CASE("a mixture of experts allocates nothing after its first step") {
  for (split_of const& split : {split_of{1, 1, 1, 1}, split_of{4, 2, 2, 2}, split_of{8, 2, 4, 1}}) {
    check_moe<moe_layer<all_to_all_dispatcher<>, grouped, weight_at::origin>>(split);
    check_moe<moe_layer<all_gather_dispatcher<>, sequential, weight_at::output>>(split);
    check_moe<moe_layer<sharded_masked, grouped, weight_at::activation>>(split);
  }
}

TEST_CASE("a dense block allocates nothing after its first step") {
  using block =
      layer<sequence_parallel<tp>, packed_colwise<tp, two_segments, sharded<tokens>>, gated<tp>,
            rowwise<tp, sharded<tokens>>, colwise_gather_output<tp, sharded<tokens>>, rowwise_split_input<tp>>;
  check({4, 4, 1, 1}, [](grid_tools& tools) {
    auto const make = [](index_t out, index_t in) {
      return std::make_shared<std::vector<float>>(static_cast<std::size_t>(out * in), 0.25F);
    };
    auto const norm = make(1, 16), up = make(12, 16), down = make(16, 6), wide = make(3, 16), last = make(5, 3),
               x = make(2, 16);
    return [=, &tools] {
      std::tuple const weights{
          norm_weight<float>{vector_of(*norm)}, heddle::linear<float>{matrix_of(*up, 12, 16), 48, 16},
          heddle::linear<float>{matrix_of(*down, 16, 6), 16, 24},
          heddle::linear<float>{matrix_of(*wide, 3, 16), 12, 16}, heddle::linear<float>{matrix_of(*last, 5, 3), 5, 12}};
      static_cast<void>(infer<block>(tools.execution, weights, rows_of(*x, 2, 16)));
    };
  });
}

TEST_CASE("means, norms, clipping and the bias of experts allocate nothing after the first time") {
  moe_data const data = make_moe({.tokens = 8, .width = 6, .ffn = 5, .experts = 6, .slots = 2});
  using layer = moe_layer<all_to_all_dispatcher<>, grouped, weight_at::origin>;
  check({4, 2, 2, 1}, [&](grid_tools& tools) {
    auto const parameters = std::make_shared<moe_parameters<float>>(data.layer, tools.grid, tools.rank);
    auto const bias = std::make_shared<std::vector<double>>(6, 0.0);
    return [&tools, parameters, bias] {
      auto& execution = tools.execution;
      auto const gradients = zero_gradients(execution, parameters->weights);
      for (index_t i = 0; i < gradients.fc1.weight.count(); ++i) gradients.fc1.weight.data()[i] = 2;
      reduce_gradients<mean_over<dp>, layer>(execution, gradients);
      auto const norm_of = [&]<class Norm>(std::type_identity<Norm>) {
        gradient_norm<Norm, etp, ep> norm;
        norm.template add<layer>(execution, gradients);
        return norm.over(execution);
      };
      double const largest = norm_of(std::type_identity<norm_inf>{});
      double const sum_of_all = norm_of(std::type_identity<norm_1>{});
      double const length = norm_of(std::type_identity<norm_2>{});
      CHECK((largest > 0 && largest < length && length < sum_of_all));
      static_cast<void>(clip_gradients<layer>(execution, gradients, 0.5, length));
      std::array<index_t, 6> const counts{tools.rank, 1, 2, 3, 4, 5};
      update_expert_bias<bias_rule::torchtitan, etp, ep, edp>(execution, std::span{*bias},
                                                              std::span<index_t const>{counts}, 0.5);
    };
  });
}
