// SPDX-License-Identifier: Apache-2.0
// How ranks that start apart find each other: by the environment that torchrun gives them, or by a communicator that
// they have already. Bytes of NCCL's id travel by NCCL's own rendezvous or by that communicator, never by a third way.
#pragma once

#include <charconv>
#include <cstdint>
#include <heddle/concepts/communicator.hpp>
#include <heddle/nccl/error.hpp>
#include <span>
#include <string>
#include <string_view>

namespace heddle::inline HEDDLE_ABI {
namespace nccl {

/// A rank's place among all, and where the first one can be met.
struct place {
  int rank = 0;
  int size = 1;
  int local_rank = 0;     ///< the GPU of this machine that is the rank's
  std::string address{};  ///< a name, an IPv4 or an IPv6 address of the machine of rank 0
  int port = 0;           ///< the one that torchrun listens on itself
};

namespace detail {

[[noreturn]] inline void refuse_variable(char const* name, std::string const& what, std::string hint, int rank) {
  throw error(error_kind::argument, std::string{name} + " " + what, std::move(hint), rank);
}

[[nodiscard]] inline std::string range_text(long long least, long long most) {
  return "let it be a whole number from " + std::to_string(least) + " to " + std::to_string(most);
}

/// The whole number in variable `name`, from `least` to `most`; `why` says what the limit comes from.
template <class Lookup>
[[nodiscard]] int number_in(Lookup& lookup, char const* name, long long least, long long most, std::string const& why,
                            int rank) {
  char const* const found = lookup(name);
  if (found == nullptr) refuse_variable(name, "is not set", "start the program with torchrun, or set it", rank);
  std::string_view const text{found};
  long long value = 0;
  auto const [end, status] = std::from_chars(text.data(), text.data() + text.size(), value);
  bool const whole = status == std::errc{} && end == text.data() + text.size();
  if (!whole || value < least || value > most) {
    refuse_variable(name, "is \"" + std::string{text} + "\"" + (whole ? why : ", which is no whole number that fits"),
                    range_text(least, most), rank);
  }
  return static_cast<int>(value);
}

}  // namespace detail

/// The place that torchrun's environment gives this process: RANK, WORLD_SIZE, LOCAL_RANK, MASTER_ADDR, MASTER_PORT.
/// `lookup(name)` returns the text of a variable or null; `gpus` is how many this machine has, -1 where that is not
/// known. Throws `argument`, naming variable, value and what would fit.
template <class Lookup>
[[nodiscard]] place place_from_environment(Lookup lookup, int gpus = -1) {
  constexpr long long largest = 2147483647;
  place found;
  found.size = detail::number_in(lookup, "WORLD_SIZE", 1, largest, ", and a job has at least one rank", -1);
  found.rank = detail::number_in(lookup, "RANK", 0, found.size - 1LL,
                                 " in a job of WORLD_SIZE " + std::to_string(found.size), -1);
  // A machine has no more ranks than the job, and without a number of GPUs that is all that can be said.
  long long const last = gpus >= 0 && gpus < found.size ? gpus - 1LL : found.size - 1LL;
  if (last < 0) {
    char const* const given = lookup("LOCAL_RANK");
    detail::refuse_variable("LOCAL_RANK",
                            "is \"" + std::string{given == nullptr ? "" : given} + "\" on a machine without a GPU",
                            "run where GPUs are, and let CUDA_VISIBLE_DEVICES name them", found.rank);
  }
  found.local_rank = detail::number_in(
      lookup, "LOCAL_RANK", 0, last,
      gpus >= 0 ? " on a machine with " + std::to_string(gpus) + " GPUs, in a job of " + std::to_string(found.size)
                : " in a job of WORLD_SIZE " + std::to_string(found.size),
      found.rank);
  char const* const address = lookup("MASTER_ADDR");
  if (address == nullptr || *address == '\0') {
    detail::refuse_variable("MASTER_ADDR", address == nullptr ? "is not set" : "is empty",
                            "let it be the name or the address of the machine of rank 0", found.rank);
  }
  found.address = address;
  if (found.address.find_first_of(" \t\n/[]") != std::string::npos) {
    detail::refuse_variable("MASTER_ADDR", "is \"" + found.address + "\"",
                            "let it be a host name, an IPv4 or an IPv6 address, without port and brackets", found.rank);
  }
  found.port = detail::number_in(lookup, "MASTER_PORT", 1, 65535, ", and ports end at 65535", found.rank);
  return found;
}

/// Where rank 0 listens for NCCL, as NCCL_COMM_ID has it: `ahead` ports above torchrun's own, which is taken.
[[nodiscard]] inline std::string meeting_point(place const& at, int ahead = 1) {
  if (at.port + ahead < 1 || at.port + ahead > 65535) {
    detail::refuse_variable("MASTER_PORT",
                            "is " + std::to_string(at.port) + ", and NCCL meets " + std::to_string(ahead) + " above it",
                            "let it be at most " + std::to_string(65535 - ahead), at.rank);
  }
  bool const six = at.address.find(':') != std::string::npos;
  return (six ? "[" + at.address + "]" : at.address) + ":" + std::to_string(at.port + ahead);
}

/// NCCL_COMM_ID while it lives: NCCL makes its id of it on every rank, and its rank 0 listens there. What the user has
/// set stays as it is, and counts. Not while another thread reads the environment.
template <class Calls>
class meeting {
 public:
  meeting(Calls& calls, std::string const& point) : calls_{&calls}, ours_{calls.environment(name) == nullptr} {
    if (ours_) calls.set_environment(name, point.c_str());
  }
  meeting(meeting const&) = delete;
  meeting& operator=(meeting const&) = delete;
  ~meeting() {
    if (ours_) calls_->set_environment(name, nullptr);
  }

 private:
  static constexpr char const* name = "NCCL_COMM_ID";
  Calls* calls_;
  bool ours_;
};

/// An id of NCCL's making. Checks that the NCCL which is loaded is new enough.
template <class Calls>
[[nodiscard]] ncclUniqueId make_id(Calls& calls, int rank) {
  auto const require = [&](ncclResult_t status, char const* call) {
    if (status != ncclSuccess) throw refusal(status, call, calls.last_error(nullptr), rank);
  };
  int version = 0;
  require(calls.version(&version), "ncclGetVersion");
  check_version(version, rank);
  ncclUniqueId id{};
  ncclResult_t const status = calls.unique_id(&id);
  char const* const point = calls.environment("NCCL_COMM_ID");
  if (status == ncclSystemError && point != nullptr) {
    error const problem = refusal(status, "ncclGetUniqueId", calls.last_error(nullptr), rank);
    throw error(problem.kind(), problem.text() + ", and ranks meet at " + point,
                "with NCCL_COMM_ID NCCL takes only a network interface in the subnet of that address: give an address "
                "that every machine has an interface next to, or share the id by MPI, see nccl::share_id",
                rank);
  }
  require(status, "ncclGetUniqueId");
  return id;
}

/// Collective over `world`, whose ranks are to be NCCL's and whose memory is the host's, such as the communicator of an
/// MPI job: rank 0 makes the id. Where that fails, every rank gets an error.
template <heddle::communicator World, class Calls>
[[nodiscard]] ncclUniqueId share_id(World& world, Calls& calls) {
  ncclUniqueId id{};
  world.agree([&] {
    if (world.rank() == 0) id = make_id(calls, 0);
  });
  world.broadcast(std::span<std::uint8_t>{reinterpret_cast<std::uint8_t*>(id.internal), sizeof id.internal}, 0);
  return id;
}

}  // namespace nccl
}  // namespace heddle::inline HEDDLE_ABI
