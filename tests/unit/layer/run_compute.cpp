// SPDX-License-Identifier: Apache-2.0
#include <heddle/layer/run_compute.hpp>

#include "numbers.hpp"

#include <doctest/doctest.h>

using namespace heddle;
using namespace numbers;
using support::matrix_of;
using support::vector_of;

namespace {

using plain = placement<>;

}  // namespace

TEST_CASE("gemm and bias") {
  list const w{1, 0, 0, 2, 1, 1};
  list const b{100, 200, 300};
  linear<float> const weights{matrix_of(w, 3, 2), 3, 2, vector_of(b)};
  in_frames<tp>(mesh<tp>{1}, weights, [](auto& frame, int) {
    list const x{1, 2, 3, 4};
    auto const y = run(gemm<plain, plain, plain>{}, frame, value(x, 2, 2));
    CHECK(read(y) == list{1, 4, 3, 3, 8, 7});
    CHECK(y.full_hidden == 3);
    auto const z = run(add_bias<plain, plain>{}, frame, y);
    CHECK(z.data.data() == y.data.data());
    CHECK(read(z) == list{101, 204, 303, 103, 208, 307});
  });
}

TEST_CASE("a layer without bias passes through") {
  list const w{1, 1};
  in_frames<tp>(mesh<tp>{1}, linear<float>{matrix_of(w, 1, 2), 1, 2}, [](auto& frame, int) {
    list const x{1, 2};
    auto const y = run(gemm<plain, plain, plain>{}, frame, value(x, 1, 2));
    CHECK(read(run(add_bias<plain, plain>{}, frame, y)) == list{3});
  });
}

TEST_CASE("a bias alone is added to a copy of the caller's memory") {
  list const b{1, 2};
  in_frames<tp>(mesh<tp>{1}, linear<float>{.weight = {}, .bias = vector_of(b)}, [](auto& frame, int) {
    list const x{5, 6};
    CHECK(read(run(add_bias<plain, plain>{}, frame, value(x, 1, 2))) == list{6, 8});
    CHECK(x == list{5, 6});
  });
}

TEST_CASE("a router's logits are f32 where activations are bf16; its narrow bias is refused") {
  std::vector<bf16> const w{bf16{1.0F}, bf16{0.00390625F}};
  std::vector<bf16> const b{bf16{1.0F}};
  moe_weights<bf16> weights{};
  weights.gate = {matrix_of(w, 1, 2), 1, 2};
  in_frames<tp>(mesh<tp>{1}, weights, [&](auto& frame, int) {
    std::vector<bf16> const x{bf16{256.0F}, bf16{1.0F}};
    activation<bf16 const> const in{support::rows_of(x, 1, 2), 2};
    auto const y = run(gemm<plain, plain, plain, gate_role>{}, frame, in);
    static_assert(std::same_as<std::remove_cvref_t<decltype(y)>, activation<float>>);
    CHECK(read(y) == list{256.00390625F});  // bf16 would have 256
    CHECK(read(run(add_bias<plain, plain, gate_role>{}, frame, y)) == list{256.00390625F});
  });
  weights.gate.bias = vector_of(b);
  in_frames<tp>(mesh<tp>{1}, weights, [&](auto& frame, int) {
    list logits{1};
    activation<float> const y{{logits.data(), extents<tokens, hidden>{1, 1}}, 1};
    CHECK_THROWS_AS(static_cast<void>(run(add_bias<plain, plain, gate_role>{}, frame, y)), error);
  });
}

TEST_CASE("rms norm of rows and of heads") {
  list const w{1, 2};
  in_frames<tp>(mesh<tp>{1}, norm_weight<float>{vector_of(w), 0}, [](auto& frame, int) {
    list const x{3, 3, -5, 5};  // two heads of 2: mean squares 9 and 25
    CHECK(read(run(normalise<plain>{}, frame, value(x, 1, 4))) == list{1, 2, -1, 2});
    CHECK(x[0] == 3);
  });
}

TEST_CASE("lookup by row parts gives zeros for the ids of others, by column parts every row") {
  list const whole = table(5, 3, 1);
  std::vector<std::int64_t> const ids{4, 0, 3};
  token_ids<> const in{{ids.data(), extents<tokens>{3}}};
  for (int rank = 0; rank < 2; ++rank) {
    list const part(whole.begin() + rank * 9, rank == 0 ? whole.begin() + 9 : whole.end());
    embedding_table<float> const rows{matrix_of(part, rank == 0 ? 3 : 2, 3), 5, 3};
    in_frames<tp>(mesh<tp>{2}, rows, [&](auto& frame, int own) {
      using by_rows =
          embed<placement<on<tp, replicated>>, placement<on<tp, partial>>, placement<on<tp, sharded<vocab>>>>;
      if (own != rank) return;
      list const expected[] = {{0, 0, 0, 10, 11, 12, 0, 0, 0}, {50, 51, 52, 0, 0, 0, 40, 41, 42}};
      auto const y = run(by_rows{}, frame, in);
      CHECK(read(y) == expected[rank]);
      CHECK(y.full_hidden == 3);
    });
  }
}

TEST_CASE("swiglu halves the width and the full width") {
  in_frames<tp>(mesh<tp>{1}, std::tuple<>{}, [](auto& frame, int) {
    list const x{0, 40, 7, 3};  // silu(0) = 0, silu(40) = 40
    auto const y = run(glu<silu>{}, frame, value(x, 1, 4, 12));
    CHECK(read(y) == list{0, 120});
    CHECK(y.full_hidden == 6);
  });
}

TEST_CASE("spread divides by the size of its group") {
  in_frames<tp, dp>(mesh<tp, dp>{2, 2}, std::tuple<>{}, [](auto& frame, int) {
    list const x{8, 6};
    CHECK(read(run(spread<tp>{}, frame, value(x, 1, 2))) == list{4, 3});
  });
}

TEST_CASE("slice cuts a row at the parameter's width") {
  list const w(8, 0.0F);
  sliced_linear<float> const weights{{matrix_of(w, 4, 2), 4, 2}, 3};
  in_frames<tp>(mesh<tp>{1}, weights, [](auto& frame, int) {
    list const x = table(2, 4);
    auto const [a, b] = run(slice<>{}, frame, value(x, 2, 4));
    CHECK(read(a) == table(2, 3));
    CHECK(read(b) == list{3, 13});
    CHECK(a.full_hidden == 3);
    CHECK(b.full_hidden == 1);
    list const narrow{1, 2};
    CHECK_THROWS_AS(static_cast<void>(run(slice<>{}, frame, value(narrow, 1, 2))), error);
  });
}
