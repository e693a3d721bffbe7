// SPDX-License-Identifier: Apache-2.0
#include <heddle/layer/walk_abreast.hpp>

#include <doctest/doctest.h>
#include <vector>

using namespace heddle;

namespace {

/// Numbers instead of tensors; a frame is the list of what ran.
using list = std::vector<int>;
template <int Factor>
struct scaled_back;
/// x -> Factor x, trained: its gradient is written down.
template <int Factor>
struct scaled : operation_base<"scaled", placement<>, placement<>, scaled_back<Factor>> {
  static constexpr keep keeps = keep::inputs;
  using parameter = placement<>;
};
template <int Factor>
struct scaled_back : operation_base<"scaled_back", placement<>, placement<>, scaled<Factor>> {};

template <int Factor>
int run(scaled<Factor>, list& ran, int x) {
  ran.push_back(Factor);
  return Factor * x;
}
template <int Factor>
int run(scaled_back<Factor>, list& ran, kept<int> const&, int dy) {
  ran.push_back(-Factor);
  return Factor * dy;
}
template <int Factor>
void accumulate(scaled<Factor>, list& sums, kept<int> const& saved, int dy) {
  sums.push_back(std::get<0>(saved.values) * dy);
}

using three = abreast<sequence<scaled<2>, scaled<3>>, sequence<>, sequence<scaled<5>>>;

}  // namespace

TEST_CASE("abreast at run time: forward, back and for the weights, the first branch first in both directions") {
  list ran;
  auto const forward = detail::walk<detail::training, three>::through(ran, std::tuple{1, 10, 100});
  CHECK(forward.values == std::tuple{6, 10, 500});
  CHECK(ran == list{2, 3, 5});
  ran.clear();
  auto const back = detail::walk_back<three>::through(ran, forward.saved, std::tuple{7, 8, 9});
  CHECK(back.values == std::tuple{42, 8, 45});
  CHECK(ran == list{-3, -2, -5});
  list sums;
  detail::walk_weights<three>::through(sums, forward.saved, back.pending);
  CHECK(sums == list{100 * 9, 2 * 7, 1 * 21});
  CHECK(detail::walk<detail::inference, three>::through(ran, std::tuple{2, 3, 4}).values == std::tuple{12, 3, 20});
}
