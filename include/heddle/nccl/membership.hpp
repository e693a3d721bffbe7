// SPDX-License-Identifier: Apache-2.0
// One rank in one group: how it meets the others before data moves. Statements go by NCCL itself, so nothing else has
// to connect the ranks.
#pragma once

#include <heddle/collective/fingerprint.hpp>
#include <heddle/collective/statements.hpp>
#include <heddle/nccl/connection.hpp>
#include <heddle/nccl/places.hpp>
#include <heddle/nccl/staging.hpp>
#include <heddle/nccl/types.hpp>
#include <utility>
#include <vector>

namespace heddle::inline HEDDLE_ABI {
namespace nccl {

/// A rank's place in one group: its peers, its stream, and the statements compared before data moves.
template <class Calls>
class membership {
 public:
  /// `members` are the ranks of the group by their number in the world. The communicator is then opened or adopted.
  membership(Calls const& calls, std::vector<int> members, int rank, cudaStream_t stream, options const& settings)
      : members_{std::move(members)},
        rank_{rank},
        stream_{stream},
        settings_{settings},
        staging_{calls, record_bytes(), record_bytes() + sum_bytes(), world_rank(rank)},
        statements_{size(), staging_.pinned()},
        plan_{rank, size(), settings.limits},
        link_{calls, settings.deadline, world_rank(rank)} {}

  [[nodiscard]] int rank() const { return rank_; }
  [[nodiscard]] int size() const { return static_cast<int>(members_.size()); }
  [[nodiscard]] int world_rank(int rank) const { return members_[static_cast<std::size_t>(rank)]; }
  [[nodiscard]] cudaStream_t stream() const { return stream_; }
  [[nodiscard]] options const& settings() const { return settings_; }
  void set_check(check_mode mode) { settings_.check = mode; }
  void set_exchange(exchange_mode mode) { settings_.exchange = mode; }
  void set_deadline(std::chrono::nanoseconds deadline) {
    settings_.deadline = deadline;
    link_.set_deadline(deadline);
  }
  [[nodiscard]] connection<Calls>& link() { return link_; }
  [[nodiscard]] exchange_plan& plan() { return plan_; }
  [[nodiscard]] fingerprint const& print(int rank) const { return statements_[rank]; }
  /// Whether the ranks have compared statements in this collective, so that `print` has all of them.
  [[nodiscard]] bool stated() const { return stated_; }
  /// Where sums in f32 are made, and how many fit.
  [[nodiscard]] float* sums() const { return reinterpret_cast<float*>(staging_.device() + record_bytes()); }
  [[nodiscard]] index_t sums_at_once() const {
    index_t const room = settings_.sum_bytes / static_cast<index_t>(sizeof(float));
    return room < settings_.limits.elements ? room : settings_.limits.elements;
  }

  void enter(fingerprint const& print) { link_.look(print.operation, print.sequence); }

  /// Returns when all that is in the stream is done.
  void wait() {
    refuse_capture();
    link_.wait(stream_, "the stream");
  }

  /// Compares statements where that is asked for, or needed: some collectives are nothing else. A complaint that is not
  /// exchanged is the rank's own: its communicator ends, and NCCL tells the peers that wait. `send` and `recv` are
  /// where this rank's data lies.
  verdict meet(fingerprint mine, void const* send = nullptr, void const* recv = nullptr) {
    enter(mine);
    bool const nothing_else = mine.operation == collective_kind::split || mine.operation == collective_kind::agree ||
                              mine.operation == collective_kind::barrier;
    stated_ = settings_.check == check_mode::on || nothing_else;
    verdict result;
    if (stated_) {
      mine.send_place = link_.windows().place_of(send);
      mine.recv_place = link_.windows().place_of(recv);
      exchange(mine);
      auto const print_of = [&](int peer) -> fingerprint const& { return print(peer); };
      auto const name_of_rank = [&](int peer) { return world_rank(peer); };
      result = judge(size(), print_of, name_of_rank);
      if (result.good()) result = judge_places(size(), print_of, name_of_rank, settings_);
      if (!result.good() && result.kind == error_kind::mismatch) link_.end();
    } else if (mine.complaint != nullptr) {
      result = {error_kind::peer_failed, rank_, mine.complaint};
      link_.end();
    }
    return result;
  }

 private:
  /// A multiple of 256, at which memory of the GPU begins.
  [[nodiscard]] std::size_t record_bytes() const {
    std::size_t const bytes = statements::words(size()) * static_cast<std::size_t>(size()) * sizeof(std::int64_t);
    return (bytes + 255) / 256 * 256;
  }
  [[nodiscard]] std::size_t sum_bytes() const {
    return settings_.sum == sum_mode::f32 ? static_cast<std::size_t>(settings_.sum_bytes) : 0;
  }

  /// The host cannot wait for what a capture only writes down. To ask for it would spoil the capture and the group;
  /// this way both go on.
  void refuse_capture() {
    cudaStreamCaptureStatus found = cudaStreamCaptureStatusNone;
    cudaError_t const status = link_.calls().capturing(stream_, &found);
    bool const captures = status == cudaSuccess ? found != cudaStreamCaptureStatusNone : is_capture(status);
    if (!captures) return link_.require(status, "cudaStreamIsCapturing");
    cudaError_t const reason = status == cudaSuccess ? cudaErrorStreamCaptureUnsupported : status;
    throw refusal(reason, "to wait for the stream", link_.calls().explain(reason), world_rank(rank_));
  }

  void exchange(fingerprint const& mine) {
    if (size() > 1) refuse_capture();
    statements_.write(mine, rank_);
    if (size() > 1) {
      std::size_t const words = statements::words(size());
      std::size_t const bytes = words * sizeof(std::int64_t);
      std::byte* const all = staging_.device();
      std::byte* const own = all + bytes * static_cast<std::size_t>(rank_);
      Calls& calls = link_.calls();
      link_.require(calls.copy(own, statements_.record(rank_), bytes, stream_), "cudaMemcpyAsync");
      link_.settle(calls.all_gather(own, all, words, ncclInt64, link_.comm(), stream_), "ncclAllGather");
      link_.require(calls.copy(statements_.record(0), all, bytes * members_.size(), stream_), "cudaMemcpyAsync");
      link_.wait(stream_, "the meeting of the ranks");
    }
    statements_.read();
  }

  std::vector<int> members_;
  int rank_;
  cudaStream_t stream_;
  options settings_;
  bool stated_ = false;
  staging<Calls> staging_;  // before the connection: what is under way ends first
  statements statements_;
  exchange_plan plan_;
  connection<Calls> link_;
};

}  // namespace nccl
}  // namespace heddle::inline HEDDLE_ABI
