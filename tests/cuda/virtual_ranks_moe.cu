// SPDX-License-Identifier: Apache-2.0
// A mixture of experts on virtual ranks of one GPU against the same ranks as threads of the host in f64: every way that
// tokens go to experts, forward, backward, and the sums of the parameters' gradients.
#include "one_rank.cuh"
#include "virtual_ranks.cuh"

#include "../support/ranks_moe.hpp"

using namespace ranks_moe;
using one_rank::apart, one_rank::plain_gemm, one_rank::widened;

namespace {

template <class Layer>
std::vector<outcome<float>> on_streams(sizes const& of) {
  return virtual_ranks::on_each<groups_over, outcome<float>>(
      of.on(),
      [&](auto& on, int rank, auto const& put, auto const& get) { return step<Layer, float>(on, of, rank, put, get); });
}

template <class Dispatcher>
void check_all() {
  each_size([](sizes const& of) {
    CAPTURE(of.ranks);
    auto const expected = on_threads<layer_of<Dispatcher, sequential>, double, plain_gemm>(of);
    auto const got = on_streams<layer_of<Dispatcher, grouped>>(of);
    for (std::size_t rank = 0; rank < expected.size(); ++rank) {
      CAPTURE(rank);
      CHECK(apart(widened(got[rank].y), expected[rank].y) <= 2e-5);
      CHECK(apart(widened(got[rank].dx), expected[rank].dx) <= 2e-5);
      CHECK(apart(widened(got[rank].dgate), expected[rank].dgate) <= 2e-5);
      CHECK(apart(widened(got[rank].dfc1), expected[rank].dfc1) <= 2e-5);
      CHECK(apart(widened(got[rank].dfc2), expected[rank].dfc2) <= 2e-5);
    }
  });
}

}  // namespace

TEST_CASE("virtual ranks: a masked mixture is that of the host's threads") { check_all<by_mask>(); }
TEST_CASE("virtual ranks: a mixture that gathers tokens is that of the host's threads") {
  check_all<all_gather_dispatcher<>>();
}
TEST_CASE("virtual ranks: a mixture that exchanges rows is that of the host's threads") {
  check_all<all_to_all_dispatcher<>>();
}
TEST_CASE("virtual ranks: a mixture that sends rows to parts of experts is that of the host's threads") {
  check_all<flex_dispatcher<>>();
}
