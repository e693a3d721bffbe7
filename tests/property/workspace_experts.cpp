// SPDX-License-Identifier: Apache-2.0
// The same with experts of every mode, with biases and recomputed activations, beside a shared expert, and among
// identity experts.
#include "../support/workspace_trial.hpp"

#include <doctest/doctest.h>
#include <heddle/dispatcher/all_to_all.hpp>
#include <heddle/style/identity_experts.hpp>
#include <heddle/style/shared_expert.hpp>

using namespace heddle;
using namespace support;

namespace {

template <class Mode, expert_options Options, weight_at At>
using with_experts =
    expert_parallel<route_like_mixtral, all_to_all_dispatcher<>, glu_expert<Mode, gpt_oss, interleaved, Options>, At>;
constexpr expert_options biased{.bias = true};
constexpr expert_options light{.bias = true, .recompute = true};

template <class T>
linear<T> whole_linear(routed_part<T>& part, index_t out, index_t in) {
  return {.weight = matrix_of(part.keep(distinct({out, in}, 3)), out, in), .full_out = out, .full_in = in};
}

}  // namespace

TEST_CASE("one after another, with biases") {
  CHECK(unlike_dry_anywhere<with_experts<sequential, biased, weight_at::output>>(true) == "");
}
TEST_CASE("padded, with biases and recomputed activations") {
  CHECK(unlike_dry_anywhere<with_experts<aligned<16>, light, weight_at::activation>>(true) == "");
}
TEST_CASE("beside a shared expert with a gate") {
  using layer = with_shared<dispatched_layer<all_to_all_dispatcher<>, weight_at::origin>,
                            shared_expert<sequence<glu<silu>>, true>>;
  auto const add = []<class T>(routed_part<T>& part, moe_data const& data, routed_tools const&) {
    auto& shared = part.parameters.weights.shared;
    index_t const width = data.x[1];
    shared = {whole_linear(part, 6, width), whole_linear(part, width, 3), whole_linear(part, 1, width)};
  };
  CHECK(unlike_dry_anywhere<layer, float>(false, add) == "");
}
TEST_CASE("among identity experts") {
  using layer = with_identity_experts<route_like_mixtral, all_to_all_dispatcher<>, glu_expert<>, weight_at::output>;
  auto const add = []<class T>(routed_part<T>& part, moe_data const& data, routed_tools const&) {
    auto const all = static_cast<std::int32_t>(data.layer.gate[0]) + 2;
    part.parameters.weights.gate = whole_linear(part, all, data.x[1]);
    for (std::int32_t& id : part.ids) id = id < 0 ? id : (id * 3 + 1) % all;
  };
  CHECK(unlike_dry_anywhere<layer, float>(false, add) == "");
}
