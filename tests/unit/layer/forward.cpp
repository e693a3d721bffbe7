// SPDX-License-Identifier: Apache-2.0
#include <heddle/layer/forward.hpp>

#include "numbers.hpp"

#include <doctest/doctest.h>
#include <heddle/style/experts.hpp>
#include <heddle/style/norm.hpp>

using namespace heddle;
using namespace numbers;
using support::matrix_of;
using support::on_ranks;
using support::rows_of;
using support::vector_of;

namespace {

template <class Sequence>
struct style_of {
  static constexpr fixed_string name = "style";
  using weight = placement<>;
  using bias = placement<>;
  using forward = Sequence;
};
using divide = spread<tp>;
using to_parts = sequence<copy<tp>>;
using enter = style_of<sequence<copy<tp>>>;

/// Two linear layers side by side.
struct left_role {
  static constexpr auto const& of(auto const& weights) { return weights.left; }
};
struct right_role {
  static constexpr auto const& of(auto const& weights) { return weights.right; }
};
struct side_by_side {
  heddle::linear<float> left, right;
};
template <class Role>
using side = sequence<gemm<placement<>, placement<>, placement<>, Role>>;

/// Says when it runs.
template <int Name>
struct mark : operation_base<"mark", placement<>, placement<>, mark<Name>> {};
std::vector<int> marks;
template <int Name, class Frame, class Value>
Value run(mark<Name>, Frame&, Value value) {
  marks.push_back(Name);
  return value;
}

}  // namespace

TEST_CASE("a style that changes nothing gives back the caller's memory") {
  on_ranks<tp>(mesh<tp>{1}, 1, [](auto& tools) {
    list const x = table(2, 2);
    CHECK(heddle::infer<style_of<sequence<>>>(tools.execution, std::tuple<>{}, rows_of(x, 2, 2)).data.data() ==
          x.data());
    CHECK(heddle::infer<grouped_gemm<ep>>(tools.execution, std::tuple<>{}, rows_of(x, 2, 2)).full_hidden == 2);
  });
}

TEST_CASE("a layer runs style after style, each with parameters on its own entry of the tuple") {
  list const w1{1, 2};
  list const w2{1, 1, 1, -1};
  list const w3{3, 0};
  on_ranks<tp>(mesh<tp>{1}, 1, [&](auto& tools) {
    using three = layer<replicated_norm, style_of<sequence<>>, replicated_linear, replicated_linear>;
    list const x{2, -2};
    std::tuple const weights{norm_weight<float>{vector_of(w1), 0}, heddle::linear<float>{matrix_of(w2, 2, 2), 2, 2},
                             heddle::linear<float>{matrix_of(w3, 1, 2), 1, 2}};
    CHECK(read(heddle::infer<three>(tools.execution, weights, rows_of(x, 1, 2))) ==
          list{-3});  // (1, -2) -> (-1, 3) -> -3
  });
}

TEST_CASE("branches of a fork read one value, and none may write it; join adds in order") {
  on_ranks<tp>(mesh<tp>{2}, 1, [](auto& tools) {
    using twice =
        style_of<sequence<copy<tp>, divide,
                          heddle::fork<sequence<all_reduce<tp>>, sequence<all_reduce<tp>>, sequence<all_reduce<tp>>>,
                          join<sequence<>, sequence<>, sequence<>>>>;
    list const x{1, 2};
    CHECK(read(heddle::infer<twice>(tools.execution, std::tuple<>{}, rows_of(x, 1, 2))) == list{3, 6});
    CHECK(x == list{1, 2});
  });
}

TEST_CASE("a residual adds the branch to the value itself") {
  list const w{2, 0, 0, 2};
  on_ranks<tp>(mesh<tp>{1}, 1, [&](auto& tools) {
    using block = style_of<residual<replicated_linear::forward>>;
    list const x{1, 5};
    CHECK(read(heddle::infer<block>(tools.execution, heddle::linear<float>{matrix_of(w, 2, 2), 2, 2},
                                      rows_of(x, 1, 2))) == list{3, 15});
  });
}

TEST_CASE("several values: on_port takes one, each takes all, in a tuple out") {
  on_ranks<tp>(mesh<tp>{2}, 1, [](auto& tools) {
    using second = style_of<sequence<on_port<1, sequence<copy<tp>, divide>>>>;
    list const a{8};
    list const b{6};
    auto const [first, divided] =
        heddle::infer<second>(tools.execution, std::tuple<>{}, std::tuple{value(a, 1, 1), value(b, 1, 1)});
    CHECK(first.data.data() == a.data());
    CHECK(read(divided) == list{3});
    using all = style_of<sequence<each<sequence<copy<tp>, divide>>>>;
    auto const [x, y] =
        heddle::infer<all>(tools.execution, std::tuple<>{}, std::tuple{value(a, 1, 1), value(b, 1, 1)});
    CHECK(read(x) == list{4});
    CHECK(read(y) == list{3});
  });
}

TEST_CASE("mutable rows of the caller are not written") {
  on_ranks<tp>(mesh<tp>{2}, 1, [](auto& tools) {
    list x{1, 2};
    using sum = style_of<sequence<all_reduce<tp>>>;
    rows<float> const mine{x.data(), extents<tokens, hidden>{1, 2}};
    CHECK(read(heddle::infer<sum>(tools.execution, std::tuple<>{}, mine)) == list{2, 4});
    CHECK(x == list{1, 2});
  });
}

TEST_CASE("has_parameters decides which styles take an entry") {
  static_assert(detail::has_parameters<replicated_linear>);
  static_assert(detail::has_parameters<replicated_norm>);
  static_assert(!detail::has_parameters<gated<tp>>);
  static_assert(!detail::has_parameters<enter>);
  CHECK(detail::has_parameters<layer<gated<tp>, rowwise<tp>>>);
}

TEST_CASE("the branches of a join run in order, on every compiler") {
  on_ranks<tp>(mesh<tp>{1}, 1, [](auto& tools) {
    using marked = style_of<sequence<heddle::fork<sequence<>, sequence<>, sequence<>>,
                                     join<sequence<mark<1>>, sequence<mark<2>>, sequence<mark<3>>>>>;
    list const x{1};
    marks.clear();
    CHECK(read(heddle::infer<marked>(tools.execution, std::tuple<>{}, rows_of(x, 1, 1))) == list{3});
    CHECK(marks == std::vector<int>{1, 2, 3});
  });
}

TEST_CASE("branches of different widths cannot be summed") {
  list const w(8, 1.0F);
  on_ranks<tp>(mesh<tp>{1}, 1, [&](auto& tools) {
    using sum = style_of<sequence<heddle::fork<side<left_role>, side<right_role>>, join<sequence<>, sequence<>>>>;
    side_by_side const weights{{matrix_of(w, 4, 2), 4, 2}, {matrix_of(w, 2, 2), 2, 2}};
    list const x{1, 1};
    CHECK_THROWS_WITH_AS(static_cast<void>(heddle::infer<sum>(tools.execution, weights, rows_of(x, 1, 2))),
                         doctest::Contains("a branch of a join is 2 wide and 4 is needed"), error);
  });
}
