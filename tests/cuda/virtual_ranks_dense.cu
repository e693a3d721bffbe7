// SPDX-License-Identifier: Apache-2.0
// Dense layers on virtual ranks of one GPU against the same ranks as threads of the host in f64: whole, and with their
// tokens in parts, which asks for every collective of dense layers.
#include "one_rank.cuh"
#include "virtual_ranks.cuh"

#include "../support/ranks_dense.hpp"

using namespace ranks_dense;
using one_rank::apart, one_rank::plain_gemm, one_rank::widened;

namespace {

template <class Layer>
void check(sizes const& of) {
  auto const expected = on_threads<Layer, double, plain_gemm>(of);
  auto const got = virtual_ranks::on_each<tensor_groups, outcome<float>>(
      of.on(),
      [&](auto& on, int rank, auto const& put, auto const& get) { return step<Layer, float>(on, of, rank, put, get); });
  CAPTURE(of.ranks);
  CAPTURE(of.height);
  for (std::size_t rank = 0; rank < expected.size(); ++rank) {
    REQUIRE(got[rank].size() == expected[rank].size());
    for (std::size_t i = 0; i < got[rank].size(); ++i) {
      CAPTURE(i);
      CHECK(apart(widened(got[rank][i]), expected[rank][i]) <= 2e-5);
    }
  }
}

}  // namespace

TEST_CASE("virtual ranks: dense layers are those of the host's threads") { each_size(check<dense_whole>); }
TEST_CASE("virtual ranks: dense layers with tokens in parts are those of the host's threads") {
  each_size(check<dense_in_parts>);
}
