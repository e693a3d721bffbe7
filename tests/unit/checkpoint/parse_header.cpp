// SPDX-License-Identifier: Apache-2.0
// The corpus of malformed headers. A row is one way in which a file can be wrong, numbered here so that its variants
// can be told apart; the names of the test cases say what the rows are about. Each variant has one verdict, and a
// refused one its exact code. Where a place is given, it is the byte the verdict points at.
#include <heddle/checkpoint/parse_header.hpp>

#include <doctest/doctest.h>

#include "support.hpp"

namespace {

using namespace checkpoint_test;
using heddle::checkpoint::format_code;
using heddle::checkpoint::parse_header;
using heddle::checkpoint::parsed_header;
using heddle::checkpoint::strict_limits;

constexpr std::uint64_t anywhere = ~std::uint64_t{0};

struct variant {
  int row;
  std::string what;
  std::string bytes;
  format_code code;
  std::uint64_t place = anywhere;
};

/// Judges the bytes of a whole file.
parsed_header judge(std::string const& file, strict_limits const& limits = {}) {
  auto const bytes = bytes_of(file);
  auto const length =
      heddle::checkpoint::read_length(bytes.first(std::min<std::size_t>(8, bytes.size())), bytes.size(), limits);
  if (!length.judged.good()) return {length.judged, {}, {}};
  return parse_header(bytes.subspan(8, static_cast<std::size_t>(length.bytes)), bytes.size(), limits);
}

void check(std::vector<variant> const& variants, strict_limits const& limits = {}) {
  for (variant const& each : variants) {
    CAPTURE(each.row);
    CAPTURE(each.what);
    parsed_header const result = judge(each.bytes, limits);
    CAPTURE(result.judged.text);
    CHECK(result.judged.code == each.code);
    if (each.place != anywhere) CHECK(result.judged.offset == each.place);
    CHECK(result.judged.offset <= each.bytes.size());
    CHECK(result.judged.text.empty() == result.judged.good());
  }
}

std::string repeated(std::string const& text, std::size_t times) {
  std::string result;
  result.reserve(text.size() * times);
  for (std::size_t i = 0; i < times; ++i) result += text;
  return result;
}

/// The place behind `mark` in the file.
std::uint64_t behind(std::string const& file, std::string const& mark) { return file.find(mark) + mark.size(); }

/// Begins to measure `peak_memory` anew, where the system (Linux) can.
void forget_peak_memory() { std::ofstream{"/proc/self/clear_refs"} << 5; }
/// The most memory that this process has held, in bytes; 0 where the system does not say.
std::size_t peak_memory() {
  std::ifstream status{"/proc/self/status"};
  for (std::string line; std::getline(status, line);) {
    if (line.starts_with("VmHWM:")) return 1024 * static_cast<std::size_t>(std::stoll(line.substr(6)));
  }
  return 0;
}

std::string const two_floats = entry("a", "F32", "[2]", "[0,8]");
std::string one(std::string const& inside) { return "{\"a\":{" + inside + "}}"; }
std::string const dtype = "\"dtype\":\"F32\"", shape = "\"shape\":[2]", offsets = "\"data_offsets\":[0,8]";

}  // namespace

TEST_CASE("parse_header: a good file") {
  parsed_header const result = judge(image(
      "{" + entry("b", "F16", "[3,1]", "[8,14]") + "," + two_floats + ",\"__metadata__\":{\"format\":\"pt\"}}", 14));
  REQUIRE(result.judged.good());
  REQUIRE(result.tensors.size() == 2);
  CHECK(result.tensors[0].name == "a");  // in the order of the data
  CHECK(result.tensors[0].type == heddle::checkpoint::stored_dtype::f32);
  CHECK(result.tensors[1].shape == heddle::shape_t{3, 1});
  CHECK(result.tensors[1].begin == 8);
  CHECK(result.tensors[1].end == 14);
  CHECK(result.metadata.at("format") == "pt");
}

TEST_CASE("parse_header: rows 1 to 4, the length") {
  std::vector<variant> variants;
  for (std::size_t size = 0; size < 8; ++size)
    variants.push_back({1, "short", std::string(size, '{'), format_code::too_small, size});
  variants.insert(variants.end(),
                  {
                      {2, "no header", number(0), format_code::json, 8},
                      {2, "no header, but data", number(0) + "{}", format_code::json, 8},
                      {3, "2^64 - 1", number(~std::uint64_t{0}) + "{}", format_code::header_too_large, 8},
                      {3, "2^63", number(std::uint64_t{1} << 63U) + "{}", format_code::header_too_large, 8},
                      {3, "one over the limit", number(100'000'001) + "{}", format_code::header_too_large, 8},
                      {3, "at the limit, beyond the file", number(100'000'000) + "{}", format_code::header_length, 8},
                      {4, "one more than there is", number(3) + "{}", format_code::header_length, 8},
                      {4, "exact", number(2) + "{}", format_code::none},
                  });
  check(variants);
}

TEST_CASE("parse_header: row 5, a length that cuts the JSON") {
  std::string const json = "{\"a\\n\":{\"dtype\":\"F32\",\"shape\":[12],\"data_offsets\":[0,48]}}";
  for (std::size_t cut = 0; cut < json.size(); ++cut) {
    CAPTURE(cut);
    std::string const file = number(cut) + json + std::string(48, '\0');
    CHECK(judge(file).judged.code == format_code::json);
    CHECK(judge(file).judged.offset == 8 + cut);  // known only at the end
  }
  CHECK(judge(number(json.size()) + json + std::string(48, '\0')).judged.good());
}

TEST_CASE("parse_header: rows 6 to 12, the text") {
  std::string const cr_lf = "\r\n", nul(1, '\0');
  check({
      {6, "array", image("[]"), format_code::not_object},
      {6, "array with an object", image("[{}]"), format_code::not_object},
      {6, "null", image("null"), format_code::not_object},
      {6, "number", image("1"), format_code::not_object},
      {6, "negative", image("-1.5"), format_code::not_object},
      {6, "text", image("\"x\""), format_code::not_object},
      {6, "true", image("true"), format_code::not_object},
      {7, "empty", image("{}"), format_code::none},
      {7, "empty with data", image("{}", 1), format_code::trailing_bytes, 10},
      {8, "tab", image("\t{}"), format_code::none},
      {8, "CR LF", image(cr_lf + "{}"), format_code::none},
      {8, "space", image("  {}"), format_code::none},
      {9, "spaces behind", image("{}      "), format_code::none},
      {9, "line feed behind", image("{}\n"), format_code::none},
      {9, "NUL behind", image("{}" + nul), format_code::json, 10},
      {9, "NUL padding", image("{}" + std::string(6, '\0')), format_code::json, 10},
      {9, "NUL between", image("{" + nul + "}"), format_code::json, 9},
      {9, "text behind", image("{}x"), format_code::json, 11},
      {9, "object behind", image("{}{}"), format_code::json, 11},
      {9, "comment", image("{}/**/"), format_code::json},
      {9, "comma", image("{" + two_floats + ",}", 8), format_code::json},
      {10, "byte-order mark", image("\xef\xbb\xbf{}"), format_code::json, 8},
      {11, "overlong 2", image("{\"\xc0\xaf\":0}"), format_code::utf8, 10},
      {11, "overlong 3", image("{\"\xe0\x80\x80\":0}"), format_code::utf8, 10},
      {11, "overlong 4", image("{\"\xf0\x80\x80\x80\":0}"), format_code::utf8, 10},
      {11, "surrogate", image("{\"\xed\xa0\x80\":0}"), format_code::utf8, 10},
      {11, "0xFF", image("{\"ab\xff\":0}"), format_code::utf8, 12},
      {11, "lone continuation", image("{\"\x80\":0}"), format_code::utf8, 10},
      {11, "beyond the last", image("{\"\xf4\x90\x80\x80\":0}"), format_code::utf8, 10},
      {11, "cut sequence", image("{}\xe2\x82"), format_code::utf8, 10},
      {11, "outside a text", image("\xff{}"), format_code::utf8, 8},
      {12, "lone high surrogate", image("{\"\\ud800\":{}}"), format_code::json},
      {12, "lone low surrogate", image("{\"\\udc00\":{}}"), format_code::json},
      {12, "two high surrogates", image("{\"\\ud800\\ud800\":{}}"), format_code::json},
      {12, "raw control character", image("{\"a\x01\":{}}"), format_code::json, 11},
      {12, "raw line feed in a name", image("{\"a\n\":{}}"), format_code::json},
      {12, "raw NUL in a name", image("{\"a" + nul + "\":{}}"), format_code::json, 11},
      {12, "unknown escape", image("{\"\\x\":{}}"), format_code::json},
      {12, "short escape", image("{\"\\u12\":{}}"), format_code::json},
      {12, "single quotes", image("{'a':{}}"), format_code::json},
      {12, "NaN", image("{\"a\":NaN}"), format_code::json},
      {12, "leading zero", image("{\"a\":01}"), format_code::not_object},
      {12, "number out of range", image("{\"a\":1e999}"), format_code::json},
  });
}

TEST_CASE("parse_header: rows 13 and 14, names") {
  auto const named = [](std::string const& name) { return image("{" + entry(name, "F32", "[2]", "[0,8]") + "}", 8); };
  check({
      {13, "NUL", named("a\\u0000b"), format_code::bad_name},
      {13, "empty", named(""), format_code::none},
      {13, "1 MB", named(std::string(1U << 20U, 'n')), format_code::name_limit},
      {13, "4096", named(std::string(4096, 'n')), format_code::none},
      {13, "4097", named(std::string(4097, 'n')), format_code::name_limit},
      {14, "slash", named("/etc/passwd"), format_code::none},
      {14, "dots", named("../x"), format_code::none},
      {14, "line feed", named("a\\nb"), format_code::none},
      {14, "two to four bytes", named("\xc3\xa9\xe2\x82\xac\xf0\x9f\xa7\xb5"), format_code::none},
      {14, "surrogate pair", named("\\ud83e\\uddf5"), format_code::none},
  });
  CHECK(judge(named("a\\nb")).tensors.at(0).name == "a\nb");
  CHECK(judge(named("\\ud83e\\uddf5")).tensors.at(0).name == "\xf0\x9f\xa7\xb5");
}

TEST_CASE("parse_header: rows 15 to 18, the same key twice") {
  std::string const second = image("{" + two_floats + "," + entry("a", "F32", "[2]", "[8,16]") + "}", 16);
  check({
      {15, "same span", image("{" + two_floats + "," + two_floats + "}", 8), format_code::duplicate_key},
      {15, "both empty", image("{" + entry("a", "U8", "[0]", "[0,0]") + "," + entry("a", "U8", "[0]", "[0,0]") + "}"),
       format_code::duplicate_key},
      {16, "other span", second, format_code::duplicate_key, second.rfind("\"a\"") + 3},
      {17, "escaped", image("{" + two_floats + "," + entry("\\u0061", "F32", "[2]", "[8,16]") + "}", 16),
       format_code::duplicate_key},
      {18, "dtype", image(one(dtype + "," + dtype + "," + shape + "," + offsets), 8), format_code::duplicate_key},
      {18, "shape", image(one(dtype + "," + shape + "," + shape + "," + offsets), 8), format_code::duplicate_key},
      {18, "offsets", image(one(offsets + "," + dtype + "," + shape + "," + offsets), 8), format_code::duplicate_key},
      {18, "__metadata__", image("{\"__metadata__\":{},\"__metadata__\":{}}"), format_code::duplicate_key},
      {18, "__metadata__ escaped", image("{\"__metadata__\":{},\"\\u005f_metadata__\":{}}"),
       format_code::duplicate_key},
      {18, "in __metadata__", image("{\"__metadata__\":{\"k\":\"v\",\"k\":\"v\"}}"), format_code::duplicate_key},
      {18, "in __metadata__, escaped", image("{\"__metadata__\":{\"k\":\"v\",\"\\u006b\":\"w\"}}"),
       format_code::duplicate_key},
  });
  CHECK(judge(second).judged.text.find("'a'") != std::string::npos);  // the message names the key
}

TEST_CASE("parse_header: rows 19 to 22, metadata and fields") {
  auto const metadata = [](std::string const& value) { return image("{\"__metadata__\":" + value + "}"); };
  check({
      {19, "null", metadata("null"), format_code::metadata},
      {19, "number", metadata("1"), format_code::metadata},
      {19, "text", metadata("\"x\""), format_code::metadata},
      {19, "array", metadata("[]"), format_code::metadata},
      {19, "number inside", metadata("{\"k\":1}"), format_code::metadata},
      {19, "null inside", metadata("{\"k\":null}"), format_code::metadata},
      {19, "true inside", metadata("{\"k\":true}"), format_code::metadata},
      {19, "array inside", metadata("{\"k\":[\"v\"]}"), format_code::metadata},
      {19, "object inside", metadata("{\"k\":{}}"), format_code::metadata},
      {19, "a tensor", metadata("{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8]}"), format_code::metadata},
      {19, "1 MiB", metadata("{\"k\":\"" + std::string((1U << 20U) - 1, 'v') + "\"}"), format_code::none},
      {19, "1 MiB and one", metadata("{\"k\":\"" + std::string(1U << 20U, 'v') + "\"}"), format_code::metadata_limit},
      {20, "empty", metadata("{}"), format_code::none},
      {20, "entry null", image("{\"a\":null}"), format_code::not_object},
      {20, "entry number", image("{\"a\":7}"), format_code::not_object, 14},
      {20, "entry text", image("{\"a\":\"F32\"}"), format_code::not_object},
      {20, "entry array", image("{\"a\":[]}"), format_code::not_object},
      {21, "scalar field", image(one(dtype + "," + shape + "," + offsets + ",\"x\":1"), 8), format_code::unknown_field},
      {21, "array field", image(one("\"x\":[1]," + dtype + "," + shape + "," + offsets), 8),
       format_code::unknown_field},
      {21, "capitals", image(one("\"DTYPE\":\"F32\"," + shape + "," + offsets), 8), format_code::unknown_field},
      {22, "no dtype", image(one(shape + "," + offsets), 8), format_code::missing_field},
      {22, "no shape", image(one(dtype + "," + offsets), 8), format_code::missing_field},
      {22, "no offsets", image(one(dtype + "," + shape), 8), format_code::missing_field},
      {22, "nothing", image("{\"a\":{}}"), format_code::missing_field},
  });
  strict_limits loose;
  loose.allow_unknown_fields = true;
  check(
      {
          {21, "scalar, by option", image(one(dtype + "," + shape + "," + offsets + ",\"x\":1.5"), 8),
           format_code::none},
          {21, "array, by option", image(one("\"x\":[1,[null]]," + dtype + "," + shape + "," + offsets), 8),
           format_code::none},
          {21, "object, by option", image(one("\"x\":{\"y\":{}}," + dtype + "," + shape + "," + offsets), 8),
           format_code::none},
          {21, "twice", image(one("\"x\":1,\"x\":1," + dtype + "," + shape + "," + offsets), 8),
           format_code::duplicate_key},
          {21, "twice inside", image(one("\"x\":{\"y\":1,\"y\":2}," + dtype + "," + shape + "," + offsets), 8),
           format_code::duplicate_key},
          {22, "still needed", image(one("\"x\":1," + dtype + "," + shape), 8), format_code::missing_field},
      },
      loose);
}

TEST_CASE("parse_header: rows 23 to 30, values of the fields") {
  auto const typed = [](std::string const& value) {
    return image(one("\"dtype\":" + value + "," + shape + "," + offsets), 8);
  };
  auto const shaped = [](std::string const& value) {
    return image(one(dtype + ",\"shape\":" + value + "," + offsets), 8);
  };
  auto const placed = [](std::string const& value) {
    return image(one(dtype + "," + shape + ",\"data_offsets\":" + value), 8);
  };
  std::string const f7 = typed("\"F7\"");
  std::vector<variant> variants{
      {23, "F7", f7, format_code::unknown_dtype, behind(f7, "\"F7\"")},
      {23, "lower case", typed("\"f32\""), format_code::unknown_dtype},
      {23, "number", typed("32"), format_code::unknown_dtype, behind(typed("32"), ":32")},
      {23, "null", typed("null"), format_code::unknown_dtype},
      {23, "array", typed("[\"F32\"]"), format_code::unknown_dtype},
      {23, "object", typed("{}"), format_code::unknown_dtype},
      {23, "empty", typed("\"\""), format_code::unknown_dtype},
      {23, "space", typed("\"F32 \""), format_code::unknown_dtype},
      {25, "2^64", shaped("[18446744073709551616]"), format_code::bad_shape},
      {25, "2^64 - 1", shaped("[18446744073709551615]"), format_code::overflow},
      {25, "2^63", shaped("[9223372036854775808]"), format_code::overflow},
      {26, "product 2^64", image("{" + entry("a", "F32", "[4294967296,4294967296]", "[0,0]") + "}"),
       format_code::overflow},
      {27, "bytes 2^65", image("{" + entry("a", "F32", "[9223372036854775807]", "[0,8]") + "}", 8),
       format_code::overflow},
      {27, "bits 2^64", image("{" + entry("a", "F64", "[288230376151711744]", "[0,0]") + "}"), format_code::overflow},
      {28, "zero last", image("{" + entry("a", "F32", "[4294967296,4294967296,0]", "[0,0]") + "}"),
       format_code::overflow},
      {28, "zero first", image("{" + entry("a", "F32", "[0,4294967296,4294967296]", "[0,0]") + "}"),
       format_code::overflow},
      {29, "scalar", image("{" + entry("a", "F32", "[]", "[0,4]") + "}", 4), format_code::none},
      {29, "rank 8", shaped("[1,1,1,1,1,1,1,2]"), format_code::none},
      {29, "rank 9", shaped("[1,1,1,1,1,1,1,1,2]"), format_code::rank_limit},
      {29, "rank 4096", shaped("[" + repeated("1,", 4095) + "2]"), format_code::rank_limit},
  };
  for (char const* value : {"[4.0]", "[4e0]", "[-4]", "[-0]", "[\"4\"]", "[true]", "[null]", "[[2]]", "[{}]", "2",
                            "\"2\"", "null", "{}", "true", "[2,-1]", "[1e400]"}) {
    bool const beyond = std::string{value} == "[1e400]";  // no JSON number of the reader
    variants.push_back({24, value, shaped(value), beyond ? format_code::json : format_code::bad_shape});
  }
  for (char const* value :
       {"[]", "[0]", "[0,8,8]", "[\"0\",\"8\"]", "[0.0,8]", "[0,8.0]", "[-0,8]", "[-1,8]", "[0,18446744073709551616]",
        "[[0,8]]", "[0,[8]]", "[null,8]", "8", "null", "{}", "\"0,8\"", "[0,8,null]"}) {
    variants.push_back({30, value, placed(value), format_code::bad_offsets});
  }
  check(variants);
}

TEST_CASE("parse_header: rows 31 to 37, the layout of the data") {
  auto const bytes_at = [](std::string const& name, std::uint64_t begin, std::uint64_t end) {
    return entry(name, "U8", "[" + std::to_string(end - begin) + "]",
                 "[" + std::to_string(begin) + "," + std::to_string(end) + "]");
  };
  auto const file = [](std::initializer_list<std::string> entries, std::size_t data) {
    std::string json;
    for (std::string const& each : entries) json.append(json.empty() ? "{" : ",").append(each);
    return image(json + "}", data);
  };
  std::string const overlap = file({bytes_at("a", 0, 4), bytes_at("b", 3, 8)}, 8);
  std::string same, many;
  for (int i = 0; i < 10; ++i) same.append(i == 0 ? "{" : ",").append(bytes_at("t" + std::to_string(i), 0, 8));
  for (int i = 0; i < 100'000; ++i) many.append(i == 0 ? "{" : ",").append(bytes_at("t" + std::to_string(i), 0, 8));
  check({
      {31, "reversed", image("{" + entry("a", "F32", "[2]", "[8,0]") + "}", 8), format_code::reversed},
      {31, "reversed, wraps to the right size",
       image("{" + entry("a", "F32", "[2]", "[18446744073709551612,4]") + "}", 8), format_code::reversed},
      {32, "past the file", file({bytes_at("a", 0, 9)}, 8), format_code::out_of_file},
      {32, "second past the file", file({bytes_at("a", 0, 4), bytes_at("b", 4, 9)}, 8), format_code::out_of_file},
      {32, "end 2^64 - 1", image("{" + entry("a", "U8", "[8]", "[0,18446744073709551615]") + "}", 8),
       format_code::span_size},
      {32, "far away", image("{" + entry("a", "U8", "[8]", "[18446744073709551607,18446744073709551615]") + "}", 8),
       format_code::hole},
      {33, "one more", image("{" + entry("a", "U8", "[7]", "[0,8]") + "}", 8), format_code::span_size},
      {33, "one less", image("{" + entry("a", "U8", "[9]", "[0,8]") + "}", 8), format_code::span_size},
      {33, "other dtype", image("{" + entry("a", "F16", "[2]", "[0,8]") + "}", 8), format_code::span_size},
      {33, "no bytes", image("{" + entry("a", "F32", "[2]", "[0,0]") + "}"), format_code::span_size},
      {33, "zero shape with bytes", image("{" + entry("a", "F32", "[0]", "[0,8]") + "}", 8), format_code::span_size},
      {34, "hole at the start", file({bytes_at("a", 1, 8)}, 8), format_code::hole},
      {34, "hole in the middle", file({bytes_at("b", 5, 8), bytes_at("a", 0, 4)}, 8), format_code::hole,
       behind("12345678{\"b\"", "\"b\"")},
      {34, "hole at the end", file({bytes_at("a", 0, 7)}, 8), format_code::trailing_bytes,
       file({bytes_at("a", 0, 7)}, 0).size() + 7},
      {35, "overlap by one", overlap, format_code::overlap, behind(overlap, "\"b\"")},
      {35, "one inside the other", file({bytes_at("a", 0, 8), bytes_at("b", 2, 4)}, 8), format_code::overlap},
      {35, "ten on one span", image(same + "}", 8), format_code::overlap},
      {35, "100,000 on one span", image(many + "}", 8), format_code::overlap},
      {36, "empty at the start", file({bytes_at("a", 0, 0), bytes_at("b", 0, 8)}, 8), format_code::none},
      {36, "empty in the middle", file({bytes_at("a", 0, 4), bytes_at("b", 4, 8), bytes_at("c", 4, 4)}, 8),
       format_code::none},
      {36, "empty at the end", file({bytes_at("a", 0, 8), bytes_at("b", 8, 8)}, 8), format_code::none},
      {36, "two empty at one place", file({bytes_at("a", 0, 0), bytes_at("b", 0, 0)}, 0), format_code::none},
      {36, "empty behind the end", file({bytes_at("a", 0, 8), bytes_at("b", 9, 9)}, 8), format_code::hole},
      {37, "empty inside another", file({bytes_at("a", 0, 8), bytes_at("b", 4, 4)}, 8), format_code::overlap},
  });
}

TEST_CASE("parse_header: rows 38 and 39, small and unaligned elements") {
  auto const single = [](char const* type, char const* shape_text, std::size_t bytes) {
    return image("{" + entry("a", type, shape_text, "[0," + std::to_string(bytes) + "]") + "}", bytes);
  };
  check({
      {38, "F4, odd", single("F4", "[3]", 1), format_code::partial_byte},
      {38, "F4, even", single("F4", "[3,2]", 3), format_code::none},
      {38, "F4, empty", single("F4", "[3,0]", 0), format_code::none},
      {38, "F6, 3", single("F6_E2M3", "[3]", 2), format_code::partial_byte},
      {38, "F6, 2", single("F6_E3M2", "[2]", 1), format_code::partial_byte},
      {38, "F6, 4", single("F6_E3M2", "[4]", 3), format_code::none},
      {39, "F32 at 1", image("{" + entry("a", "U8", "[1]", "[0,1]") + "," + entry("b", "F32", "[1]", "[1,5]") + "}", 5),
       format_code::none},
  });
  for (auto const& fact : heddle::checkpoint::dtype_facts) {  // all types are sized, also those that cannot be read
    CAPTURE(fact.name);
    CHECK(judge(single(std::string{fact.name}.c_str(), "[2,4]", fact.bits)).judged.good());
    CHECK(judge(single(std::string{fact.name}.c_str(), "[2,4]", fact.bits + 1)).judged.code == format_code::span_size);
  }
}

TEST_CASE("parse_header: row 41, nesting") {
  std::string const field = "{\"a\":{\"x\":";
  strict_limits loose;
  loose.allow_unknown_fields = true;
  for (std::size_t depth : {std::size_t{200}, std::size_t{1'000'000}}) {
    std::string const arrays = repeated("[", depth), objects = repeated("{\"a\":", depth);
    check({
        {41, "document", image(arrays), format_code::not_object},
        {41, "entry", image("{\"a\":" + arrays), format_code::not_object},
        {41, "objects", image(objects), format_code::unknown_field},
        {41, "shape", image(one("\"shape\":" + arrays)), format_code::bad_shape},
        {41, "offsets", image(one("\"data_offsets\":" + arrays)), format_code::bad_offsets},
        {41, "metadata", image("{\"__metadata__\":" + objects), format_code::metadata},
        {41, "unknown field", image(field + arrays), format_code::unknown_field},
    });
    check(
        {
            {41, "arrays, by option", image(field + arrays), format_code::depth},
            {41, "objects, by option", image(field + objects), format_code::depth},
        },
        loose);
  }
}

TEST_CASE("parse_header: row 42, the number of tensors") {
  std::string json;
  std::size_t const number_of_tensors = 50'000;
  for (std::size_t i = 0; i < number_of_tensors; ++i) {
    std::string const place = std::to_string(i);
    json.append(i == 0 ? "{" : ",")
        .append(entry("t" + place, "U8", "[1]", "[" + place + "," + std::to_string(i + 1) + "]"));
  }
  std::string const file = image(json + "}", number_of_tensors);
  strict_limits limits;
  limits.tensors = number_of_tensors;
  parsed_header const result = judge(file, limits);
  CHECK(result.judged.good());
  CHECK(result.tensors.size() == number_of_tensors);
  limits.tensors = number_of_tensors - 1;
  CHECK(judge(file, limits).judged.code == format_code::tensor_limit);
}

TEST_CASE("parse_header: row 42, a million tensors take no more memory than their records need") {
  std::size_t const number_of_tensors = 1'000'000;
  std::string json = "{";
  for (std::size_t i = 0; i < number_of_tensors; ++i) {
    std::string const place = std::to_string(i), end = std::to_string(i + 1);
    json.append(i == 0 ? "" : ",").append(entry("t" + place, "U8", "[1]", "[" + place + "," + end + "]"));
  }
  std::string const file = image(json + "}", number_of_tensors);
  forget_peak_memory();
  std::size_t const before = peak_memory();
  parsed_header const result = judge(file);
  std::size_t const grown = peak_memory() - before;
  CHECK(result.judged.good());
  CHECK(result.tensors.size() == number_of_tensors);
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)  // they hold memory of their own for each block
  // A record with its shape has about 130 bytes; a vector of them that grows holds half as many again.
  CHECK(grown < 256 * number_of_tensors);
#else
  static_cast<void>(grown);
#endif
}

TEST_CASE("parse_header: row 43, a file cut or grown") {
  std::string const good = image(
      "{" + entry("a", "F32", "[1024]", "[0,4096]") + "," + entry("b", "F32", "[1024]", "[4096,8192]") + "}", 8192);
  for (std::size_t lost : {1U, 100U, 4096U, 4097U, 8192U}) {
    CHECK(judge(good.substr(0, good.size() - lost)).judged.code == format_code::out_of_file);
  }
  CHECK(judge(good + "x").judged.code == format_code::trailing_bytes);
  CHECK(judge(good + std::string(4096, '\0')).judged.code == format_code::trailing_bytes);
}

TEST_CASE("parse_header: every cut and every changed byte of a good file gives a verdict") {
  std::string const good = image("{\"__metadata__\":{\"k\":\"v\\n\"}," + entry("a", "BF16", "[2,2]", "[0,8]") + "," +
                                     entry("\xc3\xa9", "I64", "[0]", "[8,8]") + "}  ",
                                 8);
  REQUIRE(judge(good).judged.good());
  for (std::size_t size = 0; size < good.size(); ++size) CHECK_FALSE(judge(good.substr(0, size)).judged.good());
  std::size_t accepted = 0;
  for (std::size_t place = 0; place < good.size() - 8; ++place) {
    for (int value = 0; value < 256; ++value) {
      std::string changed = good;
      changed[place] = static_cast<char>(value);
      parsed_header const result = judge(changed);
      accepted += result.judged.good() ? 1 : 0;
      if (!result.judged.good() && result.judged.offset > changed.size()) FAIL_CHECK("a verdict beyond the file");
      for (auto const& tensor : result.tensors) {
        if (result.judged.good() && tensor.end > 8) FAIL_CHECK("a tensor beyond the file");
      }
    }
  }
  CHECK(accepted > good.size() - 8);  // names and metadata may change
}
