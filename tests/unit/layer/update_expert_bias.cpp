// SPDX-License-Identifier: Apache-2.0
#include <heddle/layer/update_expert_bias.hpp>

#include "../../support/ranks.hpp"

#include <doctest/doctest.h>
#include <heddle/host/dry_execution.hpp>

using namespace heddle;

TEST_CASE("update_expert_bias: counts of all ranks move the bias of every rank; the caller's counts stay") {
  support::on_ranks<etp, ep>(mesh<etp, ep>{2, 2}, 1, [](auto& tools) {
    // Over all ranks: 6, 10, 8. The mean is 8.
    std::vector<index_t> const counts{tools.rank, 4 - tools.rank, 2};
    std::vector<float> bias{1, 2, 3};
    update_expert_bias<bias_rule::megatron, etp, ep>(tools.execution, std::span<float>{bias},
                                                     std::span<index_t const>{counts}, 0.25);
    CHECK(bias == std::vector<float>{1.25F, 1.75F, 3});
    CHECK(counts[0] == tools.rank);
    std::vector<double> zero_mean{0, 0, 0};
    std::vector<index_t> const more{tools.rank, 1, 1};  // 6, 4, 4
    update_expert_bias<bias_rule::torchtitan, etp, ep>(tools.execution, std::span<double>{zero_mean},
                                                       std::span<index_t const>{more}, 3);
    CHECK(zero_mean == std::vector<double>{-4, 2, 2});  // d = -3, 3, 3 less its mean 1
  });
}

TEST_CASE("update_expert_bias: a rank that works alone, and sizes that do not fit") {
  support::on_ranks<ep>(mesh<ep>{1}, 1, [](auto& tools) {
    std::vector<index_t> const counts{2, 0};
    std::vector<float> bias{0, 0};
    update_expert_bias<bias_rule::megatron>(tools.execution, std::span<float>{bias}, std::span<index_t const>{counts},
                                            1);
    CHECK(bias == std::vector<float>{-1, 1});
    std::vector<float> short_one{0};
    CHECK_THROWS_AS(update_expert_bias<bias_rule::megatron>(tools.execution, std::span<float>{short_one},
                                                            std::span<index_t const>{counts}, 1),
                    error);
  });
}

TEST_CASE("update_expert_bias: a dry step leaves the bias as it is") {
  support::on_ranks<ep>(mesh<ep>{2}, 1, [](auto& tools) {
    host::dry_execution dry{tools.groups};
    std::vector<index_t> const counts{3, 1};
    std::vector<float> bias{0.5F, 0.25F};
    update_expert_bias<bias_rule::megatron, ep>(dry, std::span<float>{bias}, std::span<index_t const>{counts}, 0.1);
    CHECK(bias == std::vector<float>{0.5F, 0.25F});
  });
}
