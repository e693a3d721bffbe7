// SPDX-License-Identifier: Apache-2.0
// What happens between two steps, on a device that the host cannot look at: norms, clipping, and biases of experts that
// move, with the numbers of the host. Each waits for what it says.
#include "../support/deferred_trial.hpp"

using namespace deferred;

namespace {

template <class Norm, class Rank>
std::pair<double, std::vector<float>> clipped(Rank& rank, std::vector<float> const& values) {
  auto const count = static_cast<index_t>(values.size());
  auto* const data = rank.put(values);
  linear_gradient<float, typename Rank::memory> const gradient{{data, extents<out_features, in_features>{count, 1}}};
  gradient_norm<Norm, tp> norm;
  norm.template add<colwise<tp>>(rank.execution(), gradient);
  double const found = norm.over(rank.execution());
  static_cast<void>(clip_gradients<colwise<tp>>(rank.execution(), gradient, 1.5, found));
  return {found, rank.read(data, count)};
}

}  // namespace

TEST_CASE("norms and clipped gradients are those of the host") {
  for (index_t const count : {0, 1, 100, 9001}) {
    auto const values = numbers<float>(count, 8);
    on_device<false> there;
    auto const found = clipped<norm_2>(there, values);
    on_host here;
    CHECK(found == clipped<norm_2>(here, values));
    CHECK(there.gpu().waits() == (count == 0 ? 1 : 2));  // for the parts of the norm, and for who reads
  }
}

TEST_CASE("the bias of experts moves on the device, by counts that it has") {
  std::vector<index_t> const chosen{9, 4, 1, 2};
  std::vector<float> bias{1, 0, -0.5F, 0.25F};
  on_device<false> there;
  auto* const moved = there.put(bias);
  counts<device_memory> const told{{there.put(chosen), extents<tokens>{4}}};
  update_expert_bias<bias_rule::torchtitan, etp, ep>(
      there.execution(), vector_view<float, device_memory>{moved, extents<hidden>{4}}, told, 0.125);
  CHECK(there.gpu().waits() == 1);
  kernel::update_expert_bias(std::span<float>{bias}, std::span<index_t const>{chosen}, 0.125, bias_rule::torchtitan);
  CHECK(there.read(moved, 4) == bias);
  CHECK_THROWS_AS((update_expert_bias<bias_rule::torchtitan>(
                      there.execution(), vector_view<float, device_memory>{moved, extents<hidden>{3}}, told, 0.125)),
                  error);
}
