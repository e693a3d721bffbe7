// SPDX-License-Identifier: Apache-2.0
#include "communicator.hpp"

#include <cstdio>
#include <heddle/host/thread_world.hpp>
#include <optional>
#include <variant>
#if defined(HEDDLE_WITH_MPI)
#include <heddle/mpi/run.hpp>
#endif

namespace hf {

using heddle::bf16;
using heddle::element;
using heddle::error;
using heddle::error_kind;

#if defined(HEDDLE_WITH_MPI)
using either = std::variant<heddle::host::thread_communicator, heddle::mpi::communicator<>>;
#else
using either = std::variant<heddle::host::thread_communicator>;
#endif

struct communicator::model {
  either is;
};

communicator::communicator(std::unique_ptr<model> is) : model_{std::move(is)} {}
communicator::communicator(communicator&&) noexcept = default;
communicator& communicator::operator=(communicator&&) noexcept = default;
communicator::~communicator() = default;

int communicator::rank() const {
  return std::visit([](auto const& to) { return to.rank(); }, model_->is);
}
int communicator::size() const {
  return std::visit([](auto const& to) { return to.size(); }, model_->is);
}
index_t communicator::bytes_sent() const {
  return std::visit([](auto const& to) { return to.bytes_sent(); }, model_->is);
}
void communicator::set_plan(std::uint64_t hash) {
  std::visit([&](auto& to) { to.set_plan(hash); }, model_->is);
}
void communicator::set_deadline(std::chrono::nanoseconds deadline) {
  std::visit([&](auto& to) { to.transport().set_deadline(deadline); }, model_->is);
}
void communicator::agree(std::function<void()> const& check) {
  std::visit([&](auto& to) { to.agree(check); }, model_->is);
}
communicator communicator::split(int color, int key) {
  return std::visit([&](auto& to) { return communicator{std::make_unique<model>(model{to.split(color, key)})}; },
                    model_->is);
}
void communicator::barrier() {
  std::visit([](auto& to) { to.barrier(); }, model_->is);
}
template <element T>
void communicator::broadcast(std::span<T> data, int root) {
  std::visit([&](auto& to) { to.broadcast(data, root); }, model_->is);
}
template <element T>
void communicator::all_reduce(std::span<T> data) {
  std::visit([&](auto& to) { to.all_reduce(data); }, model_->is);
}
template <element T>
void communicator::all_gather(std::type_identity_t<std::span<T const>> send, std::span<T> recv) {
  std::visit([&](auto& to) { to.all_gather(send, recv); }, model_->is);
}
template <element T>
void communicator::all_gather(std::type_identity_t<std::span<T const>> send, std::span<T> recv,
                              std::span<index_t const> counts) {
  std::visit([&](auto& to) { to.all_gather(send, recv, counts); }, model_->is);
}
template <element T>
void communicator::reduce_scatter(std::type_identity_t<std::span<T const>> send, std::span<T> recv,
                                  std::span<index_t const> counts) {
  std::visit([&](auto& to) { to.reduce_scatter(send, recv, counts); }, model_->is);
}
template <element T>
void communicator::all_to_all(std::type_identity_t<std::span<T const>> send, std::span<index_t const> send_counts,
                              std::span<T> recv, std::span<index_t const> recv_counts) {
  std::visit([&](auto& to) { to.all_to_all(send, send_counts, recv, recv_counts); }, model_->is);
}

// What can be moved, and what can be summed.
using floats = std::span<float const>;
using halves = std::span<bf16 const>;
using words = std::span<std::int32_t const>;
using longs = std::span<index_t const>;
template void communicator::broadcast<float>(std::span<float>, int);
template void communicator::broadcast<index_t>(std::span<index_t>, int);
template void communicator::all_reduce<float>(std::span<float>);
template void communicator::all_reduce<bf16>(std::span<bf16>);
template void communicator::all_reduce<index_t>(std::span<index_t>);
template void communicator::all_gather<float>(floats, std::span<float>);
template void communicator::all_gather<index_t>(longs, std::span<index_t>);
template void communicator::all_gather<float>(floats, std::span<float>, longs);
template void communicator::all_gather<bf16>(halves, std::span<bf16>, longs);
template void communicator::all_gather<std::int32_t>(words, std::span<std::int32_t>, longs);
template void communicator::all_gather<index_t>(longs, std::span<index_t>, longs);
template void communicator::reduce_scatter<float>(floats, std::span<float>, longs);
template void communicator::reduce_scatter<bf16>(halves, std::span<bf16>, longs);
template void communicator::all_to_all<float>(floats, longs, std::span<float>, longs);
template void communicator::all_to_all<bf16>(halves, longs, std::span<bf16>, longs);
template void communicator::all_to_all<std::int32_t>(words, longs, std::span<std::int32_t>, longs);
template void communicator::all_to_all<index_t>(longs, longs, std::span<index_t>, longs);

namespace {

int run_threads(world_options const& options, std::function<void()> const& check,
                std::function<void(communicator&)> const& body) {
  try {
    check();
    heddle::host::thread_world world{options.ranks, {.deadline = options.deadline}};
    heddle::host::run(world, [&](heddle::host::thread_communicator& rank) {
      communicator mine{std::make_unique<communicator::model>(communicator::model{std::move(rank)})};
      body(mine);
    });
    return 0;
  } catch (std::exception const& problem) {
    std::string line = problem.what();
    for (char& letter : line) letter = letter == '\n' ? ' ' : letter;
    std::fprintf(stderr, "%s\n", line.c_str());
    return 1;
  }
}

#if defined(HEDDLE_WITH_MPI)
int run_processes(world_options const& options, std::function<void()> const& check,
                  std::function<void(communicator&)> const& body) {
  int argc = 0;
  char** argv = nullptr;
  return heddle::mpi::run(argc, argv, {.deadline = options.deadline}, [&](heddle::mpi::communicator<>& world) {
    world.agree([&] {
      check();
      if (world.size() != options.ranks) {
        throw error(error_kind::argument,
                    "--ranks is " + std::to_string(options.ranks) + " and the job has " + std::to_string(world.size()) +
                        " processes",
                    "start it as mpirun -np " + std::to_string(options.ranks) + ", or give --ranks " +
                        std::to_string(world.size()));
      }
    });
    communicator mine{std::make_unique<communicator::model>(communicator::model{std::move(world)})};
    body(mine);
  });
}
#endif

}  // namespace

int run_ranks(world_options const& options, std::function<void()> const& check,
              std::function<void(communicator&)> const& body) {
  if (options.transport == transport_kind::threads) return run_threads(options, check, body);
#if defined(HEDDLE_WITH_MPI)
  return run_processes(options, check, body);
#else
  std::fprintf(
      stderr,
      "heddle: unsupported: this build has no MPI. Fix: use --comm threads, or install MPI and configure again\n");
  return 1;
#endif
}

}  // namespace hf
