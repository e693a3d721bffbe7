// SPDX-License-Identifier: Apache-2.0
#include <heddle/checkpoint/part_archive.hpp>

#include <doctest/doctest.h>
#include <heddle/checkpoint/open.hpp>
#include <heddle/checkpoint/write.hpp>

#include "support.hpp"

namespace {

using namespace checkpoint_test;
using namespace heddle::checkpoint;
using heddle::dtype;
using heddle::shape_t;

std::string const bytes(1000, 'x');

/// A shard: its tensors as (name, shape, part text; empty for a whole tensor).
struct shard_text {
  struct tensor {
    std::string name;
    shape_t shape;
    std::string part;
    dtype type = dtype::u8;
  };
  std::vector<tensor> tensors;
  metadata_t metadata;
};

part_archive archive_of(std::vector<shard_text> const& shards) {
  folder const place;
  std::vector<archive> files;
  for (shard_text const& each : shards) {
    std::vector<tensor_entry> entries;
    metadata_t metadata = each.metadata;
    for (auto const& [name, shape, part, type] : each.tensors) {
      auto const size = static_cast<std::size_t>(heddle::detail::product_of(shape)) * heddle::size_of(type);
      entries.push_back({name, type, shape, bytes_of(bytes).first(size)});
      if (!part.empty()) metadata[std::string{part_key} + name] = part;
    }
    std::string const path = place / std::to_string(files.size());
    write(path, entries, metadata);
    files.push_back(heddle::checkpoint::detail::open_single(path, {}));
  }
  return {std::move(files), "here"};
}
format_code code(std::vector<shard_text> const& shards) {
  return code_from([&] { (void)archive_of(shards); });
}

}  // namespace

TEST_CASE("part_archive: tensors in parts and whole ones, found by name") {
  part_archive const model = archive_of({{{{"a", {2, 3}, "5,3|0+2|0+3"}, {"w", {4}, ""}}, {}},
                                         {{{"a", {3, 2}, "5,3|2+3|0+1,2+1"}}, {}},
                                         {{{"a", {3, 1}, "5,3|2+3|1+1"}, {"z", {0, 3}, ""}}, {}},
                                         {{}, {}}});
  REQUIRE(model.tensors().size() == 3);
  CHECK(model.tensors()[1].name == "w");
  parted_tensor const& a = model.at("a");
  CHECK(a.shape == shape_t{5, 3});
  REQUIRE(a.parts.size() == 3);
  CHECK(a.parts[1].file == 1);
  CHECK(a.parts[1].where.axes[1] == std::vector<heddle::range>{{0, 1}, {2, 1}});
  CHECK(a.parts[1].stored->bytes == 6);
  CHECK(model.at("w").parts.at(0).where == heddle::box::all({4}));
  CHECK(model.find("b") == nullptr);
  CHECK(code_from([&] { (void)model.at("b"); }) == format_code::missing_tensor);
  CHECK(model.bytes_read() == 0);
}

TEST_CASE("part_archive: parts that are not one tensor have a code each") {
  using list = std::vector<shard_text>;
  shard_text const first{{{"a", {2, 3}, "5,3|0+2|0+3"}}, {}}, second{{{"a", {3, 3}, "5,3|2+3|0+3"}}, {}};
  CHECK(code(list{first, second}) == format_code::none);
  CHECK(code(list{first}) == format_code::part_hole);
  CHECK(code(list{}) == format_code::none);
  CHECK(code(list{first, second, second}) == format_code::part_overlap);
  CHECK(code(list{{{{"a", {5, 3}, ""}}, {}}, first}) == format_code::part_overlap);  // whole, and a part
  CHECK(code(list{first, {{{"a", {3, 3}, "5,3|1+3|0+3"}}, {}}}) == format_code::part_overlap);
  // As many elements as the tensor has, some twice and some not at all.
  CHECK(code(list{first, {{{"a", {3, 3}, "5,3|1+1,2+2|0+3"}}, {}}}) == format_code::part_overlap);
  CHECK(code(list{{{{"a", {5, 3}, "5,3|0+3,1+2|0+3"}}, {}}}) == format_code::part_overlap);
  CHECK(code(list{first, {{{"a", {3, 3}, "6,3|2+3|0+3"}}, {}}}) == format_code::part_disagree);
  CHECK(code(list{first, {{{"a", {3, 3}, "5,3|2+3|0+3", dtype::boolean}}, {}}}) == format_code::part_disagree);
  CHECK(code(list{first, {{{"a", {3, 3}, "5,3|3+3|0+3"}}, {}}}) == format_code::part_outside);
  CHECK(code(list{first, {{{"a", {3, 3}, "5,3|9223372036854775807+3|0+3"}}, {}}}) == format_code::part_outside);
  CHECK(code(list{{{{"a", {1}, "9223372036854775807|0+1"}}, {}}}) == format_code::part_outside);  // bytes overflow
  CHECK(code(list{first, {{{"a", {3, 2}, "5,3|2+3|0+3"}}, {}}}) == format_code::part_shape);
  CHECK(code(list{first, {{{"a", {9}, "5,3|2+3|0+3"}}, {}}}) == format_code::part_shape);
  CHECK(code(list{first, {{{"a", {3, 3}, "5,3|2+3"}}, {}}}) == format_code::part_text);
  CHECK(code(list{first, {{{"a", {3, 3}, "everything"}}, {}}}) == format_code::part_text);
  CHECK(code(list{first, {second.tensors, {{"heddle.part:b", "5|0+5"}}}}) == format_code::part_unknown);
  CHECK(code(list{first, {second.tensors, {{"heddle.other", "5|0+5"}}}}) == format_code::none);
}
