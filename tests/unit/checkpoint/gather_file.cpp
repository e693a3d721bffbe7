// SPDX-License-Identifier: Apache-2.0
#include <heddle/checkpoint/gather_file.hpp>

#include <doctest/doctest.h>
#include <heddle/host/thread_world.hpp>

#include "support.hpp"

namespace {

using namespace checkpoint_test;
using namespace heddle::checkpoint;
using heddle::box;
using heddle::index_t;
using heddle::range;
using heddle::shape_t;

}  // namespace

TEST_CASE("gather_file: chunks are contiguous, in order, small enough, and all of the tensor") {
  for (shape_t const& shape : {shape_t{}, shape_t{1}, shape_t{7}, shape_t{3, 5}, shape_t{2, 3, 4}, shape_t{4, 1, 3, 2},
                               shape_t{1, 1}, shape_t{3, 0, 2}}) {
    index_t const count = heddle::detail::product_of(shape);
    for (index_t most : {1, 2, 3, 5, 6, 12, 100}) {
      index_t next = 0;
      detail::for_each_chunk(shape, most, [&](box const& chunk) {
        CHECK(chunk.count() <= most);
        CHECK(chunk.count() > 0);
        index_t at = 0, seen = 0;
        auto const visit = [&](auto const& self, std::size_t axis, index_t offset) -> void {
          if (axis == shape.size()) {
            if (seen++ == 0) at = offset;
            CHECK(offset == next++);
            return;
          }
          for (range const own : chunk.axes[axis]) {
            for (index_t i = own.begin; i < own.end(); ++i) self(self, axis + 1, offset * shape[axis] + i);
          }
        };
        visit(visit, 0, 0);
      });
      CHECK(next == count);
    }
  }
}

TEST_CASE("gather_file: the bytes of all ranks in one file, written by any of them, whatever the chunk") {
  folder const place;
  // A [4, 6] of int32: rank r of 3 holds rows r and r + 1 of its own column pair; rank 3 holds nothing.
  std::vector<std::int32_t> whole(24);
  for (std::size_t i = 0; i < whole.size(); ++i) whole[i] = static_cast<std::int32_t>(i * 65'537 + 7);
  roster all;
  shared_tensor& shared = all["t"] = {heddle::dtype::i32, {4, 6}, {}, 0};
  for (int r = 0; r < 3; ++r) shared.parts.push_back({r, box{{{{0, 4}}, {{2 * r, 2}}}}});
  all["z"] = {heddle::dtype::u8, {0}, {{1, box::all({0})}}, 1};
  auto const tensors = detail::gathered(all, {});
  std::vector<tensor_entry> const entries{{"z", heddle::dtype::u8, {0}, {}}, {"t", heddle::dtype::i32, {4, 6}, {}}};
  heddle::host::thread_world world{4};
  for (int writer : {0, 3}) {
    for (std::uint64_t chunk : {1U, 4U, 20U, 24U, 60U, 1000U}) {
      std::string const path = place / "f";
      heddle::host::run(world, [&](heddle::host::thread_communicator& group) {
        std::vector<std::int32_t> mine;
        for (std::size_t i = 0; group.rank() < 3 && i < 8; ++i) {
          mine.push_back(whole[i / 2 * 6 + 2 * static_cast<std::size_t>(group.rank()) + i % 2]);
        }
        std::span<std::uint8_t const> const bytes{reinterpret_cast<std::uint8_t const*>(mine.data()), 4 * mine.size()};
        std::vector<std::span<std::uint8_t const>> const own{bytes, {}};
        no_steps nobody;
        detail::gather_file(group, writer, path, entries, {{"k", "v"}}, tensors, own, chunk, nobody);
      });
      archive const model = open(path);
      CHECK(model.metadata().at("k") == "v");
      CHECK(model.at("z").bytes == 0);
      std::vector<std::int32_t> got(24);
      model.read_bytes(model.at("t"), 0, std::as_writable_bytes(std::span{got}));
      CHECK(got == whole);
      std::filesystem::remove(path);
    }
  }
}
