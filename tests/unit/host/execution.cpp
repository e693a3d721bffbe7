// SPDX-License-Identifier: Apache-2.0
#include <heddle/host/execution.hpp>

#include <doctest/doctest.h>
#include <heddle/concepts/execution.hpp>
#include <heddle/host/reference_gemm.hpp>
#include <heddle/kernel/scale.hpp>
#include <vector>

using namespace heddle;

static_assert(execution<host::execution<host::reference_gemm>>);

namespace {

struct backend {
  host::reference_gemm gemm;
  host::no_groups groups;
  host::workspace scratch;
  host::execution<host::reference_gemm> execution{gemm, groups, scratch, 2};
};
using shape = extents<tokens, hidden>;

}  // namespace

TEST_CASE("multiply and multiply_grouped reach the gemm, constant and mutable activations alike") {
  backend b;
  std::vector<float> x{1, 2, 3, 4};
  std::vector<float> const w{1, 0, 0, 1, 1, 1};
  std::vector<float> y(6);
  matrix<float const> const weight{w.data(), extents<out_features, in_features>{3, 2}};
  b.execution.multiply(rows<float>{x.data(), shape{2, 2}}, weight, rows<float>{y.data(), shape{2, 3}});
  CHECK(y == std::vector<float>{1, 2, 3, 3, 4, 7});
  std::vector<float> const experts_of{1, 1, 2, -1};  // two experts of [1, 2]
  std::vector<index_t> const counts{1, 1};
  std::vector<float> z(2);
  matrices<float const> const stack{experts_of.data(), extents<experts, out_features, in_features>{2, 1, 2}};
  b.execution.multiply_grouped(rows<float const>{x.data(), shape{2, 2}}, counts, stack,
                               rows<float>{z.data(), shape{2, 1}});
  CHECK(z == std::vector<float>{3, 2});
}

TEST_CASE("the products of a backward pass reach the gemm") {
  backend b;
  std::vector<float> dy{1, 2, 3, 4};             // [2, 2]
  std::vector<float> x{1, 0, 2, 0, 5, 1};        // [2, 3]
  std::vector<float> const w{1, 2, 3, 4, 5, 6};  // [2, 3]
  std::vector<float> dx(6);
  matrix<float const> const weight{w.data(), extents<out_features, in_features>{2, 3}};
  b.execution.multiply_transposed(rows<float>{dy.data(), shape{2, 2}}, weight, rows<float>{dx.data(), shape{2, 3}});
  CHECK(dx == std::vector<float>{9, 12, 15, 19, 26, 33});
  std::vector<float> dw(6, 100.0F);
  matrix<float> const gradient{dw.data(), extents<out_features, in_features>{2, 3}};
  b.execution.accumulate_outer(rows<float>{dy.data(), shape{2, 2}}, rows<float const>{x.data(), shape{2, 3}}, gradient);
  CHECK(dw == std::vector<float>{101, 115, 105, 102, 120, 108});

  std::vector<index_t> const counts{1, 1};
  matrices<float const> const weights{w.data(), extents<experts, out_features, in_features>{2, 1, 3}};
  b.execution.multiply_transposed_grouped(rows<float>{dy.data(), shape{2, 1}}, counts, weights,
                                          rows<float>{dx.data(), shape{2, 3}});
  CHECK(dx == std::vector<float>{1, 2, 3, 8, 10, 12});
  matrices<float> const gradients{dw.data(), extents<experts, out_features, in_features>{2, 1, 3}};
  b.execution.accumulate_outer_grouped(rows<float const>{dy.data(), shape{2, 1}}, counts,
                                       rows<float>{x.data(), shape{2, 3}}, gradients);
  CHECK(dw == std::vector<float>{102, 115, 107, 102, 130, 110});
}

TEST_CASE("launch runs every row once, on any number of threads") {
  backend b;
  std::vector<float> const x(300, 2.0F);
  std::vector<float> y(300);
  b.execution.launch(kernel::scale<float>{.x = {x.data(), shape{100, 3}}, .factor = 3, .y = {y.data(), shape{100, 3}}},
                     100);
  CHECK(y == std::vector<float>(300, 6.0F));
  b.execution.launch(kernel::scale<float>{}, 0);
}

TEST_CASE("allocate comes from the workspace") {
  backend b;
  host::workspace::scope const scope{b.scratch};
  double* const numbers = b.execution.allocate<double>(8);
  CHECK(b.execution.allocate_counts(3) == static_cast<void*>(numbers + 8));
  CHECK(b.scratch.peak_bytes() == 128);
  CHECK(&b.execution.scratch() == &b.scratch);
  CHECK(b.execution.threads() == 2);
}

TEST_CASE("order_by_expert orders the pairs of its own experts and leaves the others out") {
  backend b;
  // Tokens with two slots; experts 2, 3 and 4 are asked for.
  std::vector<std::int32_t> const ids{4, 0, 2, 4, -1, 3, 2, 1};
  std::vector<std::int32_t> row_to_token(8, -7);
  std::vector<std::int32_t> row_to_slot(8, -7);
  std::vector<std::int32_t> slot_to_row(8, -7);
  extents<tokens, slots> const pairs{4, 2};
  counts<host_memory> const rows =
      b.execution.order_by_expert({ids.data(), pairs}, 2, 3, row_to_token, row_to_slot, {slot_to_row.data(), pairs});
  CHECK(std::vector<index_t>(rows.begin(), rows.end()) == std::vector<index_t>{2, 1, 2});
  CHECK(row_to_token[5] == -7);
  CHECK(std::vector<std::int32_t>(row_to_token.begin(), row_to_token.begin() + 5) ==
        std::vector<std::int32_t>{1, 3, 2, 0, 1});
  CHECK(std::vector<std::int32_t>(row_to_slot.begin(), row_to_slot.begin() + 5) ==
        std::vector<std::int32_t>{0, 0, 1, 0, 1});
  CHECK(slot_to_row == std::vector<std::int32_t>{3, -1, 0, 4, -1, 2, 1, -1});
}

TEST_CASE("counts are visible where they are") {
  backend b;
  std::vector<index_t> const counts{4, 5};
  auto const seen = b.execution.visible(counts);
  CHECK(seen.data() == counts.data());
  CHECK(seen.count() == 2);
}
