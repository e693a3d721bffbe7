// SPDX-License-Identifier: Apache-2.0
#include <heddle/checkpoint/json_events.hpp>

#include <doctest/doctest.h>

#include "support.hpp"

namespace {

using heddle::checkpoint::format_code;
using heddle::checkpoint::strict_limits;
using heddle::checkpoint::detail::json_events;
using heddle::checkpoint::detail::json_scalar;

/// Writes down what it sees; refuses the text "refuse".
class recorder : public json_events<recorder> {
 public:
  using json_events::json_events;
  std::string seen;

  bool opened(bool object) {
    seen += object ? '{' : '[';
    return true;
  }
  bool closed() {
    seen += '.';
    return true;
  }
  bool keyed() {
    seen += key_at(depth()) + "=";
    return true;
  }
  bool value(json_scalar const& scalar) {
    switch (scalar.what) {
      case json_scalar::kind::null: seen += 'n'; break;
      case json_scalar::kind::boolean: seen += 'b'; break;
      case json_scalar::kind::whole: seen += std::to_string(scalar.number); break;
      case json_scalar::kind::other_number: seen += 'x'; break;
      case json_scalar::kind::text:
        seen += "'" + *scalar.text + "'";
        if (*scalar.text == "refuse") return refuse(format_code::hole, "as asked");
    }
    seen += ' ';
    return true;
  }
};

std::string events(std::string const& text, strict_limits const& limits = {}) {
  recorder document{checkpoint_test::bytes_of(text), 100, limits};
  document.run();
  if (!document.judged().good())
    return std::string{name_of(document.judged().code)} + " " + std::to_string(document.judged().offset - 100);
  return document.seen;
}

}  // namespace

TEST_CASE("json_events: the events of a document") {
  CHECK(events(R"({"a":[1,-1,1.0,18446744073709551615,18446744073709551616,true,null],"b":{"c":"d\n\u0041"}})") ==
        "{a=[1 x x 18446744073709551615 x b n .b={c='d\nA' ..");
  CHECK(events(" [ ] ") == "[.");
  CHECK(events("7") == "7 ");
}

TEST_CASE("json_events: the place of a refusal is behind its token") {
  CHECK(events(R"(["refuse",1])") == "hole 9");
  CHECK(events(R"({"k":1,"k":2})") == "duplicate_key 10");
  CHECK(events(R"([{"k":1,"l":2,"k":3}])") == "duplicate_key 17");
  CHECK(events("[1,2") == "json 4");
  CHECK(events("[1,]") == "json 4");
  CHECK(events("[1,\x01]") == "json 3");
  CHECK(events("") == "json 0");
}

TEST_CASE("json_events: keys of different objects do not meet") {
  CHECK(events(R"({"a":{"k":1},"b":{"k":1},"k":{"k":{"k":1}}})") == "{a={k=1 .b={k=1 .k={k={k=1 ...");
}

TEST_CASE("json_events: limits") {
  strict_limits limits;
  limits.depth = 2;
  limits.name_bytes = 3;
  CHECK(events("[[]]", limits) == "[[..");
  CHECK(events("[[[]]]", limits) == "depth 3");
  CHECK(events(R"({"abc":1})", limits) == "{abc=1 .");
  CHECK(events(R"({"abcd":1})", limits) == "name_limit 7");
  limits.depth = 0;
  CHECK(events("{}", limits) == "depth 1");
  CHECK(events("1", limits) == "1 ");
}
