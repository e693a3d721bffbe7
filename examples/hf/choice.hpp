// SPDX-License-Identifier: Apache-2.0
// What the user chose, and the check that the numbers fit each other and the model.
#pragma once

#include "communicator.hpp"
#include "config.hpp"
#include "gemm.hpp"
#include "parameters.hpp"

namespace hf {

enum class dispatcher_kind { masked, all_gather, all_to_all };
enum class expert_kind { sequential, grouped };
enum class dtype_kind { f32, bf16 };
enum class device_kind { host, cuda };

struct choice {
  int ranks = 1, tp = 1, ep = 1, etp = 1;
  dispatcher_kind dispatcher = dispatcher_kind::all_to_all;
  expert_kind expert = expert_kind::grouped;
  transport_kind transport = transport_kind::threads;
  device_kind device = device_kind::host;
  dtype_kind dtype = dtype_kind::f32;
  gemm_kind gemm = default_gemm();
  int threads = 0;       ///< inside a rank; 0 divides the machine's among the ranks
  double deadline = 60;  ///< seconds a rank waits for the others in one collective

  [[nodiscard]] std::chrono::nanoseconds longest_wait() const {
    return std::chrono::nanoseconds{static_cast<std::int64_t>(deadline * 1e9)};
  }
  /// Whether the ranks of one tp group are those that share experts: then every rank that needs a token has it already.
  [[nodiscard]] bool tokens_are_there() const { return tp == ep * etp; }
};

/// tp x dp for the dense part, etp x ep x edp for the experts, over the same ranks. Throws where a product does not
/// divide the number of ranks, or heads do not divide by tp.
[[nodiscard]] grid_type grid_of(choice const& chosen, config const& model);

}  // namespace hf
