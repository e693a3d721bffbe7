// SPDX-License-Identifier: Apache-2.0
// The bodies of rank_model, for the translation units that compile it: one a dtype.
#pragma once

#include "decoder.hpp"
#include "plans.hpp"
#include "rank_model.hpp"

namespace hf {

template <heddle::real T>
rank_model<T>::rank_model(model const& whole, choice const& chosen, grid_type const& grid, int rank,
                          heddle::checkpoint::shard_store& store, progress& done)
    : whole_{whole}, chosen_{chosen}, gemm_{chosen.gemm} {
  weights_.load(whole.settings.model, whole.parameters, whole.files, store, grid, rank, done);
}

template <heddle::real T>
std::span<float const> rank_model<T>::forward(groups_type& groups, std::span<std::int64_t const> ids, index_t length) {
  heddle::host::workspace::scope const result_stays_readable{scratch_};
  execution on{gemm_, groups, scratch_, chosen_.threads};
  return with_plan(whole_.settings.model, [&]<class Plan>() {
    auto const logits = decoder<Plan, T>{whole_.settings, chosen_, weights_, on, scratch_}.run(ids, length);
    return std::span<float const>{logits.data(), static_cast<std::size_t>(logits.count())};
  });
}

}  // namespace hf
