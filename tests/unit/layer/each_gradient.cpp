// SPDX-License-Identifier: Apache-2.0
#include <heddle/layer/each_gradient.hpp>

#include <doctest/doctest.h>
#include <heddle/style/linear.hpp>
#include <heddle/style/norm.hpp>
#include <vector>

using namespace heddle;

namespace {

using norm_and_two = layer<replicated_norm, colwise<tp>, rowwise<tp>>;
struct numbers {
  std::vector<float> norm = std::vector<float>(3), first = std::vector<float>(6), second = std::vector<float>(8),
                     bias = std::vector<float>(2);
  linear_gradient<float> one() { return {{first.data(), extents<out_features, in_features>{2, 3}}, vector(bias)}; }
  linear_gradient<float> two() { return {{second.data(), extents<out_features, in_features>{4, 2}}}; }
  vector_gradient<float> scale() { return {vector(norm)}; }
  static vector_view<float> vector(std::vector<float>& data) {
    return {data.data(), extents<hidden>{static_cast<index_t>(data.size())}};
  }
};
template <class Kinds = type_list<int, int, int, int, int>, class Gradients>
std::vector<std::pair<std::size_t, index_t>> distinct(Gradients const& gradients) {
  std::vector<std::pair<std::size_t, index_t>> met;
  detail::each_distinct_gradient<norm_and_two, Kinds>(
      gradients, [&]<std::size_t Index>(auto, auto gradient, std::integral_constant<std::size_t, Index>) {
        met.emplace_back(Index, gradient.count());
      });
  return met;
}

}  // namespace

TEST_CASE("each_gradient: the parameters of a layer in forward order, empty ones too") {
  numbers n;
  std::vector<index_t> counts;
  std::vector<std::size_t> places;
  detail::each_gradient<norm_and_two>(
      std::tuple{n.scale(), n.one(), n.two()},
      [&]<std::size_t Index>(auto, auto gradient, std::integral_constant<std::size_t, Index>) {
        places.push_back(Index);
        counts.push_back(gradient.count());
      });
  CHECK(places == std::vector<std::size_t>{0, 1, 2, 3, 4});
  CHECK(counts == std::vector<index_t>{3, 6, 2, 8, 0});
}

TEST_CASE("each_distinct_gradient: what is there, once") {
  numbers n;
  using list = std::vector<std::pair<std::size_t, index_t>>;
  CHECK(distinct(std::tuple{n.scale(), n.one(), n.two()}) == list{{0, 3}, {1, 6}, {2, 2}, {3, 8}});
  CHECK(distinct(std::tuple{n.scale(), n.one(), n.one()}) == list{{0, 3}, {1, 6}, {2, 2}});
}

TEST_CASE("each_distinct_gradient: one memory for two different things is refused") {
  numbers n;
  auto shorter = n.one();
  shorter.bias = {n.bias.data(), extents<hidden>{1}};
  CHECK_THROWS_AS(static_cast<void>(distinct(std::tuple{n.scale(), n.one(), shorter})), error);
  using kinds = type_list<int, int, int, long, int>;
  CHECK_THROWS_AS(static_cast<void>(distinct<kinds>(std::tuple{n.scale(), n.one(), n.one()})), error);
}
