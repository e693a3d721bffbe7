// SPDX-License-Identifier: Apache-2.0
// A communicator whose ranks have a GPU each and whose data NCCL moves, in the order of one stream. Sums are NCCL's
// own.
#pragma once

#include <exception>
#include <heddle/collective/communicator.hpp>
#include <heddle/nccl/bootstrap.hpp>
#include <heddle/nccl/calls.hpp>
#include <heddle/nccl/cast.hpp>
#include <heddle/nccl/membership.hpp>
#include <heddle/nccl/moves.hpp>
#include <heddle/nccl/sums.hpp>
#include <heddle/nccl/window.hpp>
#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace heddle::inline HEDDLE_ABI {
namespace nccl {

/// The transport over NCCL. Spans are memory of the GPU that was current when it was made; a collective returns when it
/// is in the stream, and `wait` when it is done. `Cast` is `launched_cast` where sums are to be made in f32.
template <class Calls = calls, class Cast = no_cast>
class transport {
 public:
  /// Collective: the group of `size` ranks that have the same `id`, see `make_id` and `share_id`.
  transport(ncclUniqueId const& id, int rank, int size, cudaStream_t stream, options const& settings = {},
            Calls calls = {}, Cast cast = {})
      : cast_{std::move(cast)} {
    check(settings, rank);
    self_ = std::make_unique<membership<Calls>>(calls, everyone(size), rank, stream, settings);
    ncclConfig_t config = configuration();
    self_->link().open("ncclCommInitRankConfig",
                       [&](ncclComm_t* made) { return self_->link().calls().init(made, size, id, rank, &config); });
  }
  /// The group of a communicator that there is already; a borrowed one outlives this object.
  transport(ncclComm_t comm, ownership whose, cudaStream_t stream, options const& settings = {}, Calls calls = {},
            Cast cast = {})
      : cast_{std::move(cast)} {
    check(settings, -1);
    int size = 0;
    int rank = 0;
    auto const ask = [&](ncclResult_t status, char const* call) {
      if (status != ncclSuccess) throw refusal(status, call);
    };
    ask(comm == nullptr ? ncclInvalidArgument : calls.size(comm, &size), "ncclCommCount");
    ask(calls.rank(comm, &rank), "ncclCommUserRank");
    self_ = std::make_unique<membership<Calls>>(calls, everyone(size), rank, stream, settings);
    self_->link().adopt(comm, whose);
  }

  [[nodiscard]] int rank() const { return self_->rank(); }
  [[nodiscard]] int size() const { return self_->size(); }
  [[nodiscard]] int world_rank(int rank) const { return self_->world_rank(rank); }
  /// The stream in whose order data moves.
  [[nodiscard]] cudaStream_t stream() const { return self_->stream(); }
  /// How long one wait may take; `no_deadline` for ever.
  void set_deadline(std::chrono::nanoseconds deadline) { self_->set_deadline(deadline); }
  /// To be set alike on all ranks between the same two collectives.
  void set_check(check_mode mode) { self_->set_check(mode); }
  /// How all_to_all is told that its counts are alike, see `exchange_mode`; to be set alike on all ranks.
  void set_exchange(exchange_mode mode) { self_->set_exchange(mode); }
  /// Returns when all that is in the stream is done; throws where NCCL cannot end it, or not before the deadline. In a
  /// capture this and every meeting of the ranks is `unsupported`, and the group stays as it is.
  void wait() { self_->wait(); }

  void enter(fingerprint const& print) { self_->enter(print); }
  verdict meet(fingerprint const& print, void const* send, void* recv) { return self_->meet(print, send, recv); }
  [[nodiscard]] fingerprint const& print(int rank) const { return self_->print(rank); }
  void part() {}

  template <class Type>
  void broadcast(std::span<Type> data, int root) {
    if (size() > 1) nccl::broadcast(*self_, data, root);
  }
  template <class Type>
  void all_reduce(std::span<Type> data) {
    if (size() == 1) return;
    if constexpr (wide<Type>) {
      if (self_->settings().sum == sum_mode::f32) return all_reduce_wide(*self_, data, cast_);
    }
    nccl::all_reduce(*self_, data);
  }
  template <class Type, class CountOf>
  void all_gather(std::span<Type const> send, std::span<Type> recv, CountOf count_of) {
    if (size() == 1) nccl::copy(*self_, recv.data(), send.data(), count_of(0));
    else nccl::all_gather(*self_, send, recv, count_of);
  }
  template <class Type>
  void reduce_scatter(std::span<Type const> send, std::span<Type> recv, std::span<index_t const> counts) {
    if (size() == 1) return nccl::copy(*self_, recv.data(), send.data(), counts[0]);
    if constexpr (wide<Type>) {
      if (self_->settings().sum == sum_mode::f32) return reduce_scatter_wide(*self_, send, recv, counts, cast_);
    }
    nccl::reduce_scatter(*self_, send, recv, counts);
  }
  template <class Type>
  void all_to_all(std::span<Type const> send, std::span<index_t const> send_counts, std::span<Type> recv,
                  std::span<index_t const> recv_counts) {
    nccl::all_to_all(*self_, send, send_counts, recv, recv_counts);
  }

  /// Memory of the new group is made before NCCL is asked, and all hear of it where one rank has none.
  [[nodiscard]] transport split(std::vector<int> members, int index, int color, long sequence) {
    fingerprint print{.operation = collective_kind::split, .sequence = sequence, .count = color};
    std::unique_ptr<membership<Calls>> part;
    std::exception_ptr own;
    std::string complaint;
    auto& here = self_->link();
    try {
      for (int& member : members) member = world_rank(member);
      part = std::make_unique<membership<Calls>>(here.calls(), std::move(members), index, stream(), self_->settings());
    } catch (std::exception const& problem) {
      own = std::current_exception();
      complaint = problem.what();
      print.complaint = complaint.c_str();
    }
    verdict const result = self_->meet(print);
    if (own) std::rethrow_exception(own);
    if (!result.good()) {
      throw error(result.kind, result.text, "free memory or use fewer groups", world_rank(rank()))
          .blames(world_rank(result.culprit), "split", sequence);
    }
    ncclConfig_t config = configuration();
    part->link().begin(collective_kind::split, sequence);
    part->link().open("ncclCommSplit", [&](ncclComm_t* made) {
      here.settle_later(here.calls().split(here.comm(), color, index, made, &config), "ncclCommSplit");
      return *made == nullptr ? ncclInternalError : ncclInProgress;  // the new one may need longer than the old one
    });
    return transport{std::move(part), cast_};
  }

  [[nodiscard]] Calls& calls() { return self_->link().calls(); }
  /// In the order of the stream, between memory of the GPU and pinned memory of the host.
  void copy(void* to, void const* from, std::size_t bytes) {
    auto& link = self_->link();
    link.require(link.calls().copy(to, from, bytes, stream()), "cudaMemcpyAsync");
  }

  /// See `register_memory`.
  [[nodiscard]] bool windows_wanted() const { return self_->settings().windows == window_mode::symmetric; }
  void check_window(void const* data, index_t bytes) const {
    nccl::check_window(data, bytes, world_rank(rank()));
    self_->link().windows().check_new(data, bytes, world_rank(rank()));
  }
  void add_window(void* data, index_t bytes) {
    self_->link().add_window(data, static_cast<std::size_t>(bytes), stream());
  }

 private:
  template <class Type>
  static constexpr bool wide = narrow<Type> && !std::same_as<Cast, no_cast>;

  transport(std::unique_ptr<membership<Calls>> self, Cast cast) : self_{std::move(self)}, cast_{std::move(cast)} {}

  static void check(options const& settings, int rank) {
    check_options(settings, rank);
    if (std::same_as<Cast, no_cast> && settings.sum == sum_mode::f32) {
      throw error(error_kind::unsupported, "sums in f32 need a kernel that rounds, and this communicator has none",
                  "make it with nccl::launched_cast, or let NCCL add as given", rank);
    }
  }
  [[nodiscard]] static std::vector<int> everyone(int size) {
    std::vector<int> members;
    for (int rank = 0; rank < size; ++rank) members.push_back(rank);
    return members;
  }

  std::unique_ptr<membership<Calls>> self_;
  Cast cast_;
};

/// Used by one thread of a process, with its GPU current. A rank that fails takes its group with it: peers get
/// `peer_failed` where NCCL hears of it, else `timeout`. Its end frees memory of the GPU, for which CUDA waits, without
/// a deadline, until all that any stream has on that GPU is done.
template <class Calls = calls, class Cast = no_cast>
using communicator = basic_communicator<transport<Calls, Cast>>;
static_assert(heddle::communicator<communicator<>>);

/// Collective: the world of the ranks that torchrun has started, each with GPU `at.local_rank` current. NCCL's rank 0
/// listens one port above torchrun's, unless the user has set NCCL_COMM_ID. That variable is set until the ranks have
/// met, while NCCL's own threads may read others, which glibc before 2.41 may then not find; and with it NCCL wants an
/// interface in the subnet of the address on every machine. `share_id` needs neither.
template <class Calls = calls, class Cast = no_cast>
[[nodiscard]] communicator<Calls, Cast> join(place const& at, cudaStream_t stream, options const& settings = {},
                                             Calls calls = {}, Cast cast = {}) {
  meeting<Calls> const open{calls, meeting_point(at)};
  ncclUniqueId const id = make_id(calls, at.rank);
  return communicator<Calls, Cast>{transport<Calls, Cast>{id, at.rank, at.size, stream, settings, calls, cast}};
}

}  // namespace nccl
}  // namespace heddle::inline HEDDLE_ABI
