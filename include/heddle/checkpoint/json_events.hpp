// SPDX-License-Identifier: Apache-2.0
// Strict JSON as a stream of events: UTF-8 checked, nesting bounded, duplicate keys refused in every object, the
// position known. The only header that includes the JSON library; no document tree is ever built.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <heddle/checkpoint/header.hpp>
#include <heddle/checkpoint/utf8.hpp>
#include <iterator>
#include <nlohmann/json.hpp>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace heddle::inline HEDDLE_ABI {
namespace checkpoint {
namespace detail {

/// The first byte that cannot be part of a JSON text in UTF-8, and why; `none` where every byte can. The JSON library
/// stops at a NUL as if the text ended there and skips a byte-order mark: here both are errors.
[[nodiscard]] inline verdict check_bytes(std::string_view text, std::uint64_t base) {
  std::size_t const bad = first_bad_utf8(text);
  if (bad != text.size()) return {format_code::utf8, base + bad, "bytes that are not UTF-8"};
  for (std::size_t i = 0; i < text.size(); ++i) {
    auto const byte = static_cast<unsigned char>(text[i]);
    if (byte < 0x20 && byte != '\t' && byte != '\n' && byte != '\r') {
      return {format_code::json, base + i, "a raw control character"};
    }
  }
  if (text.starts_with("\xef\xbb\xbf")) return {format_code::json, base, "a byte-order mark"};
  return {};
}

/// Reads characters and tells how far it has come: the JSON library gives no position with its events.
class json_cursor {
 public:
  using iterator_category = std::forward_iterator_tag;
  using value_type = char;
  using difference_type = std::ptrdiff_t;
  using pointer = char const*;
  using reference = char const&;

  json_cursor() = default;
  json_cursor(char const* at, char const** seen) : at_{at}, seen_{seen} {}
  reference operator*() const { return *at_; }
  json_cursor& operator++() {
    *seen_ = ++at_;
    return *this;
  }
  json_cursor operator++(int) {
    json_cursor const before = *this;
    ++*this;
    return before;
  }
  friend bool operator==(json_cursor a, json_cursor b) { return a.at_ == b.at_; }

 private:
  char const* at_ = nullptr;
  char const** seen_ = nullptr;
};

/// A JSON value that is neither object nor array.
struct json_scalar {
  enum class kind { null, boolean, whole, other_number, text } what = kind::null;
  std::uint64_t number = 0;     ///< of `whole`: an integer from 0 to 2^64 - 1, written without fraction or exponent
  std::string* text = nullptr;  ///< of `text`; may be moved from
};

/// The events of one document. `Document` answers, returning false after `refuse`:
///   opened(bool object)  at depth() before the new level;   closed() at depth() after the level has gone
///   keyed()              the new key is key(depth());       value(json_scalar)
template <class Document>
class json_events {
 public:
  json_events(std::span<std::byte const> text, std::uint64_t base, strict_limits const& limits)
      : text_{text}, base_{base}, seen_{begin_of(text)}, limits_{limits}, keys_(limits.depth) {}

  /// Runs through the text; afterwards `judged()` tells how it went.
  void run() {
    judged_ = check_bytes({begin_of(text_), text_.size()}, base_);
    if (!judged_.good()) return;
    char const* const begin = begin_of(text_);
    nlohmann::json::sax_parse(json_cursor{begin, &seen_}, json_cursor{begin + text_.size(), &seen_}, this);
  }
  [[nodiscard]] verdict const& judged() const { return judged_; }

  // What the JSON library calls.
  bool null() { return document().value({json_scalar::kind::null}); }
  bool boolean(bool) { return document().value({json_scalar::kind::boolean}); }
  bool number_integer(std::int64_t) { return number({json_scalar::kind::other_number}); }  // has a minus sign
  bool number_unsigned(std::uint64_t value) { return number({json_scalar::kind::whole, value}); }
  bool number_float(double, std::string const&) { return number({json_scalar::kind::other_number}); }
  bool string(std::string& text) { return document().value({json_scalar::kind::text, 0, &text}); }
  bool binary(std::vector<std::uint8_t>&) { return refuse(format_code::json, "a binary value"); }
  bool start_object(std::size_t) { return open(true); }
  bool start_array(std::size_t) { return open(false); }
  bool end_object() {
    auto& keys = keys_[depth_ - 1];
    std::sort(keys.begin(), keys.end(), [](located_key const& a, located_key const& b) {
      return a.text != b.text ? a.text < b.text : a.place < b.place;
    });
    auto const twice = std::adjacent_find(keys.begin(), keys.end(),
                                          [](located_key const& a, located_key const& b) { return a.text == b.text; });
    if (twice != keys.end()) {
      judged_ = {format_code::duplicate_key, (twice + 1)->place, "the key " + shown(twice->text) + " appears twice"};
      return false;
    }
    return end_array();
  }
  bool end_array() {
    --depth_;
    return document().closed();
  }
  bool key(std::string& text) {
    if (text.size() > limits_.name_bytes) {
      return refuse(format_code::name_limit, "a name of " + std::to_string(text.size()) + " bytes, the limit is " +
                                                 std::to_string(limits_.name_bytes));
    }
    keys_[depth_ - 1].push_back({std::move(text), place()});
    return document().keyed();
  }
  bool parse_error(std::size_t, std::string const&, nlohmann::detail::exception const&) {
    bool const at_end = seen_ == begin_of(text_) + text_.size();
    return refuse(format_code::json, at_end ? "the JSON text is cut or malformed" : "malformed JSON");
  }

 protected:
  bool refuse(format_code code, std::string text) {
    judged_ = {code, place(), std::move(text)};
    return false;
  }
  /// Open objects and arrays around the current place.
  [[nodiscard]] std::size_t depth() const { return depth_; }
  /// The latest key of the object at `level`, 1 for the document itself.
  [[nodiscard]] std::string const& key_at(std::size_t level) const { return keys_[level - 1].back().text; }
  [[nodiscard]] std::uint64_t place_at(std::size_t level) const { return keys_[level - 1].back().place; }
  [[nodiscard]] strict_limits const& limits() const { return limits_; }

 private:
  struct located_key {
    std::string text;
    std::uint64_t place;
  };

  static char const* begin_of(std::span<std::byte const> text) { return reinterpret_cast<char const*>(text.data()); }
  Document& document() { return static_cast<Document&>(*this); }
  [[nodiscard]] std::uint64_t place() const {
    return base_ + static_cast<std::uint64_t>(seen_ - begin_of(text_)) - ahead_;
  }
  bool number(json_scalar const& value) {
    ahead_ = 1;  // the end of a number shows only in the character behind it
    bool const good = document().value(value);
    ahead_ = 0;
    return good;
  }
  bool open(bool object) {
    if (depth_ == limits_.depth) {
      return refuse(format_code::depth, "objects and arrays nest deeper than " + std::to_string(limits_.depth));
    }
    if (!document().opened(object)) return false;
    keys_[depth_++].clear();
    return true;
  }

  std::span<std::byte const> text_;
  std::uint64_t base_;
  char const* seen_;
  std::uint64_t ahead_ = 0;
  strict_limits limits_;
  std::vector<std::vector<located_key>> keys_;
  std::size_t depth_ = 0;
  verdict judged_;
};

}  // namespace detail
}  // namespace checkpoint
}  // namespace heddle::inline HEDDLE_ABI
