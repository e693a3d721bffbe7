// SPDX-License-Identifier: Apache-2.0
// The communicator of this program, compiled once: ranks that are threads or processes, as the user chose.
#pragma once

#include "choice.hpp"
#include <functional>
#include <heddle/concepts/symmetric.hpp>
#include <heddle/core/dtype.hpp>
#include <memory>

namespace probe {

using heddle::index_t;

struct gpu_rank;

/// A `heddle::symmetric_communicator` for float, double, int32 and int64.
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

  heddle::symmetric_memory symmetric(index_t bytes);
  template <heddle::element T>
  void put(int rank, index_t offset, std::span<T const> data);
  void fence();

  gpu_rank* gpu = nullptr;  ///< what the rank has besides where its data is a GPU's: see gpu_rank.hpp

 private:
  std::unique_ptr<model> model_;
};

static_assert(heddle::symmetric_communicator<communicator>);

/// Runs `body(world)` on every rank: threads of this process, or this process as one of an MPI job. `check` runs
/// before, once a process; where it throws nothing is sent. Returns the exit code of the process. What goes wrong is
/// said in one line on stderr, once for all ranks.
[[nodiscard]] int run_ranks(choice const& chosen, std::function<void()> const& check,
                            std::function<void(communicator&)> const& body);

}  // namespace probe
