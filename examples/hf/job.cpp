// SPDX-License-Identifier: Apache-2.0
#include "job.hpp"

#include "rank_model.hpp"
#include "ticker.hpp"
#include <algorithm>
#include <fstream>
#include <optional>

namespace hf {

namespace {

using clock = std::chrono::steady_clock;

double seconds_since(clock::time_point begin) { return std::chrono::duration<double>(clock::now() - begin).count(); }

/// The largest resident memory this process has had, in bytes, and how much of it are pages of files: the program and
/// its libraries, which the processes of a machine share.
struct memory {
  index_t peak = 0, of_files = 0;
};
memory memory_of_process() {
  memory result;
  std::ifstream status{"/proc/self/status"};
  for (std::string line; std::getline(status, line);) {
    if (line.starts_with("VmHWM:")) result.peak = 1024 * std::stoll(line.substr(6));
    if (line.starts_with("RssFile:")) result.of_files = 1024 * std::stoll(line.substr(8));
  }
  return result;
}

bytes_by_group sent_by(groups_type& groups) {
  return {groups.get<heddle::tp>().bytes_sent(), groups.get<heddle::dp>().bytes_sent(),
          groups.get<heddle::etp>().bytes_sent(), groups.get<heddle::ep>().bytes_sent(),
          groups.get<heddle::edp>().bytes_sent()};
}

/// Every rank's pieces, one behind the other, on rank 0.
template <class T>
std::vector<T> gather(communicator& world, std::span<T const> mine, std::span<index_t const> sizes) {
  std::vector<index_t> to(sizes.size(), 0), from(sizes.size(), 0);
  to[0] = static_cast<index_t>(mine.size());
  index_t total = 0;
  for (index_t size : sizes) total += size;
  if (world.rank() == 0) from.assign(sizes.begin(), sizes.end());
  std::vector<T> all(world.rank() == 0 ? static_cast<std::size_t>(total) : 0);
  world.all_to_all(mine, to, std::span<T>{all}, from);
  return all;
}

template <heddle::real T>
outcome run_as(communicator& world, model const& whole, choice const& chosen, grid_type const& grid,
               batch const& tokens, heddle::checkpoint::shard_store& store, bool show_progress) {
  outcome result;
  clock::time_point begin = clock::now();
  std::optional<rank_model<T>> mine;
  progress done{0};
  // Ranks own unequal parts, and disks are slow: one rank may have loaded long before another.
  world.set_deadline(std::max<std::chrono::nanoseconds>(chosen.longest_wait(), std::chrono::hours{1}));
  world.agree([&] {
    ticker const tick{done, whole, grid, world.rank(), sizeof(T), show_progress && world.rank() == 0};
    mine.emplace(whole, chosen, grid, world.rank(), store, done);
  });
  world.set_deadline(chosen.longest_wait());
  result.load_seconds = seconds_since(begin);

  groups_type groups{world, grid};
  world.barrier();
  begin = clock::now();
  auto const ids = share_of(tokens, grid.size<heddle::dp>(), grid.coordinate<heddle::dp>(world.rank()));
  std::span<float const> logits = mine->forward(groups, ids, tokens.length);
  world.barrier();
  result.seconds = seconds_since(begin);

  // The ranks of tp have the same logits: the first of each sends them.
  auto const ranks = static_cast<std::size_t>(world.size());
  std::vector<index_t> sizes(ranks, 0);
  for (int rank = 0; rank < world.size(); ++rank) {
    if (grid.coordinate<heddle::tp>(rank) != 0) continue;
    auto const share = share_of(tokens, grid.size<heddle::dp>(), grid.coordinate<heddle::dp>(rank));
    sizes[static_cast<std::size_t>(rank)] = static_cast<index_t>(share.size()) * whole.settings.vocab;
  }
  if (sizes[static_cast<std::size_t>(world.rank())] == 0) logits = {};
  result.logits = gather(world, logits, sizes);

  bytes_by_group const own = sent_by(groups);
  std::vector<index_t> const figures(ranks, static_cast<index_t>(own.size()));
  std::vector<index_t> const sent = gather<index_t>(world, own, figures);
  result.sent.resize(sent.size() / own.size());
  for (std::size_t i = 0; i < sent.size(); ++i) result.sent[i / own.size()][i % own.size()] = sent[i];
  result.shard_bytes = static_cast<index_t>(store.bytes_held());
  memory const used = memory_of_process();
  result.peak_bytes = used.peak;
  if (chosen.transport == transport_kind::mpi) {
    // Every process has shards of its own, and the program's pages are counted once.
    std::array<index_t, 2> sums{result.shard_bytes, used.peak - (world.rank() == 0 ? 0 : used.of_files)};
    world.all_reduce(std::span<index_t>{sums});
    result.shard_bytes = sums[0];
    result.peak_bytes = sums[1];
  }
  return result;
}

}  // namespace

outcome run_rank(communicator& world, model const& whole, choice const& chosen, grid_type const& grid,
                 batch const& tokens, heddle::checkpoint::shard_store& store, bool show_progress) {
  if (chosen.dtype == dtype_kind::bf16)
    return run_as<heddle::bf16>(world, whole, chosen, grid, tokens, store, show_progress);
  return run_as<float>(world, whole, chosen, grid, tokens, store, show_progress);
}

}  // namespace hf
