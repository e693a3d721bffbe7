// SPDX-License-Identifier: Apache-2.0
// Checkpoints of ranks that are processes: saved, gathered, loaded under other meshes and exchanged, element by
// element; and a save that fails on one rank.
#include <heddle/mpi/run.hpp>

#include "../../support/mpi_world.hpp"
#include "../checkpoint/saved_model.hpp"

#include <array>
#include <doctest/doctest.h>
#include <heddle/checkpoint/exchange.hpp>
#include <heddle/checkpoint/gather.hpp>
#include <heddle/checkpoint/load.hpp>
#include <memory>

namespace {

using namespace checkpoint_test;
using namespace heddle::checkpoint;
using heddle::index_t;

/// Grids of as many ranks as there are processes; three ranks have one of their own.
std::vector<grid_type> own_grids() {
  std::vector<grid_type> found;
  for (grid_type const& grid : all_grids()) {
    if (grid.world() == test_world().size()) found.push_back(grid);
  }
  if (test_world().size() == 3) found.emplace_back(heddle::dense_mesh{3, 1}, heddle::expert_mesh{1, 3, 1});
  return found;
}

/// A folder that all processes know, gone at the end of its scope.
class shared_folder {
 public:
  shared_folder() {
    std::array<std::uint8_t, 256> letters{};
    if (test_world().rank() == 0) {
      own_ = std::make_unique<folder>();
      std::string const path = own_->path();
      std::copy(path.begin(), path.end(), letters.begin());
    }
    test_world().broadcast(std::span<std::uint8_t>{letters}, 0);
    path_ = reinterpret_cast<char const*>(letters.data());
  }
  shared_folder(shared_folder const&) = delete;
  shared_folder& operator=(shared_folder const&) = delete;
  ~shared_folder() { test_world().barrier(); }
  [[nodiscard]] std::string operator/(std::string const& name) const { return path_ + "/" + name; }

 private:
  std::unique_ptr<folder> own_;
  std::string path_;
};

/// Whether this process reads from a folder what it holds of a version under `grid`.
bool holds(part_archive const& model, grid_type const& grid, int version) {
  bool same = model.tensors().size() == model_shapes().size();
  for (auto const& [name, shape] : model_shapes()) {
    box const part = model_part(name, shape, grid, test_world().rank());
    auto const expected = model_values(name, shape, part, version);
    std::vector<float> got(expected.size());
    load<float>(model, name, part, got);
    same = same && got == expected;
  }
  return same;
}

void save_version(std::string const& path, grid_type const& grid, int version, stopper steps = {}) {
  rank_entries const mine{grid, test_world().rank(), version};
  save(test_world(), path, mine.entries, {}, steps);
}

}  // namespace

TEST_CASE("processes save under every mesh, and load under every other") {
  shared_folder const place;
  int version = 0;
  for (grid_type const& before : own_grids()) {
    save_version(place / "s", before, ++version);
    part_archive const model = open_parts(place / "s");
    for (grid_type const& after : own_grids()) CHECK(holds(model, after, version));
    test_world().barrier();  // the next save removes these files
  }
  CHECK(version > 0);
}

TEST_CASE("processes gather a plain folder, in turns and in chunks") {
  shared_folder const place;
  int version = 0;
  for (grid_type const& grid : own_grids()) {
    rank_entries const mine{grid, test_world().rank(), ++version};
    gather(test_world(), place / "g", mine.entries, {}, {}, {.file_bytes = 600, .chunk_bytes = 100});
    CHECK(heddle::checkpoint::open(place / "g").tensors().size() == model_shapes().size());  // every tensor whole
    CHECK(holds(open_parts(place / "g"), grid, version));
    test_world().barrier();
  }
}

TEST_CASE("processes exchange what they hold for what they hold under another mesh") {
  auto const grids = own_grids();
  int const ranks = test_world().size();
  auto const me = static_cast<std::size_t>(test_world().rank());
  for (grid_type const& before : grids) {
    for (grid_type const& after : grids) {
      for (auto const& [name, shape] : model_shapes()) {
        std::vector<stored_tensor> from, to;
        for (int rank = 0; rank < ranks; ++rank) {
          from.push_back(part_of(whole_tensor(name, shape), model_part(name, shape, before, rank)));
          to.push_back(part_of(whole_tensor(name, shape), model_part(name, shape, after, rank)));
        }
        std::vector<holding> has, wants;
        for (int rank = 0; rank < ranks; ++rank) has.push_back({rank, 0, &from[static_cast<std::size_t>(rank)]});
        for (int rank = 0; rank < ranks; ++rank) wants.push_back({rank, 0, &to[static_cast<std::size_t>(rank)]});
        auto const mine = model_values(name, shape, model_part(name, shape, before, test_world().rank()));
        auto const expected = model_values(name, shape, model_part(name, shape, after, test_world().rank()));
        std::vector<float> got(static_cast<std::size_t>(to[me].count()), -1.0F);
        std::span<float const> const own{mine};
        std::span<float> const result{got};
        exchange<float>(test_world(), reshard(has, wants), std::span{&own, 1}, std::span{&result, 1});
        CHECK(got == expected);
      }
    }
  }
}

TEST_CASE("a step that fails in one process fails the save in all, and the save before stays") {
  shared_folder const place;
  grid_type const grid = own_grids().front();
  int const last = test_world().size() - 1;
  save_version(place / "s", grid, 1);
  for (int step = 0; step < 5; ++step) {
    std::atomic<int> count{0};
    stopper const fails{test_world().rank() == last ? &count : nullptr, step};
    std::string const kind = kind_from([&] { save_version(place / "s", grid, 2, fails); });
    CHECK(kind == (test_world().rank() == last ? "io" : "peer_failed"));
    CHECK(holds(open_parts(place / "s"), grid, 1));
    test_world().barrier();
  }
  save_version(place / "s", grid, 3);
  CHECK(holds(open_parts(place / "s"), grid, 3));
  if (test_world().rank() == 0) {
    auto const files = std::filesystem::directory_iterator(place / "s");
    CHECK(std::distance(files, {}) == test_world().size() + 1);
  }
}
