// SPDX-License-Identifier: Apache-2.0
#include <heddle/checkpoint/gather.hpp>

#include <doctest/doctest.h>

#include <heddle/checkpoint/layout.hpp>
#include <heddle/checkpoint/read.hpp>
#include <sys/wait.h>

#include "expert_numbers.hpp"
#include "saved_model.hpp"

namespace {

using namespace checkpoint_test;
using namespace heddle::checkpoint;

std::vector<std::string> gather_model(std::string const& path, grid_type const& grid, int version = 0,
                                      gather_options const& options = {}, stopper steps = {}) {
  return on_threads(grid.world(), [&](heddle::host::thread_communicator& group) {
    rank_entries const mine{grid, group.rank(), version};
    gather(group, path, mine.entries, {}, {}, options, steps);
  });
}
/// Whether a folder is a plain checkpoint that holds this version of the model.
bool holds(std::string const& path, int version) {
  archive const model = heddle::checkpoint::open(path);
  bool same = model.tensors().size() == model_shapes().size();
  for (auto const& [name, shape] : model_shapes()) {
    std::vector<float> got(static_cast<std::size_t>(heddle::detail::product_of(shape)));
    read<float>(model, name, box::all(shape), got);
    same = same && got == model_values(name, shape, box::all(shape), version);
  }
  return same;
}
std::size_t files_in(std::string const& path) {
  return static_cast<std::size_t>(std::distance(std::filesystem::directory_iterator(path), {}));
}

}  // namespace

TEST_CASE("gather: from every mesh of 1, 2, 4 and 8 ranks to one plain folder") {
  folder const place;
  int version = 0;
  for (grid_type const& grid : all_grids()) {
    gather_model(place / "s", grid, ++version);
    CHECK(holds(place / "s", version));
    CHECK(files_in(place / "s") == 2);
  }
}

TEST_CASE("gather: chunks and files of any size give the same tensors, and the ranks take turns as writers") {
  folder const place;
  grid_type const grid{heddle::dense_mesh{2, 2}, heddle::expert_mesh{2, 2, 1}};
  for (std::uint64_t chunk : {1U, 28U, 100U, 4096U}) {
    gather_model(place / "s", grid, static_cast<int>(chunk % 7), {.file_bytes = 600, .chunk_bytes = chunk});
    CHECK(holds(place / "s", static_cast<int>(chunk % 7)));
    CHECK(files_in(place / "s") == 7);  // dealt; down; embed; gate_up; moment; all the small ones; the index
  }
}

TEST_CASE("gather: any layout on the ranks becomes any other in the folder") {
  folder const place;
  expert_sizes const s{3, 6, 4};
  auto const layouts = all_layouts(s, 3);
  for (std::size_t a = 0; a < layouts.size(); ++a) {
    for (std::size_t b = 0; b < layouts.size(); ++b) {
      filled_layout const &memory = layouts[a], &wanted = layouts[b];
      on_threads(2, [&](heddle::host::thread_communicator& group) {
        // Each rank holds one half of the last axis of every tensor; 4 and 6 columns, or 12 rows transposed.
        std::vector<std::vector<float>> values;
        std::vector<shard_entry> entries;
        auto const enter = [&](std::vector<stored_tensor> const& tensors, std::vector<std::vector<float>> const& all) {
          for (std::size_t i = 0; i < tensors.size(); ++i) {
            box part = box::all(tensors[i].shape);
            std::int64_t const width = tensors[i].shape.back(), mine = width / 2;
            part.axes.back() = {{group.rank() * mine, mine}};
            std::vector<float>& own = values.emplace_back();
            for (std::size_t k = 0; k < all[i].size(); ++k) {
              if (static_cast<std::int64_t>(k) % width / mine == group.rank()) own.push_back(all[i][k]);
            }
            entries.push_back(shard_of<float>(tensors[i].name, tensors[i].shape, part, own));
          }
        };
        enter(memory.layout.fc1, memory.fc1);
        enter(memory.layout.fc2, memory.fc2);
        std::vector<relayout> const changes{{memory.layout.fc1, wanted.layout.fc1},
                                            {memory.layout.fc2, wanted.layout.fc2}};
        gather(group, place / "s", entries, changes, {}, {.chunk_bytes = 100}, stopper{});
      });
      archive const model = heddle::checkpoint::open(place / "s");
      CHECK(model.tensors().size() == wanted.fc1.size() + wanted.fc2.size());
      auto const same = [&](std::vector<stored_tensor> const& tensors, std::vector<std::vector<float>> const& all) {
        for (std::size_t i = 0; i < tensors.size(); ++i) {
          std::vector<float> got(all[i].size());
          read<float>(model, tensors[i].name, box::all(tensors[i].shape), got);
          if (got != all[i]) return false;
        }
        return true;
      };
      CHECK(same(wanted.layout.fc1, wanted.fc1));
      CHECK(same(wanted.layout.fc2, wanted.fc2));
    }
  }
}

TEST_CASE("gather: killed at any step, it leaves the folder before or is done") {
  folder const place;
  std::string const s = place / "s";
  int killed = 0;
  for (int step = 0;; ++step) {
    CAPTURE(step);
    REQUIRE(step < 200);
    grid_type const one{heddle::dense_mesh{1, 1}, heddle::expert_mesh{1, 1, 1}};
    gather_model(s, one, 0, {.file_bytes = 2000});
    pid_t const child = ::fork();
    REQUIRE(child >= 0);
    if (child == 0) {
      std::atomic<int> count{0};
      gather_model(s, one, 1, {.file_bytes = 2000}, {&count, step, true});
      ::_exit(0);
    }
    int status = 0;
    REQUIRE(::waitpid(child, &status, 0) == child);
    if (WIFEXITED(status)) {
      CHECK(WEXITSTATUS(status) == 0);
      CHECK(holds(s, 1));
      break;
    }
    ++killed;
    CHECK((holds(s, 0) || holds(s, 1)));
    gather_model(s, one, 2, {.file_bytes = 2000});
    CHECK(holds(s, 2));
    CHECK(files_in(s) == 4);
  }
  CHECK(killed > 20);
}

TEST_CASE("gather: a disk that fails under the writer fails it on every rank, and the folder stays") {
  folder const place;
  std::string const s = place / "s";
  grid_type const two{heddle::dense_mesh{2, 1}, heddle::expert_mesh{2, 1, 1}};
  gather_model(s, two, 0);
  for (int step = 0;; ++step) {
    CAPTURE(step);
    REQUIRE(step < 100);
    std::atomic<int> count{0};
    auto const kinds = gather_model(s, two, 1, {}, {&count, step});
    if (holds(s, 1)) break;  // from the last rename on there is no way back
    CHECK(std::count(kinds.begin(), kinds.end(), "io") == 1);
    CHECK(std::count(kinds.begin(), kinds.end(), "peer_failed") == 1);
    CHECK(holds(s, 0));
    for (auto const& each : std::filesystem::directory_iterator(s)) {
      CHECK(each.path().string().find(".part-") == std::string::npos);
    }
  }
}
