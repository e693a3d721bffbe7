// SPDX-License-Identifier: Apache-2.0
// An MPI communicator as a value that is moved and ends once.
#pragma once

#include <mpi.h>

#include <heddle/core/config.hpp>
#include <utility>

namespace heddle::inline HEDDLE_ABI {

namespace mpi {

/// An MPI communicator that ends with its owner.
class owned_comm {
 public:
  owned_comm() = default;
  explicit owned_comm(MPI_Comm comm) : comm_{comm} { MPI_Comm_set_errhandler(comm_, MPI_ERRORS_RETURN); }
  owned_comm(owned_comm&& other) noexcept : comm_{std::exchange(other.comm_, MPI_COMM_NULL)} {}
  owned_comm& operator=(owned_comm&& other) noexcept {
    std::swap(comm_, other.comm_);
    return *this;
  }
  ~owned_comm() {
    int finalized = 0;
    MPI_Finalized(&finalized);
    if (comm_ != MPI_COMM_NULL && finalized == 0) MPI_Comm_free(&comm_);
  }
  [[nodiscard]] MPI_Comm get() const { return comm_; }

 private:
  MPI_Comm comm_ = MPI_COMM_NULL;
};

}  // namespace mpi

}  // namespace heddle::inline HEDDLE_ABI
