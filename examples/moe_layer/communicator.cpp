// SPDX-License-Identifier: Apache-2.0
#include "communicator.hpp"

#include <algorithm>
#include <cstdio>
#include <heddle/host/thread_world.hpp>
#include <variant>
#if defined(PROBE_ON_GPU)
#undef HEDDLE_WITH_MPI  // ranks share one GPU: threads

#include "gpu_rank.hpp"
#elif defined(HEDDLE_WITH_MPI)
#include <heddle/mpi/run.hpp>
#endif

namespace probe {

using heddle::element;

#if defined(HEDDLE_WITH_MPI)
using either = std::variant<heddle::host::thread_communicator, heddle::mpi::communicator<>>;
#else
using either = std::variant<heddle::host::thread_communicator>;
#endif

struct communicator::model {
  either is;
  template <class Function>
  decltype(auto) on(Function const& function) {
    return std::visit(function, is);
  }
};

communicator::communicator(std::unique_ptr<model> is) : model_{std::move(is)} {}
communicator::communicator(communicator&&) noexcept = default;
communicator& communicator::operator=(communicator&&) noexcept = default;
communicator::~communicator() = default;

int communicator::rank() const {
  return model_->on([](auto const& to) { return to.rank(); });
}
int communicator::size() const {
  return model_->on([](auto const& to) { return to.size(); });
}
index_t communicator::bytes_sent() const {
  return model_->on([](auto const& to) { return to.bytes_sent(); });
}
void communicator::set_plan(std::uint64_t hash) {
  model_->on([&](auto& to) { to.set_plan(hash); });
}
void communicator::agree(std::function<void()> const& check) {
  model_->on([&](auto& to) { to.agree(check); });
}
communicator communicator::split(int color, int key) {
  return model_->on([&](auto& to) { return communicator{std::make_unique<model>(model{to.split(color, key)})}; });
}
void communicator::barrier() {
  model_->on([](auto& to) { to.barrier(); });
}
template <element T>
void communicator::broadcast(std::span<T> data, int root) {
  model_->on([&](auto& to) { to.broadcast(data, root); });
}
template <element T>
void communicator::all_reduce(std::span<T> data) {
  model_->on([&](auto& to) { to.all_reduce(data); });
}
template <element T>
void communicator::all_gather(std::type_identity_t<std::span<T const>> send, std::span<T> recv) {
  model_->on([&](auto& to) { to.all_gather(send, recv); });
}
template <element T>
void communicator::all_gather(std::type_identity_t<std::span<T const>> send, std::span<T> recv,
                              std::span<index_t const> counts) {
  model_->on([&](auto& to) { to.all_gather(send, recv, counts); });
}
template <element T>
void communicator::reduce_scatter(std::type_identity_t<std::span<T const>> send, std::span<T> recv,
                                  std::span<index_t const> counts) {
  model_->on([&](auto& to) { to.reduce_scatter(send, recv, counts); });
}
template <element T>
void communicator::all_to_all(std::type_identity_t<std::span<T const>> send, std::span<index_t const> send_counts,
                              std::span<T> recv, std::span<index_t const> recv_counts) {
  model_->on([&](auto& to) { to.all_to_all(send, send_counts, recv, recv_counts); });
}

heddle::symmetric_memory communicator::symmetric(index_t bytes) {
  return model_->on([&](auto& to) { return to.symmetric(bytes); });
}
template <element T>
void communicator::put(int rank, index_t offset, std::span<T const> data) {
  model_->on([&](auto& to) { to.put(rank, offset, data); });
}
void communicator::fence() {
  model_->on([](auto& to) { to.fence(); });
}

// A template's members are compiled where they are named: here, for the types that this program sends.
template <class T>
using source = std::span<T const>;
using counts_t = std::span<index_t const>;
template void communicator::broadcast<float>(std::span<float>, int);
template void communicator::broadcast<double>(std::span<double>, int);
template void communicator::broadcast<std::int32_t>(std::span<std::int32_t>, int);
template void communicator::broadcast<index_t>(std::span<index_t>, int);
template void communicator::all_reduce<float>(std::span<float>);
template void communicator::all_reduce<double>(std::span<double>);
template void communicator::all_reduce<std::int32_t>(std::span<std::int32_t>);
template void communicator::all_reduce<index_t>(std::span<index_t>);
template void communicator::all_gather<float>(source<float>, std::span<float>);
template void communicator::all_gather<double>(source<double>, std::span<double>);
template void communicator::all_gather<std::int32_t>(source<std::int32_t>, std::span<std::int32_t>);
template void communicator::all_gather<index_t>(source<index_t>, std::span<index_t>);
template void communicator::all_gather<float>(source<float>, std::span<float>, counts_t);
template void communicator::all_gather<double>(source<double>, std::span<double>, counts_t);
template void communicator::all_gather<std::int32_t>(source<std::int32_t>, std::span<std::int32_t>, counts_t);
template void communicator::all_gather<index_t>(source<index_t>, std::span<index_t>, counts_t);
template void communicator::reduce_scatter<float>(source<float>, std::span<float>, counts_t);
template void communicator::reduce_scatter<double>(source<double>, std::span<double>, counts_t);
template void communicator::reduce_scatter<index_t>(source<index_t>, std::span<index_t>, counts_t);
template void communicator::all_to_all<float>(source<float>, counts_t, std::span<float>, counts_t);
template void communicator::all_to_all<double>(source<double>, counts_t, std::span<double>, counts_t);
template void communicator::all_to_all<std::int32_t>(source<std::int32_t>, counts_t, std::span<std::int32_t>, counts_t);
template void communicator::all_to_all<index_t>(source<index_t>, counts_t, std::span<index_t>, counts_t);
template void communicator::put<float>(int, index_t, source<float>);
template void communicator::put<double>(int, index_t, source<double>);
template void communicator::put<std::int32_t>(int, index_t, source<std::int32_t>);
template void communicator::put<index_t>(int, index_t, source<index_t>);

namespace {

template <class Is>
communicator erased(Is& rank) {
  return communicator{std::make_unique<communicator::model>(communicator::model{std::move(rank)})};
}

#if defined(PROBE_ON_GPU)
/// Throws where there is no GPU that this program can use.
void look_for_gpu() {
  try {
    heddle::cuda::check_machine(heddle::cuda::look_around(), 0);
  } catch (heddle::error const& problem) {
    throw heddle::error(problem.kind(), "--device cuda: " + problem.text(),
                        std::string{problem.hint()} + ", or use --device host");
  }
}
#endif

int run_threads(choice const& chosen, std::function<void()> const& check,
                std::function<void(communicator&)> const& body) {
  try {
#if defined(PROBE_ON_GPU)
    look_for_gpu();
    check();
    heddle::host::basic_thread_world<heddle::cuda::mover> world{chosen.ranks, {.deadline = chosen.longest_wait()}};
    heddle::host::run(world, [&](virtual_communicator& data, auto& numbers, auto const& queue) {
      communicator mine = erased(numbers);
      gpu_rank here{data, queue};
      mine.gpu = &here;
      body(mine);
    });
#else
    check();
    heddle::host::thread_world world{chosen.ranks, {.deadline = chosen.longest_wait()}};
    heddle::host::run(world, [&](heddle::host::thread_communicator& rank) {
      communicator mine = erased(rank);
      body(mine);
    });
#endif
    return 0;
  } catch (std::bad_alloc const&) {
    std::fputs("heddle: workspace: there is not enough memory. Fix: use a smaller input or more ranks\n", stderr);
  } catch (std::exception const& problem) {
    std::string line = problem.what();
    std::replace(line.begin(), line.end(), '\n', ' ');
    std::fprintf(stderr, "%s\n", line.c_str());
  }
  return 1;
}

#if defined(HEDDLE_WITH_MPI)
int run_processes(choice const& chosen, std::function<void()> const& check,
                  std::function<void(communicator&)> const& body) {
  int argc = 0;
  char** argv = nullptr;
  return heddle::mpi::run(argc, argv, {.deadline = chosen.longest_wait()}, [&](heddle::mpi::communicator<>& world) {
    world.agree([&] {
      check();
      if (world.size() == chosen.ranks) return;
      throw heddle::error(heddle::error_kind::argument,
                          "--ranks is " + std::to_string(chosen.ranks) + " and the job has " +
                              std::to_string(world.size()) + " processes",
                          "start it as mpirun -np " + std::to_string(chosen.ranks) + ", or give --ranks " +
                              std::to_string(world.size()));
    });
    communicator mine = erased(world);
    body(mine);
  });
}
#endif

}  // namespace

int run_ranks(choice const& chosen, std::function<void()> const& check,
              std::function<void(communicator&)> const& body) {
  if (chosen.transport == transport_kind::threads) return run_threads(chosen, check, body);
#if defined(HEDDLE_WITH_MPI)
  return run_processes(chosen, check, body);
#else
  std::fputs(
      "heddle: unsupported: this build has no MPI. Fix: use --comm threads, or install MPI and configure again\n",
      stderr);
  return 1;
#endif
}

}  // namespace probe
