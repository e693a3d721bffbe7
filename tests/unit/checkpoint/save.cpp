// SPDX-License-Identifier: Apache-2.0
#include <heddle/checkpoint/save.hpp>

#include <doctest/doctest.h>

#include <heddle/checkpoint/load.hpp>
#include <sys/wait.h>

#include "saved_model.hpp"

namespace {

using namespace checkpoint_test;
using namespace heddle::checkpoint;

grid_type const three{heddle::dense_mesh{3, 1}, heddle::expert_mesh{1, 3, 1}};
grid_type const four{heddle::dense_mesh{2, 2}, heddle::expert_mesh{2, 1, 2}};

/// The version of the model that a folder holds, every element looked at; -1 where it is none.
int version_in(std::string const& path, int versions) {
  part_archive const model = open_parts(path);
  for (int version = 0; version < versions; ++version) {
    bool same = model.tensors().size() == model_shapes().size();
    for (auto const& [name, shape] : model_shapes()) {
      std::vector<float> got(static_cast<std::size_t>(heddle::detail::product_of(shape)));
      load<float>(model, name, box::all(shape), got);
      same = same && got == model_values(name, shape, box::all(shape), version);
    }
    if (same) return version;
  }
  return -1;
}
/// Index and shards, and nothing else.
std::size_t files_of(int ranks) { return static_cast<std::size_t>(ranks) + 1; }

std::size_t files_in(std::string const& path) {
  return static_cast<std::size_t>(std::distance(std::filesystem::directory_iterator(path), {}));
}

}  // namespace

TEST_CASE("save: each rank writes what it owns, and of copies the first rank does") {
  folder const place;
  save_model(place / "s", four);
  auto const names_in_shard = [&](std::size_t rank) {
    std::string names;
    archive const shard = heddle::checkpoint::detail::open_single(place / ("s/" + shard_name("model", rank, 4)), {});
    for (std::string_view name : shard.names()) names.append(name).append(" ");
    return names;
  };
  // tp and etp 2, two replicas: of ranks 2 and 3 only what replicas deal out is not there already.
  CHECK(names_in_shard(0) == "dealt down embed gate_up moment none norm o q q.bias scale ");
  CHECK(names_in_shard(1) == "dealt down embed gate_up moment o q q.bias ");
  CHECK(names_in_shard(2) == "dealt moment ");
  CHECK(names_in_shard(3) == "dealt moment ");
  std::uint64_t stored = 0, held = 0;
  for (std::size_t rank = 0; rank < 4; ++rank) {
    archive const shard = heddle::checkpoint::detail::open_single(place / ("s/" + shard_name("model", rank, 4)), {});
    for (tensor_info const& each : shard.tensors()) stored += each.bytes;
    if (rank < 2) CHECK(shard.metadata().at("heddle.part:gate_up").starts_with("5,14,6|0+5|"));
    CHECK(shard.metadata().count("heddle.part:norm") == 0);
  }
  for (auto const& [name, shape] : model_shapes())
    held += 4U * static_cast<std::uint64_t>(heddle::detail::product_of(shape));
  CHECK(stored == held);
  CHECK(version_in(place / "s", 1) == 0);
}

TEST_CASE("save: where every tensor is whole the folder is a plain one") {
  folder const place;
  on_threads(3, [&](heddle::host::thread_communicator& group) {
    std::vector<float> const values(6, static_cast<float>(group.rank()));
    std::string const name = "t" + std::to_string(group.rank());
    shard_entry const entry = shard_of<float>(name, {2, 3}, box::all({2, 3}), values);
    save(group, place.path(), std::span{&entry, 1}, {{"note", "mine"}}, stopper{});
  });
  archive const model = heddle::checkpoint::open(place.path());
  CHECK(model.tensors().size() == 3);
  CHECK(model.metadata().at("format") == "pt");
  CHECK(model.metadata().at("note") == "mine");
  std::vector<float> got(6);
  read<float>(model, "t2", box::all({2, 3}), got);
  CHECK(got == std::vector<float>(6, 2.0F));
}

TEST_CASE("save: over and over, under other meshes; the shards before go, an open reader keeps them") {
  folder const place;
  save_model(place / "s", four, 0);
  part_archive const before = open_parts(place / "s");
  save_model(place / "s", three, 1);
  CHECK(version_in(place / "s", 2) == 1);
  CHECK(files_in(place / "s") == files_of(3));
  std::vector<float> got(6);
  load<float>(before, "norm", box::all({6}), got);
  CHECK(got == model_values("norm", {6}, box::all({6}), 0));
  save_model(place / "s", four, 2);
  CHECK(version_in(place / "s", 3) == 2);
  CHECK(files_in(place / "s") == files_of(4));
}

TEST_CASE("save: killed at any step, it leaves the save before or is done, and the next save clears up") {
  folder const place;
  std::string const s = place / "s";
  int killed = 0, old_ones = 0;
  for (int step = 0;; ++step) {
    CAPTURE(step);
    REQUIRE(step < 200);
    save_model(s, four, 0);
    pid_t const child = ::fork();
    REQUIRE(child >= 0);
    if (child == 0) {
      std::atomic<int> count{0};
      save_model(s, three, 1, {&count, step, true});
      ::_exit(0);
    }
    int status = 0;
    REQUIRE(::waitpid(child, &status, 0) == child);
    int const version = version_in(s, 2);
    CHECK(version >= 0);
    old_ones += version == 0;
    if (WIFEXITED(status)) {
      CHECK(WEXITSTATUS(status) == 0);
      CHECK(version == 1);
      break;
    }
    ++killed;
    CHECK(WIFSIGNALED(status));
    save_model(s, three, 2);
    CHECK(version_in(s, 3) == 2);
    CHECK(files_in(s) == files_of(3));
  }
  // Three shards of at least five steps each and an index of five come before the last rename.
  CHECK(killed > 22);
  CHECK(old_ones > 18);
  CHECK(old_ones < killed);
}

TEST_CASE("save: a step that fails on one rank fails the save on all, and the save before stays") {
  folder const place;
  std::string const s = place / "s";
  save_model(s, four, 0);
  int failures = 0;
  for (int step = 0;; ++step) {
    CAPTURE(step);
    REQUIRE(step < 200);
    std::atomic<int> count{0};
    auto const kinds = save_model(s, three, 1, {&count, step});
    if (count <= step) {
      CHECK(kinds == std::vector<std::string>(3, "none"));
      break;
    }
    ++failures;
    CHECK(std::count(kinds.begin(), kinds.end(), "io") == 1);
    CHECK(std::count(kinds.begin(), kinds.end(), "peer_failed") == 2);
    int const version = version_in(s, 2);
    CHECK(version >= 0);
    for (auto const& each : std::filesystem::directory_iterator(s)) {
      CHECK(each.path().string().find(".part-") == std::string::npos);
    }
    if (version == 1) save_model(s, four, 0);
  }
  CHECK(failures > 22);
  CHECK(version_in(s, 2) == 1);
}

TEST_CASE("save: what cannot be saved changes nothing") {
  folder const place;
  std::vector<float> const values(6, 1.0F);
  std::string const s = place / "s";
  auto const kind = [&](std::string const& path, std::vector<shard_entry> const& entries) {
    return on_threads(1,
                      [&](heddle::host::thread_communicator& group) { save(group, path, entries, {}, stopper{}); })[0];
  };
  shard_entry const good = shard_of<float>("t", {2, 3}, box::all({2, 3}), values);
  CHECK(kind(s, {good}) == "none");
  CHECK(kind(s, {shard_of<float>("t", {3, 3}, box::all({2, 3}), values)}) == "argument");  // a part nobody completes
  CHECK(kind(s, {shard_of<float>("__metadata__", {2, 3}, box::all({2, 3}), values)}) == "argument");
  CHECK(kind(s, {shard_of<float>("t", {2, 2}, box::all({2, 2}), values)}) == "shape");
  CHECK(open_parts(s).at("t").shape == shape_t{2, 3});
  CHECK(files_in(s) == files_of(1));
  put(s + "/model.safetensors", "x");
  CHECK(kind(s, {good}) == "argument");
  CHECK(kind(place / "nothing", {}) == "none");
  CHECK(open_parts(place / "nothing").tensors().empty());
}
