// SPDX-License-Identifier: Apache-2.0
#include <heddle/layer/sum_values.hpp>

#include "numbers.hpp"

#include <doctest/doctest.h>

using namespace heddle;
using namespace numbers;

TEST_CASE("values are added in order, into memory of their own; other widths are refused") {
  in_frames<tp>(mesh<tp>{1}, std::tuple<>{}, [](auto& frame, int) {
    list const a{1, 2};
    list const b{10, 20};
    list const c{100, 200};
    CHECK(read(detail::sum(frame, value(a, 1, 2, 9), value(b, 1, 2, 9), value(c, 1, 2, 9))) == list{111, 222});
    CHECK(detail::sum(frame, value(a, 1, 2, 9), value(b, 1, 2, 9)).full_hidden == 9);
    CHECK(a == list{1, 2});
    CHECK(detail::sum(frame, value(a, 1, 2)).data.data() == a.data());
    list const large{1e8F};
    list const small{1};
    list const minus{-1e8F};
    CHECK(read(detail::sum(frame, value(large, 1, 1), value(small, 1, 1), value(minus, 1, 1))) == list{0});
    CHECK_THROWS_AS(static_cast<void>(detail::sum(frame, value(a, 1, 2), value(a, 2, 1))), error);
  });
}
