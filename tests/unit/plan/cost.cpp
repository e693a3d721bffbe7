// SPDX-License-Identifier: Apache-2.0
#include <heddle/plan/cost.hpp>
// own header first
#include <doctest/doctest.h>
#include <heddle/collective/mesh_groups.hpp>
#include <heddle/dispatcher/all_gather.hpp>
#include <heddle/dispatcher/all_to_all.hpp>
#include <heddle/expert/glu_expert.hpp>
#include <heddle/host/execution.hpp>
#include <heddle/host/reference_gemm.hpp>
#include <heddle/host/thread_world.hpp>
#include <heddle/layer/forward.hpp>
#include <heddle/style/expert_parallel.hpp>
#include <vector>

namespace {

namespace hd = heddle;
using hd::index_t;

// A plan's bill is known before the program runs.
constexpr hd::mesh<hd::tp> four{4};
constexpr hd::layer_shape down{.rows = 10, .width = 4, .full_width = 16, .out = 24};
static_assert(hd::cost_of<hd::rowwise<hd::tp>>(four, 0, down).bytes_sent<hd::tp>() == 2 * 3 * (10 * 24 / 4) * 4);
static_assert(hd::cost_of<hd::rowwise<hd::tp>>(four, 0, down).flops == 2 * 10 * 4 * 24);
constexpr hd::layer_shape up{.rows = 10, .width = 16, .out = 22};
static_assert(hd::cost_of<hd::colwise<hd::tp>>(four, 3, up).bytes_sent() == 0);
static_assert(hd::cost_of<hd::colwise<hd::tp>>(four, 3, up).flops == 2 * 10 * 16 * 4);  // 22 over 4: 6, 6, 6, 4
static_assert(hd::cost_of<hd::colwise_gather_output<hd::tp>>(four, 3, up).bytes_sent<hd::tp>() == 10 * 4 * 4 * 3);

template <class... Groups>
using thread_groups = hd::mesh_groups<hd::host::thread_communicator, Groups...>;

template <class Body, class Grid, class... Groups>
void on_ranks(Grid const& grid, hd::type_list<Groups...>, Body body) {
  hd::host::thread_world world{grid.world()};
  hd::host::run(world, [&](hd::host::thread_communicator& all) {
    thread_groups<Groups...> groups{all, grid};
    hd::host::reference_gemm gemm;
    hd::host::workspace scratch;
    hd::host::execution execution{gemm, groups, scratch};
    body(all.rank(), execution, groups);
  });
}

TEST_CASE("cost: a dense style sends exactly what its bill says") {
  for (int size : {1, 2, 3, 4}) {
    hd::mesh<hd::tp> const grid{size};
    on_ranks(grid, hd::type_list<hd::tp>{}, [&](int rank, auto& execution, auto& groups) {
      std::vector<float> const weight(23 * 9, 0.5F);
      std::vector<float> const x(7 * 9, 1.0F);
      index_t const own = hd::ceil_chunk::piece(23, size, rank).size;
      hd::linear<float> const parameter{
          .weight = {weight.data(), hd::extents<hd::out_features, hd::in_features>{own, 9}},
          .full_out = 23,
          .full_in = 9};
      index_t const before = groups.template get<hd::tp>().bytes_sent();
      hd::infer<hd::colwise_gather_output<hd::tp>>(
          execution, parameter, hd::rows<float const>{x.data(), hd::extents<hd::tokens, hd::hidden>{7, 9}});
      index_t const sent = groups.template get<hd::tp>().bytes_sent() - before;
      auto const bill = hd::cost_of<hd::colwise_gather_output<hd::tp>>(grid, rank, {.rows = 7, .width = 9, .out = 23});
      CHECK(sent == bill.template bytes_sent<hd::tp>());
    });
  }
}

// Ranks that cut rows know how they lie, and what one style of a layer has asked the next knows.
template <class Style, class Weights>
void check_rows(Weights const& weights) {
  hd::mesh<hd::tp> const grid{2};
  on_ranks(grid, hd::type_list<hd::tp>{}, [&](int rank, auto& execution, auto& groups) {
    std::vector<float> const x(2 * 4, 1.0F);
    hd::infer<Style>(execution, weights, hd::rows<float const>{x.data(), hd::extents<hd::tokens, hd::hidden>{2, 4}});
    auto const bill = hd::cost_of<Style>(grid, rank, {.rows = 2, .width = 4, .out = 4});
    CHECK(groups.template get<hd::tp>().bytes_sent() == bill.template bytes_sent<hd::tp>());
  });
}
struct there_and_back {
  static constexpr hd::fixed_string name = "there_and_back";
  using weight = hd::placement<>;
  using bias = hd::placement<>;
  using forward = hd::sequence<hd::split<hd::tp, hd::tokens>, hd::unsplit<hd::tp, hd::tokens>>;
};

TEST_CASE("cost: row counts are exchanged once a layer, and never behind a split") {
  check_rows<there_and_back>(std::tuple<>{});
  std::vector<float> const weight(4 * 2, 0.5F);
  hd::linear<float> const wide{.weight = {weight.data(), {2, 4}}, .full_out = 4, .full_in = 4};
  hd::linear<float> const narrow{.weight = {weight.data(), {4, 2}}, .full_out = 4, .full_in = 4};
  using part = hd::sharded<hd::tokens>;
  using block = hd::layer<hd::colwise<hd::tp, part>, hd::rowwise<hd::tp, part>>;
  check_rows<block>(std::tuple{wide, narrow});
  check_rows<hd::layer<block, block>>(std::tuple{std::tuple{wide, narrow}, std::tuple{wide, narrow}});
}

// Token t prefers experts t and t + 1: every expert is chosen equally often, which is what the bill assumes.
template <class Dispatcher>
void check_mixture(hd::folding<> grid) {
  using routing = hd::top_k<hd::kernel::softmax_then_top_k<true>>;
  using style = hd::on_expert_grid<hd::expert_parallel<routing, Dispatcher, hd::glu_expert<>>>;
  constexpr index_t experts = 8, width = 8, ffn = 6;
  on_ranks(grid, hd::type_list<hd::tp, hd::etp, hd::ep>{}, [&](int rank, auto& execution, auto& groups) {
    // Every rank must bring each expert equally many copies: 8 tokens a rank after the split over tp.
    index_t const height = experts * grid.size<hd::tp>();
    std::vector<float> x(static_cast<std::size_t>(height * width));
    std::vector<float> gate(experts * width);
    for (index_t t = 0; t < height; ++t) {
      x[static_cast<std::size_t>(t * width + t % experts)] = 2;
      x[static_cast<std::size_t>(t * width + (t + 1) % experts)] = 1;
    }
    for (index_t e = 0; e < experts; ++e) gate[static_cast<std::size_t>(e * width + e)] = 1;
    index_t const e = experts / grid.size<hd::ep>();
    index_t const f = ffn / grid.size<hd::etp>();
    std::vector<float> const fc1(static_cast<std::size_t>(e * 2 * f * width), 0.1F);
    std::vector<float> const fc2(static_cast<std::size_t>(e * width * f), 0.1F);
    hd::moe_weights<float> const weights{
        .gate = {.weight = {gate.data(), hd::extents<hd::out_features, hd::in_features>{experts, width}},
                 .full_out = experts,
                 .full_in = width},
        .fc1 = {.weight = {fc1.data(), hd::extents<hd::experts, hd::out_features, hd::in_features>{e, 2 * f, width}},
                .full_experts = experts,
                .full_out = 2 * ffn,
                .full_in = width},
        .fc2 = {.weight = {fc2.data(), hd::extents<hd::experts, hd::out_features, hd::in_features>{e, width, f}},
                .full_experts = experts,
                .full_out = width,
                .full_in = ffn},
        .top_k = 2};
    auto const sent = [&] {
      return std::array{groups.template get<hd::tp>().bytes_sent(), groups.template get<hd::ep>().bytes_sent(),
                        groups.template get<hd::etp>().bytes_sent()};
    };
    auto const before = sent();
    hd::infer<style>(execution, weights,
                     hd::rows<float const>{x.data(), hd::extents<hd::tokens, hd::hidden>{height, width}});
    auto const after = sent();
    auto const bill =
        hd::cost_of<style>(grid, rank, {.rows = height, .width = width, .experts = experts, .top_k = 2, .ffn = ffn});
    CHECK(after[0] - before[0] == bill.template bytes_sent<hd::tp>());
    CHECK(after[1] - before[1] == bill.template bytes_sent<hd::ep>());
    CHECK(after[2] - before[2] == bill.template bytes_sent<hd::etp>());
    // Ids, counts and the rounding of sizes to 64 bytes come on top.
    auto const peak = static_cast<index_t>(execution.scratch().peak_bytes());
    CHECK(peak >= bill.activation_bytes);
    CHECK(peak <= bill.activation_bytes + 40 * 64 + 16 * height * 2 * 4 * grid.world());
  });
}

TEST_CASE("cost: a mixture with even routing sends exactly what its bill says") {
  for (auto const& grid : {hd::folding<>{}, hd::folding<>{hd::dense_mesh{2, 2}, hd::expert_mesh{1, 4, 1}},
                           hd::folding<>{hd::dense_mesh{1, 4}, hd::expert_mesh{2, 2, 1}},
                           hd::folding<>{hd::dense_mesh{4, 2}, hd::expert_mesh{2, 2, 2}}}) {
    check_mixture<hd::all_to_all_dispatcher<>>(grid);
    check_mixture<hd::all_gather_dispatcher<>>(grid);
  }
}

}  // namespace
