// SPDX-License-Identifier: Apache-2.0
// What the user chose on the command line: the mesh and the policies.
#pragma once

#include <array>
#include <chrono>
#include <cstdint>

namespace probe {

enum class dispatcher_kind { masked, all_gather, all_to_all, all_to_all_dedup, flex, direct };
enum class expert_kind { sequential, grouped, aligned };
enum class place_kind { input, activation, output, origin };
enum class transport_kind { threads, mpi, nccl };
enum class device_kind { host, cuda };

// The names of the kinds, in their order.
inline constexpr std::array<char const*, 6> dispatcher_names{"masked",           "all_gather", "all_to_all",
                                                             "all_to_all_dedup", "flex",       "direct"};
inline constexpr std::array<char const*, 3> expert_names{"sequential", "grouped", "aligned"};
inline constexpr std::array<char const*, 4> place_names{"input", "activation", "output", "origin"};
inline constexpr std::array<char const*, 3> transport_names{"threads", "mpi", "nccl"};
inline constexpr std::array<char const*, 2> device_names{"host", "cuda"};

struct choice {
  int ranks = 1, ep = 1, etp = 1;
  dispatcher_kind dispatcher = dispatcher_kind::all_to_all;
  expert_kind expert = expert_kind::grouped;
  place_kind weight_at = place_kind::output;
  transport_kind transport = transport_kind::threads;
  device_kind device = device_kind::host;
  bool recompute = false;    ///< the activation is computed again in the backward pass, not saved
  bool delay_wgrad = false;  ///< weight gradients after the data gradients of the whole layer
  int threads = 0;           ///< inside a rank; 0 divides the machine's among the ranks
  double deadline = 60;      ///< seconds a rank waits for the others in one collective

  [[nodiscard]] std::chrono::nanoseconds longest_wait() const {
    return std::chrono::nanoseconds{static_cast<std::int64_t>(deadline * 1e9)};
  }
};

/// Throws where --device and --comm do not go together, or this build has no such device.
void check_device(choice const& chosen);

/// Throws where a number is out of range or ep x etp does not divide the ranks.
void check_mesh(choice const& chosen);

}  // namespace probe
