// SPDX-License-Identifier: Apache-2.0
// The communicator of this program, compiled once: ranks that are threads or processes, as the user chose.
#pragma once

#include <chrono>
#include <functional>
#include <heddle/concepts/communicator.hpp>
#include <heddle/core/dtype.hpp>
#include <memory>

namespace hf {

using heddle::index_t;

enum class transport_kind { threads, mpi, nccl };

/// A `heddle::communicator`. The element types are those this program sends: float, bf16, int32, int64.
class communicator {
 public:
  struct model;
  explicit communicator(std::unique_ptr<model> is);
  communicator(communicator&&) noexcept;
  communicator& operator=(communicator&&) noexcept;
  ~communicator();

  [[nodiscard]] int rank() const;
  [[nodiscard]] int size() const;
  [[nodiscard]] index_t bytes_sent() const;
  void set_plan(std::uint64_t hash);
  void set_deadline(std::chrono::nanoseconds deadline);
  void agree(std::function<void()> const& check);
  [[nodiscard]] communicator split(int color, int key);

  void barrier();
  template <heddle::element T>
  void broadcast(std::span<T> data, int root);
  template <heddle::element T>
  void all_reduce(std::span<T> data);
  template <heddle::element T>
  void all_gather(std::type_identity_t<std::span<T const>> send, std::span<T> recv);
  template <heddle::element T>
  void all_gather(std::type_identity_t<std::span<T const>> send, std::span<T> recv, std::span<index_t const> counts);
  template <heddle::element T>
  void reduce_scatter(std::type_identity_t<std::span<T const>> send, std::span<T> recv,
                      std::span<index_t const> counts);
  template <heddle::element T>
  void all_to_all(std::type_identity_t<std::span<T const>> send, std::span<index_t const> send_counts,
                  std::span<T> recv, std::span<index_t const> recv_counts);

 private:
  std::unique_ptr<model> model_;
};

static_assert(heddle::communicator<communicator>);

/// How the ranks of a job come to be.
struct world_options {
  transport_kind transport = transport_kind::threads;
  int ranks = 1;
  std::chrono::nanoseconds deadline = std::chrono::seconds{60};
};

/// Runs `body(world)` on every rank: `ranks` threads of this process, or this process as one of an MPI job. `check`
/// runs before, once a process; where it throws nothing is sent. Returns the exit code of the process. What goes wrong
/// is said in one line on stderr, once for all ranks.
[[nodiscard]] int run_ranks(world_options const& options, std::function<void()> const& check,
                            std::function<void(communicator&)> const& body);

}  // namespace hf
