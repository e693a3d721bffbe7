// SPDX-License-Identifier: Apache-2.0
// all_to_all with the rows of every expert at multiples of a number, on every grid of experts, forward and backward:
// the bits of the compact one.
#include "../support/dispatch_trial.hpp"

#include <doctest/doctest.h>

using namespace heddle;
using namespace support;

namespace {

template <weight_at At, int Rows>
void check() {
  using style = dispatched_layer<all_to_all_dispatcher<ep, etp, aligned_rows<Rows>>, At>;
  for (moe_sizes const& sizes : dispatch_sizes()) {
    moe_data const data = make_moe(sizes, 5);
    for (split_of const& split : expert_splits())
      CHECK(unlike(dispatch_step<style>(split, data), model_step(At, split, data), split) == "");
  }
}

}  // namespace

TEST_CASE("aligned, weights at the input: the bits of all_to_all") { check<weight_at::input, 16>(); }
TEST_CASE("aligned, weights at the activation: the bits of all_to_all") { check<weight_at::activation, 3>(); }
TEST_CASE("aligned, weights at the output: the bits of all_to_all") { check<weight_at::output, 128>(); }
TEST_CASE("aligned, weights at the origin: the bits of all_to_all") { check<weight_at::origin, 16>(); }
