// SPDX-License-Identifier: Apache-2.0
// The stand-in for doctest against what doctest itself would count: cases, parts, checks that hold and checks that do
// not. It runs cases that must fail and looks at the counts, so its own main decides.
#include <doctest/doctest.h>

#if !defined(HEDDLE_BARE_DOCTEST)
#error "this tests the stand-in: let tests/support/bare stand before doctest's own folder"
#endif

#include <stdexcept>
#include <string>
#include <vector>

namespace {

std::vector<std::string> steps;  // in the order in which parts of cases ran

struct counts {
  long checks, failed_checks;
  int met, failed;
  bool operator==(counts const&) const = default;
};
/// What running the cases whose name has `text` adds to the counts.
counts run(char const* text) {
  auto& all = doctest::bare::all();
  counts const before{all.checks, all.failed_checks, all.met, all.failed};
  std::string const option = std::string{"--test-case="} + text;
  char const* const words[]{"program", option.c_str()};
  doctest::Context const context{2, words};
  bool const good = context.run() == 0;
  counts const found{all.checks - before.checks, all.failed_checks - before.failed_checks, all.met - before.met,
                     all.failed - before.failed};
  return good == (all.failed == 0) ? found : counts{-1, -1, -1, -1};
}

int wrong = 0;
void expect(char const* what, bool holds) {
  if (holds) return;
  ++wrong;
  std::printf("WRONG: %s\n", what);
}

struct opaque {
  int value;
  bool operator==(opaque const&) const = default;
};

}  // namespace

TEST_CASE("good: all words") {
  unsigned const one = 1;
  CHECK(one == 1);
  CHECK(std::vector<int>{1, 2} == std::vector<int>{1, 2});
  CHECK(opaque{3} == opaque{3});
  CHECK(1.0F < 2.0);
  CHECK(one);
  CHECK_FALSE(one == 2);
  CHECK_UNARY(one == 1 && !(one == 2));
  CHECK(1.0 == doctest::Approx(1.0 + 1e-6));
  CHECK_FALSE(1.0 == doctest::Approx(1.1));
  CHECK(1.0 == doctest::Approx(1.1).epsilon(0.2));
  REQUIRE(one >= 1);
  CHECK_MESSAGE(one == 1, "one is ", one);
  CHECK_NOTHROW(steps.clear());
  CHECK_THROWS_AS(throw std::runtime_error("words"), std::runtime_error);
  CHECK_THROWS_AS(throw std::runtime_error("words"), std::exception);
  CHECK_THROWS_WITH_AS(throw std::runtime_error("words"), "words", std::runtime_error);
}
TEST_CASE("bad: every word can fail") {
  int const one = 1;
  CHECK(one == 2);
  CHECK(one != 1);
  CHECK(one > 1);
  CHECK(one - 1);
  CHECK_FALSE(one == 1);
  CHECK_UNARY(one == 2 || one == 3);
  CHECK(1.0 == doctest::Approx(1.001));
  CHECK_MESSAGE(one == 2, "one is ", one);
  CHECK_NOTHROW(throw std::runtime_error("words"));
  CHECK_THROWS_AS(throw std::runtime_error("words"), std::bad_alloc);
  CHECK_THROWS_AS(steps.clear(), std::runtime_error);
  CHECK_THROWS_WITH_AS(throw std::runtime_error("words"), "other words", std::runtime_error);
  CHECK(std::vector<int>{}.at(5) == 1);
  CHECK(one == 1);  // the case goes on
}
TEST_CASE("end: a requirement ends its case") {
  REQUIRE(steps.size() == 1000000);
  CHECK(false);
}
TEST_CASE("end: so does FAIL") {
  FAIL("on purpose, ", 7);
  CHECK(false);
}
TEST_CASE("end: and what nobody catches") { throw 5; }
TEST_CASE_TEMPLATE("typed: a case for each type", T, int, double) { CHECK(sizeof(T) == 4); }
TEST_CASE("parts: each way once") {
  steps.push_back("begin");
  SUBCASE("a") {
    steps.push_back("a");
    SUBCASE("x") { steps.push_back("ax"); }
    SUBCASE("y") { steps.push_back("ay"); }
  }
  SUBCASE("b") { steps.push_back("b"); }
  steps.push_back("end");
}
TEST_CASE("notes: go with their scope") {
  { CAPTURE(steps.size()); }
  CAPTURE(steps.size());
  INFO("and ", 5);
  expect("two notes", doctest::bare::all().notes.size() == 2);
}

int main() {
  expect("what holds, holds", run("good:") == counts{16, 0, 1, 0});
  expect("notes are kept by scope", run("notes:") == counts{0, 0, 1, 0});
  expect("and forgotten", doctest::bare::all().notes.empty());
  steps.clear();
  expect("parts do not fail", run("parts:") == counts{0, 0, 1, 0});
  std::vector<std::string> const order{"begin", "a", "ax", "end", "begin", "a", "ay", "end", "begin", "b", "end"};
  expect("each way of parts ran once, in order", steps == order);
  expect("what does not hold, fails", run("bad:") == counts{14, 13, 1, 1});
  expect("what ends a case, ends it", run("end:") == counts{3, 3, 3, 3});
  expect("a case for each type", run("typed:") == counts{2, 1, 2, 1});
  expect("a name that nothing has, finds nothing", run("no such name") == counts{0, 0, 0, 0});
  std::printf("%s\n", wrong == 0 ? "the stand-in counts as it should" : "the stand-in is wrong");
  return wrong == 0 ? 0 : 1;
}
