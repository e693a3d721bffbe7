// SPDX-License-Identifier: Apache-2.0
#include <heddle/checkpoint/save.hpp>

#include <doctest/doctest.h>

#include <atomic>
#include <csignal>
#include <heddle/checkpoint/load.hpp>
#include <heddle/host/self_communicator.hpp>
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

/// Calls `act` at step number `at` of all ranks together; says how many there were.
template <class Act>
struct at_step {
  std::atomic<int>* count;
  int at;
  Act act;
  void operator()(char const*) const {
    if (count->fetch_add(1) == at) act();
  }
};

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
  // tp and etp 2, two replicas: ranks 2 and 3 hold nothing that 0 and 1 do not hold, but their shards are there.
  CHECK(names_in_shard(0) == "down embed gate_up none norm o q q.bias scale ");
  CHECK(names_in_shard(1) == "down embed gate_up o q q.bias ");
  CHECK(names_in_shard(2).empty());
  CHECK(names_in_shard(3).empty());
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
  heddle::host::thread_world world{3};
  heddle::host::run(world, [&](heddle::host::thread_communicator& group) {
    std::vector<float> const values(6, static_cast<float>(group.rank()));
    std::string const name = "t" + std::to_string(group.rank());
    shard_entry const entry = shard_of<float>(name, {2, 3}, box::all({2, 3}), values);
    save(group, place.path(), std::span{&entry, 1}, {{"note", "mine"}});
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
  CHECK(static_cast<std::size_t>(std::distance(std::filesystem::directory_iterator(place / "s"), {})) == files_of(3));
  std::vector<float> got(6);
  load<float>(before, "norm", box::all({6}), got);
  CHECK(got == model_values("norm", {6}, box::all({6}), 0));
  save_model(place / "s", four, 2);
  CHECK(version_in(place / "s", 3) == 2);
  CHECK(static_cast<std::size_t>(std::distance(std::filesystem::directory_iterator(place / "s"), {})) == files_of(4));
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
      auto const kill = [] { ::kill(::getpid(), SIGKILL); };
      save_model(s, three, 1, at_step<decltype(kill)>{&count, step, kill});
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
    CHECK(static_cast<std::size_t>(std::distance(std::filesystem::directory_iterator(s), {})) == files_of(3));
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
    auto const fail = [] { throw heddle::error(heddle::error_kind::io, "the disk is on fire"); };
    std::array<std::string, 3> kinds;
    heddle::host::thread_world world{3};
    heddle::host::run(world, [&](heddle::host::thread_communicator& group) {
      rank_entries const mine{three, group.rank(), 1};
      kinds[static_cast<std::size_t>(group.rank())] = kind_from([&] {
        save(group, s, mine.entries, {}, at_step<decltype(fail)>{&count, step, fail});
      });
    });
    if (count <= step) {
      CHECK(kinds == std::array<std::string, 3>{"none", "none", "none"});
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
  heddle::host::self_communicator group;
  std::vector<float> const values(6, 1.0F);
  shard_entry entry = shard_of<float>("t", {2, 3}, box::all({2, 3}), values);
  std::string const s = place / "s";
  save(group, s, std::span{&entry, 1});
  auto const kind = [&] { return kind_from([&] { save(group, s, std::span{&entry, 1}); }); };
  entry.shape = {3, 3};
  CHECK(kind() == "argument");  // a part of the tensor that nobody else has
  entry = shard_of<float>("__metadata__", {2, 3}, box::all({2, 3}), values);
  CHECK(kind() == "argument");
  entry = shard_of<float>("t", {2, 2}, box::all({2, 2}), values);
  CHECK(kind() == "shape");
  CHECK(open_parts(s).at("t").shape == shape_t{2, 3});
  CHECK(static_cast<std::size_t>(std::distance(std::filesystem::directory_iterator(s), {})) == files_of(1));
  entry = shard_of<float>("t", {2, 3}, box::all({2, 3}), values);
  put(s + "/model.safetensors", "x");
  CHECK(kind() == "argument");
  save(group, place / "nothing", {});
  CHECK(open_parts(place / "nothing").tensors().empty());
}
