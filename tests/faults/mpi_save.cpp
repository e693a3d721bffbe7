// SPDX-License-Identifier: Apache-2.0
// A process that is killed while the ranks of a job save a checkpoint: `mpi_save CULPRIT FIRST LAST` starts a job for
// each step from FIRST to LAST at which process CULPRIT is killed, looks at the folder, and saves anew. The old save
// stays readable, or the new one is done; what is left over goes with the next one.
//
// Rank 0 has replaced the index at its step 11.
// run: 0 9 12 ; expect text "4 jobs, 4 killed, 2 left the old save"
// run: 2 1 3 ; expect text "3 jobs, 3 killed, 3 left the old save"
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <heddle/checkpoint/load.hpp>
#include <heddle/checkpoint/save.hpp>
#include <heddle/mpi/run.hpp>
#include <string>
#include <sys/wait.h>
#include <unistd.h>
#include <vector>

using namespace heddle;

namespace {

constexpr int ranks = 3;
constexpr index_t height = 7;
constexpr index_t width = 4;

std::vector<float> rows_of_version(range rows, int version) {
  std::vector<float> values;
  for (index_t i = rows.begin * width; i < rows.end() * width; ++i)
    values.push_back(static_cast<float>(100 * version + i));
  return values;
}

struct killer {
  int* count;
  int at;
  void operator()(char const*) const {
    if ((*count)++ == at) ::kill(::getpid(), SIGKILL);
  }
};

/// One rank of a job.
int worker(int argc, char** argv) {
  std::string const folder = argv[2];
  int const version = std::atoi(argv[3]);
  int const culprit = std::atoi(argv[4]);
  int const step = std::atoi(argv[5]);
  return mpi::run(argc, argv, {.deadline = std::chrono::seconds{20}}, [&](mpi::communicator<>& world) {
    range const own = balanced::piece(height, world.size(), world.rank());
    box part = box::all({height, width});
    part.axes[0] = {own};
    auto const values = rows_of_version(own, version);
    auto const entry = checkpoint::shard_of<float>("t", {height, width}, part, values);
    int count = 0;
    checkpoint::save(world, folder, std::span{&entry, 1}, {}, killer{&count, world.rank() == culprit ? step : -1});
    return 0;
  });
}

/// The version that the folder holds, every element looked at.
int version_in(std::string const& folder) {
  auto const model = checkpoint::open_parts(folder);
  std::vector<float> got(height * width);
  checkpoint::load<float>(model, "t", box::all({height, width}), got);
  for (int version = 1; version < 4; ++version) {
    if (got == rows_of_version({0, height}, version)) return version;
  }
  return -1;
}

int job(char const* program, std::string const& folder, int version, int culprit, int step) {
  char const* const launcher = std::getenv("MPIRUN");
  std::string const command = std::string{launcher == nullptr ? "mpirun" : launcher} + " -np " + std::to_string(ranks) +
                              " --timeout 60 -q " + program + " worker " + folder + " " + std::to_string(version) +
                              " " + std::to_string(culprit) + " " + std::to_string(step) +
                              " >/dev/null 2>&1 </dev/null";
  int const status = std::system(command.c_str());
  return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

int driver(char const* program, int culprit, int first, int last) {
  std::string name = (std::filesystem::temp_directory_path() / "heddle-save-XXXXXX").string();
  if (::mkdtemp(name.data()) == nullptr) return 2;
  std::string const folder = name + "/s";
  int jobs = 0, killed = 0, old_ones = 0;
  bool good = true;
  for (int step = first; step <= last; ++step) {
    good = good && job(program, folder, 1, -1, 0) == 0 && version_in(folder) == 1;
    ++jobs;
    killed += job(program, folder, 2, culprit, step) == 128 + SIGKILL ? 1 : 0;
    int const version = version_in(folder);
    std::printf("killed at step %d: version %d\n", step, version);
    good = good && (version == 1 || version == 2);
    old_ones += version == 1 ? 1 : 0;
  }
  good = good && job(program, folder, 3, -1, 0) == 0 && version_in(folder) == 3;
  // Nothing but the index and a shard for each rank.
  good = good && std::distance(std::filesystem::directory_iterator(folder), {}) == ranks + 1;
  std::printf("%d jobs, %d killed, %d left the old save\n", jobs, killed, old_ones);
  std::filesystem::remove_all(name);
  return good ? 0 : 1;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc == 6 && std::string{argv[1]} == "worker") return worker(argc, argv);
  if (argc == 4) return driver(argv[0], std::atoi(argv[1]), std::atoi(argv[2]), std::atoi(argv[3]));
  return 2;
}
