// SPDX-License-Identifier: Apache-2.0
// Who is chosen and with which weights, as the routers of transformers say.
#include "stored.hpp"

#include <doctest/doctest.h>
#include <heddle/kernel/route.hpp>

namespace {

namespace kernel = heddle::kernel;
using golden::index_t;
using golden::stored;

/// One mode of one shape.
template <class Rule>
void check(stored const& file, std::string const& shape, std::string const& mode) {
  std::string const name = shape + "." + mode;
  auto const logits = file.all(shape + ".logits"), expected = file.all(name + ".weights");
  auto const chosen = file.all<std::int64_t>(name + ".indices");
  index_t const tokens = file.height(shape + ".logits"), experts = file.width(shape + ".logits");
  index_t const k = file.width(name + ".indices");
  std::vector<std::int32_t> ids(chosen.size(), -7);
  std::vector<float> weights(expected.size(), -7.0F);
  kernel::route<Rule, float> const route{.logits = golden::rows_of(logits, experts),
                                         .ids = golden::slots_of(ids, k),
                                         .weights = golden::slots_of(weights, k),
                                         .factor = file.config("scale." + mode)};
  route.check();
  golden::launch(route, tokens);
  CHECK_MESSAGE(std::equal(ids.begin(), ids.end(), chosen.begin(), chosen.end()), name);
  for (std::size_t i = 0; i < weights.size(); ++i)
    CHECK_MESSAGE(weights[i] == doctest::Approx(expected[i]).epsilon(2e-6), name);
}

}  // namespace

TEST_CASE("routers of transformers") {
  stored const file{"routers.safetensors"};
  for (std::string const shape : {"t16e8k2", "t7e5k3", "t12e10k4", "t9e6k1", "t5e4k4", "t6e7k3"}) {
    for (std::string const scaled : {"", "_scaled"}) {
      check<kernel::softmax_then_top_k<false>>(file, shape, "softmax_topk" + scaled);
      check<kernel::softmax_then_top_k<true>>(file, shape, "softmax_topk_norm" + scaled);
      check<kernel::top_k_then_softmax>(file, shape, "topk_softmax" + scaled);
    }
  }
}

TEST_CASE("every tensor of routers.safetensors is read") { CHECK(stored{"routers.safetensors"}.unread() == ""); }
