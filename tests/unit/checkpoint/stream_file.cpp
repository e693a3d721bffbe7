// SPDX-License-Identifier: Apache-2.0
#include <heddle/checkpoint/stream_file.hpp>

#include <doctest/doctest.h>

#include "support.hpp"

using namespace checkpoint_test;
using heddle::dtype;
using heddle::checkpoint::stream_file;
using heddle::checkpoint::tensor_entry;

namespace {

std::string const letters = "0123456789abcdefghijklmnopqrstuvwxyz";

std::vector<tensor_entry> three() {
  return {{"b", dtype::u8, {3}, {}}, {"a", dtype::f32, {2}, {}}, {"e", dtype::u8, {0}, {}}};
}

}  // namespace

TEST_CASE("stream_file: the same file as one written at once, whatever the pieces") {
  folder const place;
  auto entries = three();
  entries[1].bytes = bytes_of(letters).first(8);
  entries[0].bytes = bytes_of(letters).subspan(8, 3);
  heddle::checkpoint::write(place / "whole", entries, {{"k", "v"}});
  for (std::size_t piece : {1U, 3U, 8U, 11U}) {
    stream_file target{place / "pieces", three(), {{"k", "v"}}};
    CHECK(target.order()[0]->name == "a");
    for (std::size_t at = 0; at < 11; at += piece) {
      target.append(bytes_of(letters).subspan(at, std::min<std::size_t>(piece, 11 - at)));
    }
    target.commit();
    CHECK(get(place / "pieces") == get(place / "whole"));
  }
}

TEST_CASE("stream_file: too many bytes or too few are refused, and the old file stays") {
  folder const place;
  put(place / "f", "old");
  {
    stream_file target{place / "f", three()};
    target.append(bytes_of(letters).first(10));
    CHECK(kind_from([&] { target.append(bytes_of(letters).first(2)); }) == "argument");
    CHECK(kind_from([&] { target.commit(); }) == "argument");
  }
  CHECK(get(place / "f") == "old");
  CHECK(place.files() == 1);
  CHECK(kind_from([&] { stream_file{place / "f", {{"a", dtype::f32, {-1}, {}}}}; }) == "shape");
}
