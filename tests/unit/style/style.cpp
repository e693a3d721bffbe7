// SPDX-License-Identifier: Apache-2.0
#include <heddle/style/style.hpp>

#include <doctest/doctest.h>
#include <heddle/sequence/describe.hpp>

using namespace heddle;

namespace {

struct cross : group<"cross", 35> {};

}  // namespace

TEST_CASE("convert_t: the one collective between two states") {
  CHECK(describe<convert_t<tp, replicated, replicated>>() == "");
  CHECK(describe<convert_t<tp, partial, partial>>() == "");
  CHECK(describe<convert_t<tp, replicated, varying>>() == "copy<tp>");
  CHECK(describe<convert_t<tp, partial, replicated>>() == "all_reduce<tp>");
  CHECK(describe<convert_t<tp, replicated, sharded<hidden, balanced>>>() == "split<tp, hidden>");
  CHECK(describe<convert_t<tp, sharded<hidden, balanced>, replicated>>() == "unsplit<tp, hidden>");
  CHECK(describe<convert_t<tp, sharded<tokens>, varying>>() == "all_gather<tp, tokens>");
  CHECK(describe<convert_t<tp, partial, sharded<tokens>>>() == "reduce_scatter<tp, tokens>");
}

TEST_CASE("convert_t: every conversion starts and ends where it says") {
  auto check = []<class From, class To>(From, To) {
    using steps = convert_t<cross, From, To>;
    static_assert(std::same_as<typename steps::from, placement<on<cross, From>>> &&
                  std::same_as<typename steps::to, placement<on<cross, To>>>);
    static_assert(std::same_as<conjugate_t<steps>,
                               convert_t<cross, dual_t<To>, dual_t<From>>>);  // a conversion's conjugate is one
  };
  check(replicated{}, varying{});
  check(partial{}, replicated{});
  check(replicated{}, sharded<hidden, balanced>{});
  check(sharded<tokens, as_given>{}, replicated{});
  check(sharded<tokens>{}, varying{});
  check(partial{}, sharded<tokens>{});
}

TEST_CASE("linear_style: a user's style is a line") {
  using balanced_colwise = linear_style<"balanced_colwise", cross, replicated, sharded<out_features, balanced>,
                                        sharded<out_features, balanced>, sharded<hidden, balanced>>;
  CHECK(balanced_colwise::name.view() == "balanced_colwise");
  CHECK(describe<balanced_colwise::forward>() == "copy<cross> gemm add_bias");
  static_assert(std::same_as<balanced_colwise::forward::to, placement<on<cross, sharded<hidden, balanced>>>>);
}
