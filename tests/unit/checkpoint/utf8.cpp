// SPDX-License-Identifier: Apache-2.0
#include <heddle/checkpoint/utf8.hpp>

#include <doctest/doctest.h>

#include <string>

namespace {

/// An independent account: decodes by the definition and compares with the shortest form.
bool is_utf8_sequence(std::string const& bytes) {
  unsigned const lead = static_cast<unsigned char>(bytes[0]);
  std::size_t const length = (lead & 0x80U) == 0      ? 1
                             : (lead & 0xe0U) == 0xc0 ? 2
                             : (lead & 0xf0U) == 0xe0 ? 3
                             : (lead & 0xf8U) == 0xf0 ? 4
                                                      : 0;
  if (length != bytes.size()) return false;
  unsigned value = length == 1 ? lead : lead & (0x7fU >> length);
  for (std::size_t i = 1; i < length; ++i) {
    unsigned const next = static_cast<unsigned char>(bytes[i]);
    if ((next & 0xc0U) != 0x80U) return false;
    value = value << 6U | (next & 0x3fU);
  }
  unsigned const smallest[] = {0, 0, 0x80, 0x800, 0x10000};
  return value >= smallest[length] && value <= 0x10ffff && !(value >= 0xd800 && value <= 0xdfff);
}

}  // namespace

static_assert(heddle::checkpoint::first_bad_utf8("plain") == 5);
static_assert(heddle::checkpoint::first_bad_utf8("ab\xff") == 2);

TEST_CASE("utf8: every sequence of one, two and three bytes, and the borders of four") {
  using heddle::checkpoint::first_bad_utf8;
  auto const agrees = [](std::string const& bytes) {
    // As one sequence: the first sequence ends no earlier than the text.
    bool const whole = first_bad_utf8(bytes) == bytes.size();
    if (bytes.size() == 1) return whole == is_utf8_sequence(bytes);
    bool const ascii_first = static_cast<unsigned char>(bytes[0]) < 0x80;
    return ascii_first || whole == is_utf8_sequence(bytes) || static_cast<unsigned char>(bytes.back()) < 0x80;
  };
  std::size_t wrong = 0;
  for (int a = 0; a < 256; ++a) {
    wrong += agrees({static_cast<char>(a)}) ? 0 : 1;
    for (int b = 0; b < 256; ++b) {
      std::string const two{static_cast<char>(a), static_cast<char>(b)};
      wrong += agrees(two) ? 0 : 1;
      if (a < 0xe0 || a > 0xf0) continue;
      for (int c = 0; c < 256; ++c) wrong += agrees(two + static_cast<char>(c)) ? 0 : 1;
    }
  }
  for (int a = 0xf0; a < 0x100; ++a) {
    for (int b = 0; b < 256; ++b) {
      for (int c : {0x7f, 0x80, 0xbf, 0xc0}) {
        for (int d : {0x7f, 0x80, 0xbf, 0xc0}) {
          std::string const four{static_cast<char>(a), static_cast<char>(b), static_cast<char>(c),
                                 static_cast<char>(d)};
          wrong += agrees(four) ? 0 : 1;
        }
      }
    }
  }
  CHECK(wrong == 0);
}

TEST_CASE("utf8: a text that ends inside a sequence") {
  using heddle::checkpoint::first_bad_utf8;
  std::string const text = "x\xf0\x9f\xa7\xb5";
  for (std::size_t size = 2; size < text.size(); ++size)
    CHECK(first_bad_utf8(std::string_view{text}.substr(0, size)) == 1);
  CHECK(first_bad_utf8(text) == text.size());
  CHECK(first_bad_utf8("") == 0);
}
