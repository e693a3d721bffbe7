// SPDX-License-Identifier: Apache-2.0
#include <heddle/core/config.hpp>

#include <doctest/doctest.h>
#include <string>

TEST_CASE("the version of the headers is the version of the CMake package") {
  using heddle::version;
  std::string text = std::to_string(version::major_number);
  text.append(".").append(std::to_string(version::minor_number));
  text.append(".").append(std::to_string(version::patch_number));
  CHECK(text == HEDDLE_CMAKE_VERSION);
}

#define HEDDLE_TEXT_OF(name) #name
#define HEDDLE_EXPANDED(name) HEDDLE_TEXT_OF(name)
TEST_CASE("the inline namespace names the version, so two versions in one program stay apart") {
  std::string prefix{"v"};
  prefix.append(std::to_string(heddle::version::major_number)).append("_");
  prefix.append(std::to_string(heddle::version::minor_number));
  CHECK(std::string{HEDDLE_EXPANDED(HEDDLE_ABI)}.substr(0, prefix.size()) == prefix);
}
