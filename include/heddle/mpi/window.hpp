// SPDX-License-Identifier: Apache-2.0
// The symmetric memory of processes. On one node a window is memory that all of them see, and a put is a plain store;
// between nodes it is MPI_Put, and the fence ends it while the target is known to be inside MPI, too.
#pragma once

#include <mpi.h>

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <heddle/mpi/error.hpp>
#include <heddle/mpi/job.hpp>
#include <heddle/tensor/extents.hpp>
#include <vector>

namespace heddle::inline HEDDLE_ABI {

namespace mpi {

/// One rank's end of the window of its group. The job owns the window itself: it ends by an agreement of all ranks.
class window {
 public:
  /// Of a group of `size` ranks; `shared` outlives this object.
  window(job& shared, int size)
      : job_{&shared},
        mode_{shared.settings().put},
        deadline_{shared.settings().deadline},
        peers_(static_cast<std::size_t>(size)),
        skips_(static_cast<std::size_t>(size)) {}
  window(window const&) = delete;
  window& operator=(window const&) = delete;

  /// `comm` outlives this object; `context` is the number the group is known by.
  void open(MPI_Comm comm, std::int64_t context) {
    comm_ = comm;
    context_ = context;
  }

  [[nodiscard]] std::byte* data() const { return own_; }
  [[nodiscard]] index_t bytes() const { return bytes_; }
  [[nodiscard]] put_mode mode() const { return mode_; }
  void set_mode(put_mode mode) { mode_ = mode; }
  void set_deadline(std::chrono::nanoseconds deadline) { deadline_ = deadline; }
  /// Whether the buffers of all peers are memory of this process.
  [[nodiscard]] bool shared() const { return shared_; }

  /// Collective. Without memory the job ends: MPI has no way back from a window that not all ranks could make.
  template <class Transport>
  void grow(Transport& self, index_t bytes, long /*sequence*/) {
    bytes_ = 0;
    std::byte* base = nullptr;
    job_->watch().over("making a window", deadline_, [&] {
      job_->windows().free(context_, job_->rank());
      base = static_cast<std::byte*>(allocate(bytes + alignment));
      job_->windows().keep(context_, handle_);
      MPI_Win_set_errhandler(handle_, MPI_ERRORS_RETURN);
      require(MPI_Win_lock_all(MPI_MODE_NOCHECK, handle_), "MPI_Win_lock_all", job_->rank());
    });
    // MPI aligns for itself, not for every element: each rank skips to its first good byte and says how far that is.
    auto const skip = static_cast<std::int64_t>(-reinterpret_cast<std::uintptr_t>(base) % alignment);
    self.template all_gather<std::int64_t>({&skip, 1}, skips_, [](int) { return 1; });
    for (int peer = 0; shared_ && peer < self.size(); ++peer)
      peers_[static_cast<std::size_t>(peer)] = base_of(peer) + skip_of(peer);
    own_ = base + skip;
    bytes_ = bytes;
  }

  void put(int peer, index_t offset, void const* data, std::size_t bytes) {
    if (shared_) {
      std::memmove(peers_[static_cast<std::size_t>(peer)] + offset, data, bytes);
      return;
    }
    auto const* from = static_cast<std::byte const*>(data);
    for (std::size_t done = 0; done < bytes; done += largest_piece) {
      int const size = static_cast<int>(bytes - done < largest_piece ? bytes - done : largest_piece);
      auto const place = static_cast<MPI_Aint>(skip_of(peer) + offset + static_cast<index_t>(done));
      require(MPI_Put(from + done, size, MPI_BYTE, peer, place, size, MPI_BYTE, handle_), "MPI_Put", job_->rank());
    }
    begun_ = true;
  }

  /// Makes the stores before it visible to peers that are told of them, and those that this rank was told of to its
  /// loads after it.
  void sync() const {
    if (bytes_ > 0) require(MPI_Win_sync(handle_), "MPI_Win_sync", job_->rank());
  }
  /// Ends what MPI_Put began. It may need the targets' help, so it comes after a meeting and calls for another one:
  /// each rank knows of its own puts only, hence all ranks meet again whenever MPI_Put is the way.
  [[nodiscard]] bool flush() {
    if (bytes_ == 0 || shared_) return false;
    job_->watch().over("MPI_Win_flush_all", deadline_, [this] {
      if (begun_) require(MPI_Win_flush_all(handle_), "MPI_Win_flush_all", job_->rank());
    });
    begun_ = false;
    return true;
  }

 private:
  static constexpr std::size_t largest_piece = std::size_t{1} << 30;  // bytes; below the largest int
  static constexpr index_t alignment = 64;                            // a cache line of its own for every rank

  [[nodiscard]] void* allocate(index_t bytes) {
    void* base = nullptr;
    MPI_Info hints = MPI_INFO_NULL;
    require(MPI_Info_create(&hints), "MPI_Info_create", job_->rank());
    bool const together = one_node();
    shared_ = together && mode_ == put_mode::automatic;
    // MPI_Put stores into a shared window as into any other. On one node it has to: Open MPI before 5.0 gives the file
    // behind MPI_Win_allocate one name in all groups of a split (its issue 9492), and they take each other's memory.
    if (together) {  // each buffer on pages of its own, near the core of its rank
      require(MPI_Info_set(hints, "alloc_shared_noncontig", "true"), "MPI_Info_set", job_->rank());
      require(MPI_Win_allocate_shared(bytes, 1, hints, comm_, &base, &handle_), "MPI_Win_allocate_shared",
              job_->rank());
    } else {
      require(MPI_Win_allocate(bytes, 1, hints, comm_, &base, &handle_), "MPI_Win_allocate", job_->rank());
    }
    MPI_Info_free(&hints);
    return base;
  }

  [[nodiscard]] bool one_node() const {
    MPI_Comm node = MPI_COMM_NULL;
    require(MPI_Comm_split_type(comm_, MPI_COMM_TYPE_SHARED, 0, MPI_INFO_NULL, &node), "MPI_Comm_split_type",
            job_->rank());
    int here = 0;
    int all = 0;
    MPI_Comm_size(node, &here);
    MPI_Comm_size(comm_, &all);
    MPI_Comm_free(&node);
    return here == all;  // and then it is so on every rank
  }
  [[nodiscard]] std::byte* base_of(int peer) const {
    MPI_Aint size = 0;
    int unit = 0;
    void* base = nullptr;
    require(MPI_Win_shared_query(handle_, peer, &size, &unit, &base), "MPI_Win_shared_query", job_->rank());
    return static_cast<std::byte*>(base);
  }

  [[nodiscard]] index_t skip_of(int peer) const { return skips_[static_cast<std::size_t>(peer)]; }

  job* job_;
  MPI_Comm comm_ = MPI_COMM_NULL;
  std::int64_t context_ = -1;
  put_mode mode_;
  std::chrono::nanoseconds deadline_;
  MPI_Win handle_ = MPI_WIN_NULL;
  std::byte* own_ = nullptr;
  index_t bytes_ = 0;
  bool shared_ = false;
  bool begun_ = false;               // puts that are not flushed
  std::vector<std::byte*> peers_;    // by rank, where all is shared
  std::vector<std::int64_t> skips_;  // by rank, in bytes
};

}  // namespace mpi

}  // namespace heddle::inline HEDDLE_ABI
