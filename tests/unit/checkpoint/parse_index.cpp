// SPDX-License-Identifier: Apache-2.0
#include <heddle/checkpoint/parse_index.hpp>

#include <doctest/doctest.h>

#include "support.hpp"

namespace {

using heddle::checkpoint::format_code;
using heddle::checkpoint::strict_limits;

format_code judge(std::string const& text, strict_limits const& limits = {}) {
  return parse_index(checkpoint_test::bytes_of(text), limits).judged.code;
}
std::string mapped(std::string const& inside) { return "{\"metadata\":{},\"weight_map\":{" + inside + "}}"; }

}  // namespace

TEST_CASE("parse_index: a good index") {
  auto const result = heddle::checkpoint::parse_index(checkpoint_test::bytes_of(
      R"({"metadata":{"total_size":1.5e9,"parts":[1,2]},"weight_map":{"a":"x.safetensors","b":"y.safetensors"}})"));
  REQUIRE(result.judged.good());
  CHECK(result.files == std::map<std::string, std::string>{{"a", "x.safetensors"}, {"b", "y.safetensors"}});
  CHECK(judge("{\"weight_map\":{}}") == format_code::none);
}

TEST_CASE("parse_index: the strings directly inside metadata are kept, and nothing else of it") {
  auto const facts = [](std::string const& metadata) {
    auto result = heddle::checkpoint::parse_index(
        checkpoint_test::bytes_of("{\"metadata\":" + metadata + ",\"weight_map\":{\"w\":\"x\"}}"));
    CHECK(result.judged.good());
    CHECK(result.files.size() == 1);
    return result.metadata;
  };
  CHECK(facts(R"({"a":"1","b":2,"c":{"d":"3"},"e":["4"],"f":null,"g":"5"})") ==
        heddle::checkpoint::metadata_t{{"a", "1"}, {"g", "5"}});
  CHECK(facts(R"(["a","b"])").empty());
  CHECK(facts(R"("a")").empty());
}

TEST_CASE("parse_index: rows 46 and 47, what is refused") {
  CHECK(judge("") == format_code::json);
  CHECK(judge("[]") == format_code::not_object);
  CHECK(judge("1") == format_code::not_object);
  CHECK(judge("{}") == format_code::missing_field);
  CHECK(judge("{\"metadata\":{}}") == format_code::missing_field);
  CHECK(judge("{\"weight_map\":null}") == format_code::index_weight_map);
  CHECK(judge("{\"weight_map\":[]}") == format_code::index_weight_map);
  CHECK(judge("{\"weight_map\":\"x\"}") == format_code::index_weight_map);
  CHECK(judge(mapped("\"a\":1")) == format_code::index_weight_map);
  CHECK(judge(mapped("\"a\":[\"x\"]")) == format_code::index_weight_map);
  CHECK(judge(mapped("\"a\":{}")) == format_code::index_weight_map);
  CHECK(judge(mapped("\"a\":\"x\",\"a\":\"x\"")) == format_code::duplicate_key);
  CHECK(judge(mapped("\"a\":\"x\",\"\\u0061\":\"y\"")) == format_code::duplicate_key);
  CHECK(judge("{\"weight_map\":{\"a\":\"x\"},\"weight_map\":{\"b\":\"x\"}}") == format_code::duplicate_key);
  CHECK(judge("{\"metadata\":{\"k\":1,\"k\":1},\"weight_map\":{}}") == format_code::duplicate_key);
  CHECK(judge("{\"weight_map\":{},\"other\":1}") == format_code::unknown_field);
  CHECK(judge("{\"weight_map\":{},\"metadata\":[[[[[]]]]]}") == format_code::depth);
  CHECK(judge("{\"weight_map\":{}}x") == format_code::json);
  CHECK(judge(mapped("\"a\\u0000\":\"x\"")) == format_code::bad_name);
  CHECK(judge(mapped("\"\xff\":\"x\"")) == format_code::utf8);
  CHECK(judge(mapped("\"" + std::string(5000, 'n') + "\":\"x\"")) == format_code::name_limit);
  for (std::string const name : {"/etc/passwd", "../x", "a/b", "..", ".", "", "a\\u0000b", "a\\\\b", "C:x", "a\\nb"}) {
    CAPTURE(name);
    CHECK(judge(mapped("\"a\":\"" + name + "\"")) == format_code::index_file_name);
  }
  CHECK(judge(mapped("\"a\":\"" + std::string(256, 'n') + "\"")) == format_code::index_file_name);
  CHECK(judge(mapped("\"a\":\"...x..\"")) == format_code::none);
}

TEST_CASE("parse_index: options") {
  strict_limits limits;
  limits.allow_unknown_fields = true;
  CHECK(judge("{\"weight_map\":{},\"other\":[1,{}]}", limits) == format_code::none);
  limits.tensors = 1;
  CHECK(judge(mapped("\"a\":\"x\""), limits) == format_code::none);
  CHECK(judge(mapped("\"a\":\"x\",\"b\":\"x\""), limits) == format_code::tensor_limit);
}
