// SPDX-License-Identifier: Apache-2.0
#include <heddle/checkpoint/load.hpp>

#include <doctest/doctest.h>

#include <heddle/checkpoint/layout.hpp>
#include <random>

#include "expert_numbers.hpp"
#include "saved_model.hpp"

namespace {

using namespace checkpoint_test;
using namespace heddle::checkpoint;
using heddle::bf16;

/// A file with every tensor of a layout, whole.
void write_layout(std::string const& path, filled_layout const& filled) {
  std::vector<tensor_entry> entries;
  auto const add = [&](std::vector<stored_tensor> const& tensors, std::vector<std::vector<float>> const& values) {
    for (std::size_t i = 0; i < tensors.size(); ++i) {
      entries.push_back({tensors[i].name, heddle::dtype::f32, tensors[i].shape, std::as_bytes(std::span{values[i]})});
    }
  };
  add(filled.layout.fc1, filled.fc1);
  add(filled.layout.fc2, filled.fc2);
  write(path, entries);
}

}  // namespace

TEST_CASE("load: saved under every mesh of 1, 2, 4 and 8 ranks, loaded under every other, bit for bit") {
  folder const place;
  auto const grids = all_grids();
  CHECK(grids.size() == 20);
  long elements = 0;
  for (grid_type const& before : grids) {
    save_model(place / "s", before);
    part_archive const model = open_parts(place / "s");
    bool same = true;
    for (grid_type const& after : grids) {
      for (int rank = 0; rank < after.world(); ++rank) {
        for (auto const& [name, shape] : model_shapes()) {
          box const part = model_part(name, shape, after, rank);
          std::vector<float> got(static_cast<std::size_t>(part.count()));
          load<float>(model, name, part, got);
          same = same && got == model_values(name, shape, part);
          elements += part.count();
        }
      }
    }
    CHECK(same);
  }
  CHECK(elements > 500'000);
}

TEST_CASE("load: any layout in a file as any other in memory, whole and cut") {
  folder const place;
  expert_sizes const s{5, 6, 4};
  for (filled_layout const& file : all_layouts(s, 3)) {
    write_layout(place / "f", file);
    part_archive const model = open_parts(place / "f");
    for (filled_layout const& memory : all_layouts(s, 2)) {
      for (std::size_t i = 0; i < memory.layout.fc1.size(); ++i) {
        stored_tensor const& whole = memory.layout.fc1[i];
        std::vector<float> got(static_cast<std::size_t>(whole.count()));
        load<float>(model, file.layout.fc1, whole, got);
        CHECK(got == memory.fc1[i]);
      }
      for (std::size_t i = 0; i < memory.layout.fc2.size(); ++i) {
        stored_tensor const& whole = memory.layout.fc2[i];
        std::vector<float> got(static_cast<std::size_t>(whole.count()));
        load<float>(model, file.layout.fc2, whole, got);
        CHECK(got == memory.fc2[i]);
        // A column of the middle, which is a gap after every element of a row-major file.
        box part = box::all(whole.shape);
        part.axes.back() = {{1, 1}, {3, 1}};
        std::vector<float> columns(static_cast<std::size_t>(part.count()));
        load<float>(model, file.layout.fc2, part_of(whole, part), columns);
        auto const width = static_cast<std::size_t>(whole.shape.back());
        for (std::size_t k = 0; k < columns.size(); ++k)
          CHECK(columns[k] == memory.fc2[i][k / 2 * width + 1 + k % 2 * 2]);
      }
    }
  }
}

TEST_CASE("load: only the bytes that are owned, and short gaps between them") {
  folder const place;
  std::vector<float> values(1000 * 70);
  for (std::size_t i = 0; i < values.size(); ++i) values[i] = static_cast<float>(i);
  tensor_entry const entry{"t", heddle::dtype::f32, {1000, 70}, std::as_bytes(std::span{values})};
  write(place / "f", std::span{&entry, 1});
  part_archive const model = open_parts(place / "f");
  std::vector<float> got(300 * 70);
  load<float>(model, "t", box{{{{200, 300}}, {{0, 70}}}}, got);
  CHECK(model.bytes_read() == 300 * 70 * 4);
  CHECK(got.front() == 14000.0F);
  load<float>(model, "t", box{{{{0, 10}}, {{5, 20}}}}, got);
  CHECK(model.bytes_read() == (300 * 70 + 10 * 20) * 4);
  load<float>(model, "t", box{{{{0, 1000}}, {{69, 1}}}}, got);  // one column: 999 gaps of 69
  CHECK(got[999] == 69999.0F);
  CHECK(got[1] == 139.0F);
  CHECK(model.bytes_read() < (300 * 70 + 10 * 20 + 1000 * 70 + 100) * 4);
  std::vector<float> wide(8 * 5000);
  for (std::size_t i = 0; i < wide.size(); ++i) wide[i] = static_cast<float>(i);
  tensor_entry const far{"w", heddle::dtype::f32, {8, 5000}, std::as_bytes(std::span{wide})};
  write(place / "g", std::span{&far, 1});
  part_archive const sparse = open_parts(place / "g");
  load<float>(sparse, "w", box{{{{0, 8}}, {{4321, 1}}}}, got);  // gaps too long to read over
  CHECK(sparse.bytes_read() == 8 * 4);
  CHECK(got[7] == 39321.0F);
}

TEST_CASE("load: types convert as they are read") {
  folder const place;
  std::vector<float> const values{1.0F, 2.5F, -3.0F, 4.0F, 0.125F, 6.0F};
  tensor_entry const entry{"t", heddle::dtype::f32, {2, 3}, std::as_bytes(std::span{values})};
  write(place / "f", std::span{&entry, 1});
  part_archive const model = open_parts(place / "f");
  stored_tensor const layout = whole_tensor("t", {2, 3});
  stored_tensor turned = layout;
  std::swap(turned.shape[0], turned.shape[1]);
  std::swap(turned.pieces[0].lanes[0].on, turned.pieces[0].lanes[1].on);
  std::vector<bf16> got(6);
  load<bf16>(model, std::span{&layout, 1}, turned, std::span{got});
  for (std::size_t i = 0; i < 6; ++i) CHECK(static_cast<float>(got[i]) == values[i % 2 * 3 + i / 2]);
  std::vector<std::int32_t> whole(6);
  CHECK(kind_from([&] { load<std::int32_t>(model, "t", box::all({2, 3}), whole); }) == "unsupported");
}

TEST_CASE("load: what does not fit is refused") {
  folder const place;
  save_model(place / "s", all_grids()[4]);
  part_archive const model = open_parts(place / "s");
  std::vector<float> out(2000);
  CHECK(code_from([&] { load<float>(model, "absent", box::all({1}), out); }) == format_code::missing_tensor);
  CHECK(kind_from([&] { load<float>(model, "q", box::all({11, 6}), out); }) == "shape");
  CHECK(kind_from([&] { load<float>(model, "q", box::all({10, 6}), std::span{out}.first(59)); }) == "workspace");
  stored_tensor const wrong = whole_tensor("q", {6, 10}), whole = whole_tensor("q", {10, 6});
  CHECK(kind_from([&] { load<float>(model, std::span{&wrong, 1}, whole, std::span{out}); }) == "shape");
  stored_tensor const larger = whole_tensor("mine", {10, 7});
  CHECK(kind_from([&] { load<float>(model, std::span{&whole, 1}, larger, std::span{out}); }) == "shape");
}
