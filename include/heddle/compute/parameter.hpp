// SPDX-License-Identifier: Apache-2.0
// Trained parameters as a rank sees them: its part as a view, and the sizes of the whole, from which the partition
// functions derive what the other ranks have.
#pragma once

#include <heddle/compute/routing_options.hpp>
#include <heddle/core/dtype.hpp>
#include <heddle/tensor/view.hpp>

namespace heddle::inline HEDDLE_ABI {

/// A linear layer y = x W^T + b. `bias` is empty where there is none.
template <element T, class Memory = host_memory>
struct linear {
  using element_type = T;
  matrix<T const, Memory> weight;  ///< the rank's part of [out, in]
  index_t full_out = 0;            ///< out features over all ranks
  index_t full_in = 0;             ///< in features over all ranks
  vector_view<T const, Memory> bias{};
};
/// Its gradient, in the type that sums run in.
template <element T, class Memory = host_memory>
struct linear_gradient {
  matrix<accumulator_t<T>, Memory> weight;
  vector_view<accumulator_t<T>, Memory> bias{};
};

/// A norm's scale, of the width of a row or of one head.
template <element T, class Memory = host_memory>
struct norm_weight {
  using element_type = T;
  vector_view<T const, Memory> weight;
  float epsilon = 1e-6F;
  index_t full_width = 0;  ///< of the scale over all ranks that share it out (fsdp); 0 where this rank has all of it
};
/// Its gradient.
template <element T, class Memory = host_memory>
struct vector_gradient {
  vector_view<accumulator_t<T>, Memory> weight;
};

/// An embedding table [vocab, hidden].
template <element T, class Memory = host_memory>
struct embedding_table {
  using element_type = T;
  matrix<T const, Memory> weight;  ///< the rank's part
  index_t full_vocab = 0;
  index_t full_hidden = 0;
};

/// One row of numbers an expert.
template <class Element, class Memory = host_memory>
using expert_vectors = view<Element, extents<experts, out_features>, Memory>;

/// How the matrix of an expert is stored: as a linear layer's, [out, in] (Mixtral, Qwen3-MoE, DeepSeek), ...
struct out_in {
  using matrices = extents<experts, out_features, in_features>;
};
/// ... or transposed, [in, out] (Llama 4, GPT-OSS).
struct in_out {
  using matrices = extents<experts, in_features, out_features>;
};

/// One matrix an expert, and one bias where there are any. `Order` is `out_in` or `in_out`: the products follow the
/// type, so that nothing is copied.
template <element T, class Memory = host_memory, class Order = out_in>
struct expert_linear {
  using element_type = T;
  view<T const, typename Order::matrices, Memory> weight;  ///< the rank's part of [experts, out, in]
  index_t full_experts = 0;
  index_t full_out = 0;
  index_t full_in = 0;
  expert_vectors<T const, Memory> bias{};  ///< the rank's part of [experts, out]
};
/// Its gradient.
template <element T, class Memory = host_memory, class Order = out_in>
struct expert_gradient {
  view<accumulator_t<T>, typename Order::matrices, Memory> weight;
  expert_vectors<accumulator_t<T>, Memory> bias{};
};

/// The expert that every token visits; `gate` [1, hidden] is empty where its output is not gated.
template <element T, class Memory = host_memory>
struct shared_weights {
  using element_type = T;
  linear<T, Memory> fc1;  ///< [2 ffn, hidden], or [ffn, hidden] for an activation without a gate
  linear<T, Memory> fc2;  ///< [hidden, ffn]
  linear<T, Memory> gate{};
};
/// Its gradients.
template <element T, class Memory = host_memory>
struct shared_gradients {
  linear_gradient<T, Memory> fc1;
  linear_gradient<T, Memory> fc2;
  linear_gradient<T, Memory> gate{};
};

/// A mixture-of-experts layer.
template <element T, class Memory = host_memory, class Order = out_in>
struct moe_weights {
  using element_type = T;
  linear<T, Memory> gate;               ///< [experts, hidden], the same on every rank
  expert_linear<T, Memory, Order> fc1;  ///< [experts, 2 ffn, hidden], gate|up packed
  expert_linear<T, Memory, Order> fc2;  ///< [experts, hidden, ffn]
  index_t top_k = 1;
  double route_scale = 1;
  index_t groups = 1;                                         ///< of neighbouring experts
  index_t groups_kept = 1;                                    ///< groups that a token may choose from
  vector_view<accumulator_t<T> const, Memory> expert_bias{};  ///< [experts] or empty: for the choice only, not trained
  shared_weights<T, Memory> shared{};                         ///< empty where no expert is shared
  routing_options options{};                                  ///< what else the router is told
};
/// Its gradients.
template <element T, class Memory = host_memory, class Order = out_in>
struct moe_gradients {
  linear_gradient<T, Memory> gate;
  expert_gradient<T, Memory, Order> fc1;
  expert_gradient<T, Memory, Order> fc2;
  shared_gradients<T, Memory> shared{};
};

/// A projection whose output is two named parts, [latent | rope].
template <element T, class Memory = host_memory>
struct sliced_linear {
  using element_type = T;
  linear<T, Memory> projection;
  index_t first_width = 0;
};
/// Its gradient.
template <element T, class Memory = host_memory>
struct sliced_gradient {
  linear_gradient<T, Memory> projection;
};

}  // namespace heddle::inline HEDDLE_ABI
