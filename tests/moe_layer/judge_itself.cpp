// SPDX-License-Identifier: Apache-2.0
// The judge of output files accepts what the oracle says and refuses it with one value changed.
#include "judge.hpp"

#include "../support/oracle_draw.hpp"
#include "../support/relative.hpp"
#include "process.hpp"

#include <doctest/doctest.h>

TEST_CASE("the oracle's own answer passes, and no answer with one element off") {
  oracle::sizes const sizes{.tokens = 6, .shared = 2, .router_bias = true, .expert_bias = true, .shared_expert = true};
  oracle::settings const is{
      .top_k = 2, .capacity_factor = 0.5, .aux_loss_coeff = 0.5, .z_loss_coeff = 0.5, .bias_update_rate = 0.5};
  oracle::layer const of = oracle::filled(sizes, is, 3);
  oracle::result const right = oracle::measured_layer(of, 2);
  process::scratch const folder;
  std::string const path = folder.file("out.safetensors");
  for (heddle::dtype const type : {heddle::dtype::f32, heddle::dtype::f64}) {
    auto const move = [&](double& value, std::vector<double> const& all) {  // by a small part of the largest
      value += (type == heddle::dtype::f64 ? 1e-9 : 1e-4) * support::scale_of(all);
    };
    judge::write_expected(path, of, right, type);
    CHECK(judge::complaint(path, of, right, type) == "");
    auto const refused = [&](std::string const& name, auto const& change) {
      oracle::result wrong = right;
      change(wrong);
      judge::write_expected(path, of, wrong, type);
      std::string const said = judge::complaint(path, of, right, type);
      CHECK_MESSAGE(said.find(name) != std::string::npos, name, " passes: ", said);
    };
    refused("output[7]", [&](oracle::result& with) { move(with.output.data[7], with.output.data); });
    refused("weights[3]", [&](oracle::result& with) { move(with.weights.data[3], with.weights.data); });
    refused("indices[4]", [](oracle::result& with) { with.indices[4] = -2; });
    refused("tokens_per_expert[0]", [](oracle::result& with) { ++with.tokens_per_expert[0]; });
    refused("dropped_per_expert[1]", [](oracle::result& with) { ++with.dropped_per_expert[1]; });
    refused("loss.aux[0]", [&](oracle::result& with) { move(with.aux, {with.aux}); });
    refused("loss.z[0]", [&](oracle::result& with) { move(with.z, {with.z}); });
    refused("expert_bias.updated[2]", [&](oracle::result& with) { move(with.updated_bias[2], with.updated_bias); });
    for (auto const& [name, gradient] : right.gradients) {
      refused("grad." + name + "[0]",
              [&](oracle::result& with) { move(with.gradients.at(name).data[0], with.gradients.at(name).data); });
      refused("no tensor grad." + name, [&](oracle::result& with) { with.gradients.erase(name); });
    }
    refused("there is a tensor grad.other",
            [&](oracle::result& with) { with.gradients["other"] = right.gradients.at("hidden"); });
    refused("output[0] is nan", [](oracle::result& with) { with.output.data[0] = std::nan(""); });
    judge::write_expected(path, of, right, type);
    heddle::dtype const other = type == heddle::dtype::f64 ? heddle::dtype::f32 : heddle::dtype::f64;
    CHECK(judge::complaint(path, of, right, other).find(" is F") != std::string::npos);
  }
}
