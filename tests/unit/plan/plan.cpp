// SPDX-License-Identifier: Apache-2.0
#include <heddle/plan/plan.hpp>
// own header first
#include <doctest/doctest.h>
#include <heddle/style/linear.hpp>

namespace {

namespace hd = heddle;

using sample = hd::plan<hd::rule<"embed", hd::replicated_linear>, hd::rule<"layers.*.up", hd::colwise<hd::tp>>,
                        hd::rule<"layers.*.up.bias", hd::replicated_linear>,
                        hd::rule<"layers.*.down", hd::rowwise<hd::tp>>, hd::rule<"layers.0.down", hd::colwise<hd::tp>>>;

static_assert(std::same_as<hd::style_of<sample, "layers.7.up.weight">, hd::colwise<hd::tp>>);
static_assert(std::same_as<hd::style_of<sample, "layers.*.up">, hd::colwise<hd::tp>>);
static_assert(std::same_as<hd::style_of<sample, "layers.7.up.bias">, hd::replicated_linear>);  // exact before parent
static_assert(sample::find("layers.0.down.weight").count == 2);                                // both rules claim it
static_assert(sample::find("layers.1.down.weight").found());
static_assert(sample::find("head").count == 0);

template <class Function>
hd::error_kind kind_of(Function function, std::string* text = nullptr) {
  try {
    function();
  } catch (hd::error const& problem) {
    if (text != nullptr) *text = problem.what();
    return problem.kind();
  }
  FAIL("no error");
  return {};
}

TEST_CASE("plan: verify names what is unmatched, ambiguous and unused") {
  std::vector<std::string> const names{"layers.0.down.weight", "layers.3.up.weight", "head.weight"};
  hd::plan_report const report = sample::verify(names);
  CHECK(report.unmatched == std::vector<std::string>{"head.weight"});
  CHECK(report.ambiguous == std::vector<std::string>{"layers.0.down.weight"});
  CHECK(report.unused == std::vector<std::string>{"embed", "layers.*.up.bias", "layers.*.down", "layers.0.down"});
}

TEST_CASE("plan: check throws unless allowed") {
  std::string text;
  std::vector<std::string> const missing{"embed.weight", "head.weight"};
  CHECK(kind_of([&] { sample::check(missing, {.unused = true}); }, &text) == hd::error_kind::plan);
  CHECK(text.find("head.weight") != std::string::npos);
  CHECK_NOTHROW(sample::check(missing, {.unmatched = true, .unused = true}));
  CHECK(kind_of([&] { sample::check(missing, {.unmatched = true}); }, &text) == hd::error_kind::plan);
  CHECK(text.find("layers.*.up") != std::string::npos);
  std::vector<std::string> const both{"layers.0.down"};
  CHECK(kind_of([&] { sample::check(both, {.unmatched = true, .unused = true}); }) == hd::error_kind::plan);
  CHECK_NOTHROW(sample::check(both, {.ambiguous = true, .unused = true}));
}

TEST_CASE("plan: visit finds the style of a name at run time") {
  auto const name_of = [](std::string_view name) {
    return sample::visit(name, []<class Style>() { return std::string{Style::name.view()}; });
  };
  CHECK(name_of("layers.11.up.weight") == "colwise");
  CHECK(name_of("layers.1.down.weight") == "rowwise");
  CHECK(name_of("embed.weight") == "replicated");
  CHECK(kind_of([&] { name_of("head"); }) == hd::error_kind::plan);
  CHECK(kind_of([&] { name_of("layers.0.down"); }) == hd::error_kind::plan);
}

TEST_CASE("plan: what is allowed has a style") {
  auto const name_of = [](std::string_view name, hd::plan_allowance allowed) {
    return sample::visit(name, allowed, []<class Style>() { return std::string{Style::name.view()}; });
  };
  CHECK(name_of("head", {.unmatched = true}) == "unruled");
  CHECK(name_of("layers.0.down", {.ambiguous = true}) == "rowwise");  // the first of the two
  CHECK(name_of("embed", {}) == "replicated");
  CHECK(kind_of([&] { name_of("head", {.ambiguous = true}); }) == hd::error_kind::plan);
  CHECK(kind_of([&] { name_of("layers.0.down", {.unmatched = true}); }) == hd::error_kind::plan);
}

}  // namespace
