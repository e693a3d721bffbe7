// SPDX-License-Identifier: Apache-2.0
#include <heddle/layer/run_rows.hpp>

#include "numbers.hpp"

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
