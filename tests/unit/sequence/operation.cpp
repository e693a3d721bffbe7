// SPDX-License-Identifier: Apache-2.0
#include <heddle/sequence/operation.hpp>

#include <doctest/doctest.h>

using namespace heddle;

namespace {

struct back;
struct forth : operation_base<"forth", placement<on<tp, replicated>>, placement<on<tp, varying>>, back, tp> {};
struct back : operation_base<"back", placement<on<tp, partial>>, placement<on<tp, replicated>>, forth, tp> {};

// Each breaks one part of the law.
struct wrong_from;
struct wrong_from_back : operation_base<"x", placement<on<tp, varying>>, placement<on<tp, replicated>>, wrong_from> {};
struct wrong_from : operation_base<"x", placement<on<tp, replicated>>, placement<on<tp, varying>>, wrong_from_back> {};
struct wrong_to;
struct wrong_to_back : operation_base<"x", placement<on<tp, partial>>, placement<on<tp, varying>>, wrong_to> {};
struct wrong_to : operation_base<"x", placement<on<tp, replicated>>, placement<on<tp, varying>>, wrong_to_back> {};
struct one_way : operation_base<"x", placement<on<tp, replicated>>, placement<on<tp, varying>>, back> {};

struct trained : forth {
  using parameter = placement<>;
};

}  // namespace

TEST_CASE("obeys_law: dual placements the other way, and twice is the operation itself") {
  static_assert(obeys_law<forth> && obeys_law<back>);
  static_assert(!obeys_law<wrong_from> && !obeys_law<wrong_to>);
  static_assert(!obeys_law<one_way>);
}

TEST_CASE("operation: the base states everything, a parameter makes it parameterised") {
  static_assert(operation<forth> && !operation<int> && !operation<placement<>>);
  static_assert(!parameterised<forth> && parameterised<trained>);
  static_assert(forth::linear && std::same_as<forth::labels, type_list<tp>>);
  CHECK(forth::name.view() == "forth");
}
