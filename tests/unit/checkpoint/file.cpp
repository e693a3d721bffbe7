// SPDX-License-Identifier: Apache-2.0
// Rows 44 and 45 of the list of malformed files: what is no file, and files that change under the reader.
#include <heddle/checkpoint/file.hpp>

#include <doctest/doctest.h>

#include "support.hpp"

using namespace checkpoint_test;
using heddle::checkpoint::file;
using heddle::checkpoint::format_code;

TEST_CASE("file: reads any range, and moves") {
  folder const place;
  put(place / "f", "0123456789");
  file first{place / "f"};
  CHECK(first.size() == 10);
  file other = std::move(first);
  std::string out(4, ' ');
  other.read(6, std::as_writable_bytes(std::span{out}));
  CHECK(out == "6789");
  other.read(10, {});
  put(place / "g", "abcdefghij");
  other = file{place / "g"};
  other.read(0, std::as_writable_bytes(std::span{out}));
  CHECK(out == "abcd");
  CHECK(other.path() == place / "g");
}

TEST_CASE("file: row 44, a file that shrinks is a short read, one that is replaced keeps its bytes") {
  folder const place;
  put(place / "f", "0123456789");
  file const open{place / "f"};
  std::string out(10, ' ');
  put(place / "new", "abcdefghij");
  std::filesystem::rename(place / "new", place / "f");
  open.read(0, std::as_writable_bytes(std::span{out}));
  CHECK(out == "0123456789");
  CHECK_NOTHROW(open.require_unchanged());

  file const shrinking{place / "f"};
  std::filesystem::resize_file(place / "f", 7);
  CHECK(code_from([&] { shrinking.read(0, std::as_writable_bytes(std::span{out})); }) == format_code::short_read);
  CHECK(code_from([&] { shrinking.require_unchanged(); }) == format_code::size_changed);
  CHECK_NOTHROW(shrinking.read(0, std::as_writable_bytes(std::span{out}).first(7)));
  try {
    shrinking.read(5, std::as_writable_bytes(std::span{out}).first(4));
    FAIL("no error");
  } catch (heddle::error const& failure) {  // names the file and the byte at which it ended
    CHECK(failure.text().find(place / "f") != std::string::npos);
    CHECK(failure.text().find("byte 7") != std::string::npos);
  }
  std::filesystem::resize_file(place / "f", 11);
  CHECK(code_from([&] { shrinking.require_unchanged(); }) == format_code::size_changed);
}

TEST_CASE("file: row 45, only regular files, and no waiting for a pipe") {
  folder const place;
  CHECK(code_from([&] { file{place.path()}; }) == format_code::not_regular);
  CHECK(code_from([&] { file{"/dev/zero"}; }) == format_code::not_regular);
  REQUIRE(::mkfifo((place / "pipe").c_str(), 0600) == 0);
  CHECK(code_from([&] { file{place / "pipe"}; }) == format_code::not_regular);
  std::filesystem::create_symlink(place / "pipe", place / "link");
  CHECK(code_from([&] { file{place / "link"}; }) == format_code::not_regular);
  CHECK(kind_from([&] { file{""}; }) == "io");
  CHECK(kind_from([&] { file{place / "missing"}; }) == "io");
  std::filesystem::create_symlink(place / "loop", place / "loop");
  CHECK(kind_from([&] { file{place / "loop"}; }) == "io");
  put(place / "secret", "x");
  std::filesystem::permissions(place / "secret", std::filesystem::perms::none);
  if (::geteuid() != 0) CHECK(kind_from([&] { file{place / "secret"}; }) == "io");  // root may read everything
}
