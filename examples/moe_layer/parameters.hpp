// SPDX-License-Identifier: Apache-2.0
// A rank's parts of the parameters and of the tokens, and the way of the results to rank 0.
#pragma once

#include "answer.hpp"
#include "choice.hpp"
#include "communicator.hpp"
#include <heddle/compute/parameter.hpp>
#include <heddle/mesh/folding.hpp>

namespace probe {

using heddle::edp;
using heddle::ep;
using heddle::etp;

/// The rank's tokens: contiguous, the first T mod W ranks have one more.
[[nodiscard]] heddle::range own_tokens(index_t tokens, int ranks, int rank);

/// The parameters as one rank owns them: the router whole, experts cut over ep and inside over etp.
template <class T>
class parameters {
 public:
  /// With `biases` the experts have some; zeros stand in for those that are not given.
  parameters(problem<T> const& of, heddle::expert_mesh const& mesh, int rank, bool biases);
  parameters(parameters const&) = delete;
  parameters& operator=(parameters const&) = delete;
  [[nodiscard]] heddle::moe_weights<T> const& weights() const { return weights_; }

 private:
  std::map<std::string, std::vector<T>> memory_;
  heddle::moe_weights<T> weights_{};
};

/// Everybody's pieces, one behind the other, on rank 0. `sizes` are those of all ranks.
template <class T>
[[nodiscard]] std::vector<T> gather(communicator& world, std::span<T const> mine, std::span<index_t const> sizes);
/// The same for rows of this rank's tokens, `width` values each.
template <class T>
[[nodiscard]] std::vector<T> gather_rows(communicator& world, std::span<T const> mine, index_t tokens, index_t width);

/// The whole gradients on rank 0, from the reduced parts of all ranks; collective.
template <class T>
[[nodiscard]] std::map<std::string, std::vector<T>> gather_gradients(communicator& world, problem<T> const& of,
                                                                     heddle::expert_mesh const& mesh,
                                                                     heddle::moe_gradients<T> const& mine);

}  // namespace probe
