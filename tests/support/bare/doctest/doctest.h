// SPDX-License-Identifier: Apache-2.0
// Stands in for doctest where it is not installed, as on a machine that only has a GPU and its toolkit: the macros that
// the tests of this repository use, with the same meaning, and nothing else. It is not doctest and shares no line with
// it. tests/support/bare/self_test.cpp holds the two against each other.
#pragma once

#include <cstdio>
#include <cstring>
#include <exception>
#include <mutex>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

/// Says that this is the stand-in.
#define HEDDLE_BARE_DOCTEST 1

namespace doctest {

/// Equal within a relative part of the larger of 1 and the value.
class Approx {
 public:
  explicit Approx(double value) : value_{value} {}
  Approx& epsilon(double part) {
    epsilon_ = part;
    return *this;
  }
  Approx& scale(double size) {
    scale_ = size;
    return *this;
  }
  [[nodiscard]] bool equals(double other) const {
    double const own = value_ < 0 ? -value_ : value_, given = other < 0 ? -other : other;
    double const apart = other < value_ ? value_ - other : other - value_;
    return apart < epsilon_ * (scale_ + (own < given ? given : own));
  }
  [[nodiscard]] double value() const { return value_; }

  template <class T>
    requires std::is_convertible_v<T, double>
  friend bool operator==(T const& other, Approx const& to) { return to.equals(static_cast<double>(other)); }

 private:
  double value_;
  double epsilon_ = 1.1920928955078125e-7 * 100;
  double scale_ = 1;
};

namespace bare {

/// What ends a test case early: a REQUIRE that does not hold.
struct ended {};

template <class T>
concept has_size_and_data = requires(T const& x) {
  x.data();
  x.size();
};

/// A value for people to read, where it is one that can be written.
template <class T>
std::string text_of(T const& value) {
  if constexpr (std::is_same_v<T, bool>) return value ? "true" : "false";
  else if constexpr (std::is_same_v<T, std::nullptr_t>) return "nullptr";
  else if constexpr (std::is_same_v<T, Approx>)
    return std::string{"Approx("}.append(text_of(value.value())).append(")");
  else if constexpr (std::is_enum_v<T>) return text_of(static_cast<std::underlying_type_t<T>>(value));
  else if constexpr (std::is_convertible_v<T const&, std::string_view>) return std::string{std::string_view{value}};
  else if constexpr (std::is_integral_v<T>) return std::to_string(value);
  else if constexpr (std::is_floating_point_v<T>) {
    char text[40];
    std::snprintf(text, sizeof text, "%.9g", static_cast<double>(value));
    return text;
  } else if constexpr (std::is_convertible_v<T, double>) return text_of(static_cast<double>(value));
  else if constexpr (has_size_and_data<T>)
    return std::string{"["}.append(std::to_string(value.size())).append(" values]");
  else return "{?}";
}

struct outcome {
  bool holds;
  std::string values;
};

/// The left side of what is checked; the operator behind it makes an outcome.
template <class Left>
struct left_side {
  Left const& left;
  bool turned;

  template <class Right>
  [[nodiscard]] outcome made(bool found, char const* sign, Right const& right) const {
    return {found != turned, text_of(left) + " " + sign + " " + text_of(right)};
  }
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wsign-compare"
#pragma GCC diagnostic ignored "-Wfloat-equal"
#pragma GCC diagnostic ignored "-Wconversion"
  template <class Right>
  outcome operator==(Right const& right) const {
    return made(static_cast<bool>(left == right), "==", right);
  }
  template <class Right>
  outcome operator!=(Right const& right) const {
    return made(static_cast<bool>(left != right), "!=", right);
  }
  template <class Right>
  outcome operator<(Right const& right) const {
    return made(static_cast<bool>(left < right), "<", right);
  }
  template <class Right>
  outcome operator<=(Right const& right) const {
    return made(static_cast<bool>(left <= right), "<=", right);
  }
  template <class Right>
  outcome operator>(Right const& right) const {
    return made(static_cast<bool>(left > right), ">", right);
  }
  template <class Right>
  outcome operator>=(Right const& right) const {
    return made(static_cast<bool>(left >= right), ">=", right);
  }
#pragma GCC diagnostic pop
  operator outcome() const {  // a value alone is checked too
    return {static_cast<bool>(left) != turned, text_of(left)};
  }
};
struct reader {
  bool turned = false;
  template <class Left>
  left_side<Left> operator<<(Left const& left) const {
    return {left, turned};
  }
};

struct test_case {
  std::string name;
  char const* file;
  int line;
  void (*run)();
};

/// All that a program knows: its cases, where the one that runs is, and what came of it.
struct program {
  std::recursive_mutex lock;  ///< ranks that are threads check too
  std::vector<test_case> cases;
  std::vector<std::string> notes;  ///< of CAPTURE, INFO
  long checks = 0, failed_checks = 0;
  int met = 0, failed = 0;
  bool failing = false;
  // Parts of a case: the way to the one that runs, those that are done, and for each depth of the way whether one was
  // entered in this run and whether one is left for another.
  std::vector<std::string> way, done;
  std::vector<bool> entered{false}, left{false};
};
inline program& all() {
  static program one;
  return one;
}

inline void report(char const* file, int line, char const* word, std::string const& what) {
  std::printf("%s:%d: %s: %s\n", file, line, word, what.c_str());
  for (std::string const& note : all().notes) std::printf("  with %s\n", note.c_str());
}
/// Counts a check and reports it where it does not hold; `ends` is for REQUIRE.
inline void judge(bool holds, char const* file, int line, std::string const& what, bool ends) {
  std::lock_guard const alone{all().lock};
  ++all().checks;
  if (holds) return;
  ++all().failed_checks;
  all().failing = true;
  report(file, line, "FAILED", what);
  if (ends) throw ended{};
}

inline void complain_of(std::exception_ptr const& problem, char const* file, int line, std::string const& what) {
  std::string said = " threw something";
  try {
    std::rethrow_exception(problem);
  } catch (std::exception const& known) {
    said = std::string{" threw "} + known.what();
  } catch (...) {}
  judge(false, file, line, what + said, false);
}

/// `make` returns the outcome; a throw is a failure of this check alone.
template <class Make>
void check(char const* file, int line, char const* text, bool ends, Make const& make) {
  outcome found{false, {}};
  try {
    found = make();
  } catch (ended const&) {
    throw;
  } catch (...) {
    complain_of(std::current_exception(), file, line, text);
    if (ends) throw ended{};
    return;
  }
  judge(found.holds, file, line, found.holds ? std::string{} : std::string{text} + "  (" + found.values + ")", ends);
}

/// `work` must throw an `Error`, with `message` where one is given.
template <class Error, class Work>
void check_throws(char const* file, int line, char const* text, char const* message, Work const& work) {
  try {
    work();
  } catch (std::remove_cvref_t<Error> const& problem) {
    if constexpr (std::is_base_of_v<std::exception, std::remove_cvref_t<Error>>) {
      if (message != nullptr && std::strcmp(problem.what(), message) != 0)
        return judge(false, file, line, std::string{text} + " threw with other words: " + problem.what(), false);
    }
    return judge(true, file, line, {}, false);
  } catch (...) {
    return complain_of(std::current_exception(), file, line, text);
  }
  judge(false, file, line, std::string{text} + " did not throw", false);
}
template <class Work>
void check_quiet(char const* file, int line, char const* text, Work const& work) {
  try {
    work();
  } catch (...) {
    return complain_of(std::current_exception(), file, line, text);
  }
  judge(true, file, line, {}, false);
}

/// Text of parts, as CHECK_MESSAGE and FAIL take them.
template <class... Parts>
std::string joined(Parts const&... parts) {
  std::string all;
  (all.append(text_of(parts)), ...);
  return all;
}

/// A note that failures in its scope carry.
class note {
 public:
  explicit note(std::string text) {
    std::lock_guard const alone{all().lock};
    all().notes.push_back(std::move(text));
  }
  note(note const&) = delete;
  note& operator=(note const&) = delete;
  ~note() {
    std::lock_guard const alone{all().lock};
    all().notes.pop_back();
  }
};

/// One part of a case. A case runs again until every part at the end of a way has run once.
class part {
 public:
  part(char const* name, char const* file, int line) {
    program& now = all();
    now.way.push_back(std::string{file} + ":" + std::to_string(line) + name);
    std::size_t const depth = now.way.size() - 1;
    bool is_done = false;
    for (std::string const& known : now.done) is_done = is_done || known == key();
    if (!is_done && !now.entered[depth]) {
      now.entered[depth] = true;
      now.entered.push_back(false);
      now.left.push_back(false);
      inside_ = true;
      return;
    }
    if (!is_done) now.left[depth] = true;
    now.way.pop_back();
  }
  part(part const&) = delete;
  part& operator=(part const&) = delete;
  ~part() {
    if (!inside_) return;
    program& now = all();
    bool const more = now.left.back();
    now.entered.pop_back();
    now.left.pop_back();
    if (more) now.left.back() = true;
    else now.done.push_back(key());
    now.way.pop_back();
  }
  explicit operator bool() const { return inside_; }

 private:
  static std::string key() {
    std::string made;
    for (std::string const& step : all().way) made += step + "\n";
    return made;
  }
  bool inside_ = false;
};

inline int add(std::string name, char const* file, int line, void (*run)()) {
  all().cases.push_back({std::move(name), file, line, run});
  return 0;
}
template <class T>
struct of_type {
  using type = T;
};
template <class... Types, class Add>
int add_each(Add const& with) {
  (with(of_type<Types>{}), ...);
  return 0;
}

/// Runs one case, with all its parts.
inline void run(test_case const& each) {
  program& now = all();
  now.failing = false;
  now.done.clear();
  do {
    now.left.assign(1, false);
    now.entered.assign(1, false);
    try {
      each.run();
    } catch (ended const&) {
    } catch (...) {
      complain_of(std::current_exception(), each.file, each.line, "the case");
    }
  } while (now.left[0]);
  ++now.met;
  if (!now.failing) return;
  ++now.failed;
  std::printf("  in the case \"%s\"\n", each.name.c_str());
}

}  // namespace bare

/// Runs the cases of the program. Options: `--test-case=TEXT` runs those whose name has TEXT, without its stars.
class Context {
 public:
  Context() = default;
  Context(int argc, char const* const* argv) {
    for (int i = 1; i < argc; ++i) {
      std::string_view const word{argv[i]};
      if (auto const at = word.find("test-case="); at != std::string_view::npos) {
        for (char const letter : word.substr(at + 10))
          if (letter != '*') wanted_ += letter;
      }
    }
  }
  [[nodiscard]] int run() const {
    bare::program& now = bare::all();
    for (bare::test_case const& each : now.cases)
      if (each.name.find(wanted_) != std::string::npos) bare::run(each);
    std::printf("%d cases, %d failed; %ld checks, %ld failed\n", now.met, now.failed, now.checks, now.failed_checks);
    return now.failed == 0 ? 0 : 1;
  }

 private:
  std::string wanted_;
};

}  // namespace doctest

#define HEDDLE_BARE_JOIN_(a, b) a##b
#define HEDDLE_BARE_JOIN(a, b) HEDDLE_BARE_JOIN_(a, b)
#define HEDDLE_BARE_NAME(what) HEDDLE_BARE_JOIN(what, __LINE__)

#define HEDDLE_BARE_CASE(function, name)                                 \
  static void function();                                                \
  static int const HEDDLE_BARE_JOIN(function, _added) [[maybe_unused]] = \
      ::doctest::bare::add(name, __FILE__, __LINE__, &function);         \
  static void function()
#define TEST_CASE(name) HEDDLE_BARE_CASE(HEDDLE_BARE_NAME(heddle_bare_case_), name)

#define HEDDLE_BARE_TEMPLATE(body, name, T, ...)                                                                     \
  template <class T>                                                                                                 \
  struct body {                                                                                                      \
    static void run();                                                                                               \
  };                                                                                                                 \
  static int const HEDDLE_BARE_JOIN(body, _added) [[maybe_unused]] = ::doctest::bare::add_each<__VA_ARGS__>(         \
      [](auto each) { ::doctest::bare::add(name, __FILE__, __LINE__, &body<typename decltype(each)::type>::run); }); \
  template <class T>                                                                                                 \
  void body<T>::run()
#define TEST_CASE_TEMPLATE(name, T, ...) HEDDLE_BARE_TEMPLATE(HEDDLE_BARE_NAME(heddle_bare_case_), name, T, __VA_ARGS__)

#define SUBCASE(name)                                                                            \
  if (::doctest::bare::part const HEDDLE_BARE_NAME(heddle_bare_part_){name, __FILE__, __LINE__}; \
      static_cast<bool>(HEDDLE_BARE_NAME(heddle_bare_part_)))

#define HEDDLE_BARE_CHECK(ends, turned, ...)                     \
  ::doctest::bare::check(__FILE__, __LINE__, #__VA_ARGS__, ends, \
                         [&]() -> ::doctest::bare::outcome { return ::doctest::bare::reader{turned} << __VA_ARGS__; })
#define CHECK(...) HEDDLE_BARE_CHECK(false, false, __VA_ARGS__)
#define CHECK_FALSE(...) HEDDLE_BARE_CHECK(false, true, __VA_ARGS__)
#define REQUIRE(...) HEDDLE_BARE_CHECK(true, false, __VA_ARGS__)
#define REQUIRE_FALSE(...) HEDDLE_BARE_CHECK(true, true, __VA_ARGS__)
#define CHECK_UNARY(...)                                                                              \
  ::doctest::bare::check(__FILE__, __LINE__, #__VA_ARGS__, false, [&]() -> ::doctest::bare::outcome { \
    return {static_cast<bool>(__VA_ARGS__), "false"};                                                 \
  })
#define CHECK_MESSAGE(condition, ...)                                      \
  ::doctest::bare::judge(static_cast<bool>(condition), __FILE__, __LINE__, \
                         ::doctest::bare::joined(#condition ": ", __VA_ARGS__), false)
#define REQUIRE_MESSAGE(condition, ...)                                    \
  ::doctest::bare::judge(static_cast<bool>(condition), __FILE__, __LINE__, \
                         ::doctest::bare::joined(#condition ": ", __VA_ARGS__), true)
#define FAIL(...) ::doctest::bare::judge(false, __FILE__, __LINE__, ::doctest::bare::joined(__VA_ARGS__), true)
#define FAIL_CHECK(...) ::doctest::bare::judge(false, __FILE__, __LINE__, ::doctest::bare::joined(__VA_ARGS__), false)
#define MESSAGE(...) ::doctest::bare::report(__FILE__, __LINE__, "note", ::doctest::bare::joined(__VA_ARGS__))
#define CHECK_THROWS_AS(expression, ...)                                               \
  ::doctest::bare::check_throws<__VA_ARGS__>(__FILE__, __LINE__, #expression, nullptr, \
                                             [&] { static_cast<void>(expression); })
#define CHECK_THROWS_WITH_AS(expression, message, ...)                                 \
  ::doctest::bare::check_throws<__VA_ARGS__>(__FILE__, __LINE__, #expression, message, \
                                             [&] { static_cast<void>(expression); })
#define CHECK_NOTHROW(...) \
  ::doctest::bare::check_quiet(__FILE__, __LINE__, #__VA_ARGS__, [&] { static_cast<void>(__VA_ARGS__); })
#define CAPTURE(value) \
  ::doctest::bare::note const HEDDLE_BARE_NAME(heddle_bare_note_) { ::doctest::bare::joined(#value " = ", value) }
#define INFO(...) \
  ::doctest::bare::note const HEDDLE_BARE_NAME(heddle_bare_note_) { ::doctest::bare::joined(__VA_ARGS__) }

#if defined(DOCTEST_CONFIG_IMPLEMENT_WITH_MAIN)
int main(int argc, char** argv) { return ::doctest::Context{argc, argv}.run(); }
#endif
