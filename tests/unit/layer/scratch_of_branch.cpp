// SPDX-License-Identifier: Apache-2.0
#include <heddle/layer/scratch_of_branch.hpp>

#include "numbers.hpp"

#include <doctest/doctest.h>

using namespace heddle;
using namespace numbers;

namespace {

template <class Body>
void in_scratch(Body const& body) {
  support::on_ranks<tp>(mesh<tp>{1}, 1, [&](auto& tools) {
    step_state<> state;
    std::tuple<> const weights;
    frame step{tools.execution, weights, state};
    body(step, tools.scratch, state);
  });
}
template <class Frame>
activation<float> filled(Frame& frame, index_t height, index_t width) {
  auto const y = frame.template scratch_rows<float>(height, width);
  list const numbers = table(height, width);
  std::copy(numbers.begin(), numbers.end(), y.data());
  return {y, width};
}

}  // namespace

TEST_CASE("a branch leaves its result where it began, and gives the rest back") {
  in_scratch([](auto& frame, host::workspace& scratch, auto&) {
    auto const before = frame.template scratch<float>(5);
    std::size_t const used = scratch.used_bytes();
    detail::scratch_of_branch const branch{frame};
    static_cast<void>(frame.template scratch<float>(100));
    auto const [y] = branch.keep_only(std::tuple{filled(frame, 7, 9)});
    CHECK(read(y) == table(7, 9));
    CHECK(y.full_hidden == 9);
    CHECK(scratch.used_bytes() == used + 256);  // 63 floats, rounded up to whole lines
    CHECK(y.data.data() >= before.data() + 5);
    CHECK(frame.template scratch<float>(1).data() >= y.data.data() + 63);
  });
}

TEST_CASE("a result larger than what lay before it, and one in another block, arrive whole") {
  in_scratch([](auto& frame, host::workspace& scratch, auto&) {
    std::size_t const used = scratch.used_bytes();
    detail::scratch_of_branch const branch{frame};
    static_cast<void>(frame.template scratch<float>(16));
    auto const [y] = branch.keep_only(std::tuple{filled(frame, 100, 10)});  // it overlaps its new place
    CHECK(read(y) == table(100, 10));
    detail::scratch_of_branch const second{frame};
    static_cast<void>(frame.template scratch<float>(1 << 18));
    auto const [z] = second.keep_only(std::tuple{filled(frame, 1000, 500)});
    CHECK(read(z) == table(1000, 500));
    CHECK(scratch.used_bytes() == used + 4032 + 2000000);
  });
}

TEST_CASE("a value that was there before stays, beside a new one") {
  in_scratch([](auto& frame, host::workspace&, auto&) {
    list const w{1, 2};
    row_gates<> const weights{{w.data(), extents<tokens>{2}}};
    detail::scratch_of_branch const branch{frame};
    static_cast<void>(frame.template scratch<float>(100));
    auto const [y, same] = branch.keep_only(std::tuple{filled(frame, 2, 3), weights});
    CHECK(same.weights.data() == w.data());
    CHECK(read(y) == table(2, 3));
  });
}

TEST_CASE("nothing is given back where the state of the step grew, or where two values are new") {
  in_scratch([](auto& frame, host::workspace& scratch, auto&) {
    {
      detail::scratch_of_branch const branch{frame};
      auto const counts = frame.counts(3);
      frame.routing.expert_rows = counts;
      auto const x = filled(frame, 2, 3);
      std::size_t const used = scratch.used_bytes();
      auto const [y] = branch.keep_only(std::tuple{x});
      CHECK(y.data.data() == x.data.data());
      CHECK(scratch.used_bytes() == used);
    }
    detail::scratch_of_branch const branch{frame};
    auto const a = filled(frame, 2, 3);
    auto const b = filled(frame, 3, 2);
    auto const [c, d] = branch.keep_only(std::tuple{a, b});
    CHECK(c.data.data() == a.data.data());
    CHECK(d.data.data() == b.data.data());
  });
}
