// SPDX-License-Identifier: Apache-2.0
#include <heddle/layer/run_rows.hpp>

#include "numbers.hpp"

#include <cmath>
#include <doctest/doctest.h>

using namespace heddle;
using namespace numbers;
using support::matrix_of;
using support::vector_of;

namespace {

using plain = placement<>;

}  // namespace

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

TEST_CASE("gradients of a norm over heads: of the input, and of the weight by columns") {
  list const w{1, 2};
  list const x{3, 1, -5, 4, 2, 7, -1, -6};
  list const dy{1, 2, -3, 4, 0.5F, -1, 2, 1};
  std::vector<double> dx(8), dw(2);
  for (std::size_t head = 0; head < 4; ++head) {
    double const a = x[2 * head], b = x[2 * head + 1];
    double const r = 1 / std::sqrt((a * a + b * b) / 2);
    double const product = w[0] * dy[2 * head] * a + w[1] * dy[2 * head + 1] * b;
    for (std::size_t i = 0; i < 2; ++i) {
      double const in = x[2 * head + i], given = dy[2 * head + i];
      dx[2 * head + i] = r * (w[i] * given - in * r * r / 2 * product);
      dw[i] += r * in * given;
    }
  }
  support::on_ranks<tp>(mesh<tp>{1}, 1, [&](auto& tools) {
    norm_weight<float> const weights{vector_of(w), 0};
    list sums{10, 20};
    vector_gradient<float> const gradients{{sums.data(), extents<hidden>{2}}};
    step_state<> state;
    frame step{tools.execution, weights, state, gradients};
    kept<activation<float const>> const saved{{value(x, 2, 4)}};
    auto const got = run(normalise_grad<plain>{}, step, saved, value(dy, 2, 4));
    accumulate(normalise<plain>{}, step, saved, value(dy, 2, 4));
    for (std::size_t i = 0; i < 8; ++i) CHECK(got.data.data()[i] == doctest::Approx(dx[i]).epsilon(1e-5));
    for (std::size_t i = 0; i < 2; ++i) CHECK(sums[i] == doctest::Approx(10 * double(i + 1) + dw[i]).epsilon(1e-5));
    CHECK(gradient_of(normalise<plain>{}, gradients).data() == sums.data());
    CHECK_THROWS_AS(static_cast<void>(run(normalise_grad<plain>{}, step, saved, value(dy, 4, 2))), error);
  });
}

TEST_CASE("the gradient of a table: a rank adds to its own rows, or its own columns of every row") {
  list const dy = table(3, 2, 1);
  std::vector<std::int64_t> const ids{4, 0, 4};
  kept<token_ids<>> const saved{{token_ids<>{{ids.data(), extents<tokens>{3}}}}};
  auto const check = [&](auto op, index_t full_hidden, int ranks, auto const& expected) {
    support::on_ranks<tp>(mesh<tp>{ranks}, 1, [&](auto& tools) {
      auto const& want = expected[static_cast<std::size_t>(tools.rank)];
      list const part(want.size());
      list sums(want.size());
      auto const height = static_cast<index_t>(want.size()) / 2;
      embedding_table<float> const weights{matrix_of(part, height, 2), 5, full_hidden};
      linear_gradient<float> const gradients{{sums.data(), extents<out_features, in_features>{height, 2}}, {}};
      step_state<> state;
      frame step{tools.execution, weights, state, gradients};
      static_assert(
          std::same_as<decltype(run(typename decltype(op)::conjugate{}, step, saved, value(dy, 3, 2))), no_gradient>);
      accumulate(op, step, saved, value(dy, 3, 2), put_by(op, step));
      CHECK(sums == want);
      CHECK(gradient_of(op, gradients).data() == sums.data());
    });
  };
  using by_rows = embed<placement<on<tp, replicated>>, placement<on<tp, partial>>, placement<on<tp, sharded<vocab>>>>;
  check(by_rows{}, 2, 2, std::vector<list>{{20, 21, 0, 0, 0, 0}, {0, 0, 40, 42}});
  using by_columns =
      embed<placement<on<tp, replicated>>, placement<on<tp, sharded<hidden>>>, placement<on<tp, sharded<hidden>>>>;
  check(by_columns{}, 4, 2, std::vector<list>{{20, 21, 0, 0, 0, 0, 0, 0, 40, 42}, {20, 21, 0, 0, 0, 0, 0, 0, 40, 42}});
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

TEST_CASE("concat_columns puts parts of rows side by side; it undoes slice") {
  in_frames<tp>(mesh<tp>{1}, std::tuple<>{}, [](auto& frame, int) {
    list const a = table(2, 3);
    list const b{3, 13};
    auto const y = run(concat_columns<>{}, frame, value(a, 2, 3), value(b, 2, 1));
    CHECK(read(y) == table(2, 4));
    CHECK(y.full_hidden == 4);
    CHECK(read(run(concat_columns<>{}, frame, value(a, 2, 3), value({}, 2, 0))) == a);
  });
}
