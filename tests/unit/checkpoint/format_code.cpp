// SPDX-License-Identifier: Apache-2.0
#include <heddle/checkpoint/format_code.hpp>

#include <doctest/doctest.h>

#include <set>

#include "support.hpp"

using heddle::checkpoint::code_of;
using heddle::checkpoint::format_code;

TEST_CASE("format_code: every code has its own name and comes back from the error it makes") {
  std::set<std::string_view> names;
  for (int c = 1; c < heddle::checkpoint::format_codes; ++c) {
    auto const code = static_cast<format_code>(c);
    CHECK(name_of(code) != "unknown");
    names.insert(name_of(code));
    CHECK(checkpoint_test::code_from([&] { heddle::checkpoint::fail(code, "x"); }) == code);
  }
  CHECK(names.size() == static_cast<std::size_t>(heddle::checkpoint::format_codes - 1));
  CHECK(name_of(static_cast<format_code>(heddle::checkpoint::format_codes)) == "unknown");
}

TEST_CASE("format_code: the text of an error begins with the code") {
  try {
    heddle::checkpoint::fail(format_code::hole, "file.safetensors: wrong", "do this");
  } catch (heddle::error const& failure) {
    CHECK(failure.kind() == heddle::error_kind::format);
    CHECK(failure.text() == "[safetensors.hole] file.safetensors: wrong");
    CHECK(failure.hint() == "do this");
  }
  using heddle::error_kind;
  CHECK(code_of(heddle::error(error_kind::format, "no mark")) == format_code::none);
  CHECK(code_of(heddle::error(error_kind::format, "[safetensors.nonsense] x")) == format_code::none);
  CHECK(code_of(heddle::error(error_kind::io, "[safetensors.hole] x")) == format_code::none);
}

TEST_CASE("format_code: names in messages are quoted, escaped and cut") {
  using heddle::checkpoint::shown;
  CHECK(shown("a.b") == "'a.b'");
  CHECK(shown(std::string("a\n\0'\\\x7f", 6)) == "'a\\x0a\\x00\\x27\\x5c\\x7f'");
  CHECK(shown(std::string(1000, 'n')).size() == 120 + 5);
  std::string const wide = std::string(119, 'n') + "\xe2\x82\xac" + "more";
  CHECK(shown(wide) == "'" + std::string(119, 'n') + "\xe2\x82\xac" + "...'");
}
