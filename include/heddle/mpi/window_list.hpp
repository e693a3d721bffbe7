// SPDX-License-Identifier: Apache-2.0
// The windows of a process. MPI_Win_free waits for all members of a group, who may drop their communicators at any time
// and in any order; so windows end where all are known to come: in a collective of the group, or with the job.
#pragma once

#include <mpi.h>

#include <cstdint>
#include <heddle/mpi/error.hpp>
#include <vector>

namespace heddle::inline HEDDLE_ABI {

namespace mpi {

/// One window a group at most, by the number the group is known by.
class window_list {
 public:
  /// Memory for `groups` windows more, so that `keep` takes none.
  void reserve(std::size_t groups) { windows_.reserve(windows_.size() + groups); }
  void keep(std::int64_t context, MPI_Win window) {
    auto place = windows_.begin();
    while (place != windows_.end() && place->context < context) ++place;
    windows_.insert(place, {context, window});
  }
  /// Collective over the group; nothing where it has no window. `rank` is for errors.
  void free(std::int64_t context, int rank) {
    for (auto each = windows_.begin(); each != windows_.end(); ++each) {
      if (each->context != context) continue;
      require(MPI_Win_unlock_all(each->window), "MPI_Win_unlock_all", rank);
      require(MPI_Win_free(&each->window), "MPI_Win_free", rank);
      windows_.erase(each);
      return;
    }
  }
  /// In the order of contexts, which all ranks share: no two wait for each other in different groups.
  void free_all(int rank) {
    while (!windows_.empty()) free(windows_.front().context, rank);
  }

 private:
  struct entry {
    std::int64_t context;
    MPI_Win window;
  };
  std::vector<entry> windows_;
};

}  // namespace mpi

}  // namespace heddle::inline HEDDLE_ABI
