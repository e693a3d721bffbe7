// SPDX-License-Identifier: Apache-2.0
// How a collective begins and ends, over any transport: every rank states what it is about to do, all reach one
// verdict, and only then data moves. A rank that cannot take part says so in its statement, so nobody waits for it.
#pragma once

#include <concepts>
#include <cstdint>
#include <exception>
#include <heddle/collective/fingerprint.hpp>
#include <heddle/collective/traffic.hpp>
#include <new>
#include <string>
#include <utility>

namespace heddle::inline HEDDLE_ABI {

/// The error of a rank that has no memory for a collective, with words where there is memory for them.
[[nodiscard]] inline std::exception_ptr no_memory_for(fingerprint const& print, int world_rank) {
  try {
    std::string operation{name_of(print.operation)};
    return std::make_exception_ptr(error(error_kind::workspace, "the system has no memory for " + operation,
                                         "free memory, or use fewer groups or fewer tokens at a time", world_rank)
                                       .blames(world_rank, std::move(operation), print.sequence));
  } catch (std::bad_alloc const&) {
    return std::make_exception_ptr(
        error(error_kind::workspace, {}, {}, world_rank).blames(world_rank, {}, print.sequence));
  }
}

/// A `Transport` has:
/// - `rank()`, `size()`, `world_rank(rank)`;
/// - `enter(print)`: throws if the group can no longer be used;
/// - `meet(print, send, recv)`: brings the statements of all ranks together and returns the verdict. Where it is good,
///   `print(rank)` reads a peer's statement and data may move; `part()` ends the collective;
/// - the moves and the split that `basic_communicator` names.
template <class Transport>
class agreement {
 public:
  agreement() requires std::default_initializable<Transport>
  = default;
  /// Takes the transport of a group this rank is in.
  explicit agreement(Transport transport) : transport_{std::move(transport)} {}

  /// This rank's number in the group.
  [[nodiscard]] int rank() const { return transport_.rank(); }
  /// The number of ranks of the group.
  [[nodiscard]] int size() const { return transport_.size(); }
  /// This rank's number in the world that the group was split from; errors speak of world ranks.
  [[nodiscard]] int world_rank() const { return transport_.world_rank(rank()); }
  /// Payload bytes handed to other ranks, in all.
  [[nodiscard]] index_t bytes_sent() const { return traffic_.bytes(); }
  /// The same by kind of collective, with the number of calls.
  [[nodiscard]] traffic_table const& sent() const { return traffic_; }
  /// Ranks that execute different plans are found at their next collective.
  void set_plan(std::uint64_t hash) { plan_ = hash; }
  /// What belongs to the backend alone, such as its deadline.
  [[nodiscard]] Transport& transport() { return transport_; }

  /// Runs `check()` on every rank. Where it throws, the exception passes on; every other rank gets `peer_failed` naming
  /// the culprit. The group stays usable: all its ranks know the same.
  template <class Check>
  void agree(Check&& check) {
    fingerprint print{.operation = collective_kind::agree, .sequence = sequence_, .plan = plan_};
    transport_.enter(print);
    try {
      std::forward<Check>(check)();
    } catch (std::exception const& problem) {
      refuse(print, nullptr, nullptr, std::current_exception(), problem.what());
    } catch (...) {
      refuse(print, nullptr, nullptr, std::current_exception(), "something that is not a std::exception was thrown");
    }
    conclude(print, nullptr, nullptr);
    traffic_.add(print.operation, 0);
  }

 protected:
  /// One collective: `check` looks at this rank's arguments, `move` moves the data and returns the bytes sent.
  template <class Check, class Move>
  void call(fingerprint print, void const* send, void* recv, Check check, Move move) {
    print.sequence = sequence_;
    print.plan = plan_;
    try {
      check();
    } catch (error const& problem) {
      refuse(print, send, recv, located(print, problem), problem.text().c_str());
    } catch (std::bad_alloc const&) {
      refuse(print, send, recv, no_memory_for(print, world_rank()), "no memory for it");
    } catch (std::exception const& problem) {
      refuse(print, send, recv, std::current_exception(), problem.what());
    }
    conclude(print, send, recv);
    index_t const bytes = move();
    transport_.part();
    traffic_.add(print.operation, bytes);
  }

  /// A collective that moves nothing: returns when every rank has called it.
  void come_together(fingerprint print) {
    print.sequence = sequence_;
    print.plan = plan_;
    conclude(print, nullptr, nullptr);
  }
  void account(collective_kind kind, index_t bytes) { traffic_.add(kind, bytes); }

  [[nodiscard]] long sequence() const { return sequence_; }
  [[nodiscard]] std::uint64_t plan() const { return plan_; }

 private:
  /// The same problem with the collective it broke; without words where there is no memory for them.
  [[nodiscard]] std::exception_ptr located(fingerprint const& print, error const& problem) const {
    try {
      return std::make_exception_ptr(
          error(problem.kind(), problem.text(), problem.hint(), world_rank(), problem.where())
              .blames(world_rank(), std::string{name_of(print.operation)}, sequence_));
    } catch (std::bad_alloc const&) {
      return std::make_exception_ptr(
          error(problem.kind(), {}, {}, world_rank(), problem.where()).blames(world_rank(), {}, sequence_));
    }
  }

  /// Tells the peers what is wrong here, and throws: `own`, unless ranks disagree.
  [[noreturn]] void refuse(fingerprint& print, void const* send, void* recv, std::exception_ptr const& own,
                           char const* complaint) {
    print.complaint = complaint;
    verdict const result = meet(print, send, recv);
    if (result.kind != error_kind::mismatch || result.good()) std::rethrow_exception(own);
    fail(print, result);
  }
  /// Returns where all ranks may go on. Otherwise throws on all.
  void conclude(fingerprint const& print, void const* send, void* recv) {
    verdict const result = meet(print, send, recv);
    if (!result.good()) fail(print, result);
  }
  [[nodiscard]] verdict meet(fingerprint const& print, void const* send, void* recv) {
    ++sequence_;
    return transport_.meet(print, send, recv);
  }
  [[noreturn]] void fail(fingerprint const& print, verdict const& result) const {
    int const culprit = transport_.world_rank(result.culprit);
    try {
      throw error(result.kind, result.text,
                  result.kind == error_kind::mismatch
                      ? "run the same collectives in the same order with fitting sizes on every rank"
                      : "look at the error of that rank",
                  world_rank())
          .blames(culprit, std::string{name_of(print.operation)}, print.sequence);
    } catch (std::bad_alloc const&) {}
    throw error(result.kind, {}, {}, world_rank()).blames(culprit, {}, print.sequence);
  }

  Transport transport_;
  traffic_table traffic_;
  long sequence_ = 0;
  std::uint64_t plan_ = 0;
};

}  // namespace heddle::inline HEDDLE_ABI
