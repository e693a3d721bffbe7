// SPDX-License-Identifier: Apache-2.0
#include <heddle/sequence/leading.hpp>

#include <doctest/doctest.h>

using namespace heddle;

namespace {

struct three_apart;
/// One value becomes three.
struct three : operation_base<"three", placement<>, ports<placement<>, placement<>, placement<>>, three_apart> {};
struct three_apart : operation_base<"sum", ports<placement<>, placement<>, placement<>>, placement<>, three> {};
struct pair_apart;
/// Two values become one, cut over tp.
struct pair : operation_base<"pair", ports<placement<on<tp, replicated>>, placement<on<tp, replicated>>>,
                             placement<on<tp, sharded<tokens>>>, pair_apart> {
  using parameter = placement<>;
};
struct pair_apart : operation_base<"apart", placement<on<tp, sharded<tokens>>>,
                                   ports<placement<on<tp, replicated>>, placement<on<tp, replicated>>>, pair> {};
struct talk;
struct talk_back : operation_base<"listen", placement<>, placement<>, talk> {};
struct talk : operation_base<"talk", placement<>, placement<>, talk_back> {
  static constexpr bool communicates = true;
};

using two_of_three = sequence<three, leading<2, 1, sequence<pair>>>;

}  // namespace

TEST_CASE("leading: the first values go through the branch, the last one waits behind its result") {
  static_assert(
      std::same_as<two_of_three::to, ports<placement<on<tp, sharded<tokens>>>, placement<on<tp, replicated>>>>);
  static_assert(std::same_as<two_of_three::from, placement<on<tp, replicated>>>);
  CHECK(describe<two_of_three>() == "three leading<2>(pair)");
}

TEST_CASE("leading: its conjugate leads as many as it gave") {
  static_assert(std::same_as<conjugate_t<leading<2, 1, sequence<pair>>>, leading<1, 2, sequence<pair_apart>>>);
  static_assert(std::same_as<conjugate_t<conjugate_t<two_of_three>>, two_of_three>);
  CHECK(describe<conjugate_t<two_of_three>>() == "leading<1>(apart) sum");
}

TEST_CASE("leading: parameters and collectives of the branch are found") {
  static_assert(std::same_as<detail::parameters_of<two_of_three>::type, type_list<placement<>>>);
  static_assert(!detail::speaks<two_of_three>::value);
  static_assert(detail::speaks<leading<1, 1, sequence<talk>>>::value);
}
