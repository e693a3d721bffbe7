// SPDX-License-Identifier: Apache-2.0
// What a run of the layer gives, over all ranks, and the file it is written to.
#pragma once

#include "problem.hpp"

namespace probe {

/// Complete on rank 0.
template <class T>
struct answer {
  std::vector<T> output;                         ///< [T, H]
  std::vector<std::int64_t> indices;             ///< [T, K], -1 = dropped or padding
  std::vector<T> weights;                        ///< [T, K], 0 where the index is -1
  std::vector<std::int64_t> tokens_per_expert;   ///< [E], kept entries
  std::vector<std::int64_t> dropped_per_expert;  ///< [E]
  T aux_loss = 0, z_loss = 0;                    ///< 0 where no coefficient is given
  std::vector<T> updated_expert_bias;            ///< [E]; zeros stand in for a bias that is not given
  /// By name of the input, without those of grad_output and expert_bias; empty without grad_output.
  std::map<std::string, std::vector<T>> gradients{};
};

/// Throws io where `path` cannot be written, argument where it is the file `input`; leaves no trace. To be called
/// before work is spent.
void require_writable(std::string const& path, std::string const& input);

/// Writes everything in one step: the file is there whole or not at all.
template <class T>
void write_answer(std::string const& path, problem<T> const& of, answer<T> const& is);

extern template void write_answer<float>(std::string const&, problem<float> const&, answer<float> const&);
extern template void write_answer<double>(std::string const&, problem<double> const&, answer<double> const&);

}  // namespace probe
