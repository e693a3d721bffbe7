// SPDX-License-Identifier: Apache-2.0
// Members of the compiled policies, drawn by number, against the oracle: outputs, counts, losses and all gradients.
// HEDDLE_TRAIN_MEMBERS says how many (300), HEDDLE_TRAIN_FIRST from which number on (1).
#include "../support/relative.hpp"
#include "../support/train_draw.hpp"

#include <array>
#include <cstdlib>
#include <doctest/doctest.h>
#include <set>

using heddle::index_t;
using support::tensor;
using train::member;

namespace {

constexpr std::uint64_t members = 300;

std::uint64_t number_in(char const* variable, std::uint64_t otherwise) {
  char const* const text = std::getenv(variable);
  return text == nullptr ? otherwise : std::strtoull(text, nullptr, 10);
}

constexpr double tolerance_of(member const& of) { return of.wide ? 1e-10 : 2e-5; }

/// What is wrong with a member, and how to see it again; empty where nothing is.
std::string judged(std::uint64_t seed) {
  member const of = train::drawn(seed);
  std::string const wrong = train::difference(train::run(of), train::expected(of), tolerance_of(of));
  if (wrong.empty()) return wrong;
  return wrong + "\n  of " + of.text() + "\n  again: HEDDLE_TRAIN_FIRST=" + std::to_string(seed) +
         " HEDDLE_TRAIN_MEMBERS=1 test_property_train";
}

/// Circumstances of a member, by what the numbers say and not by what was drawn.
std::vector<std::string> circumstances(member const& of) {
  std::vector<std::string> found;
  auto const note = [&](char const* what, bool is) {
    if (is) found.emplace_back(what);
  };
  oracle::layer const& layer = of.layer;
  oracle::settings const& is = layer.is;
  oracle::result const done = oracle::run_layer(layer, of.chunks());
  index_t const real = layer.experts() - is.identity;
  index_t const width = layer.at("down_proj")[2];
  index_t busiest = 0, chosen = 0, dropped = 0, empty = 0;
  for (index_t const count : done.tokens_per_expert) {
    busiest = std::max(busiest, count);
    chosen += count;
    empty += count == 0 ? 1 : 0;
  }
  for (index_t const count : done.dropped_per_expert) dropped += count;
  bool no_tokens = false, one_is_nan = false, uneven = false, token_is_nan = false;
  for (std::size_t i = 1; i < of.cuts.size(); ++i) {
    no_tokens = no_tokens || of.cuts[i] == of.cuts[i - 1];
    uneven = uneven || of.cuts[i] - of.cuts[i - 1] != of.cuts[1];
  }
  if (tensor const* const bias = layer.find("router.bias")) {
    for (double const value : bias->data) one_is_nan = one_is_nan || std::isnan(value);
  }
  note("no tokens at all", layer.tokens() == 0);
  note("ranks without tokens", no_tokens && layer.tokens() > 0);
  note("uneven tokens", uneven);
  note("an expert nobody chose", empty > 0 && chosen > 0);
  note("every token at one expert", chosen > 0 && empty + 1 == layer.experts() && busiest == layer.tokens());
  note("more choices than experts of a rank", is.top_k * of.ep > real && of.ep > 1);
  note("uneven experts", real % of.ep != 0);
  note("fewer experts than ranks", real < of.ep);
  note("uneven columns", width % of.etp != 0);
  note("fewer columns than ranks", width > 0 && width < of.etp);
  note("no columns", width == 0);
  note("ties", of.ties && done.margin == 0);
  note("a logit that is no number", one_is_nan);
  for (double const value : layer.at("hidden").data) token_is_nan = token_is_nan || std::isnan(value);
  bool const softmax_first = is.score == oracle::score_kind::softmax && !is.post;
  note("a token of no number", token_is_nan);
  note("scores of no number", (one_is_nan || token_is_nan) && softmax_first && chosen > 0);
  note("padding tokens", std::find(layer.padding.begin(), layer.padding.end(), true) != layer.padding.end());
  note("dropped choices", dropped > 0);
  note("rows up to the capacity", is.pad_to_capacity);
  note("rows up to the capacity, stored", is.pad_to_capacity && of.stores_rows());
  note("identity experts that are chosen", is.identity > 0 && chosen > 0 && done.tokens_per_expert.back() > 0);
  note("losses", done.aux > 0 && done.z > 0);
  note("a dense grid with tp", of.dense && of.tp > 1);
  note("all three groups", of.ep > 1 && of.etp > 1 && of.ranks > of.ep * of.etp);
  for (bool const origin : {false, true}) {
    if ((of.is().at == heddle::weight_at::origin) != origin) continue;
    found.push_back(std::string{train::dispatcher_names[of.dispatcher]} + (origin ? ", weights at the origin" : "") +
                    (of.wide ? " f64" : " f32"));
  }
  found.push_back("expert " + std::to_string(of.expert) + (of.wide ? " f64" : " f32"));
  found.push_back("W " + std::to_string(of.ranks) + " ep " + std::to_string(of.ep) + " etp " + std::to_string(of.etp));
  found.push_back("score " + std::to_string(static_cast<int>(is.score)) + (is.post ? " post" : "") +
                  (is.normalize ? " normalised" : ""));
  if (is.groups > 1) found.push_back("groups by " + std::to_string(static_cast<int>(is.group_score)));
  if (is.aux_loss_coeff)
    found.push_back("balance " + std::to_string(static_cast<int>(is.aux_loss)) + " of score " +
                    std::to_string(static_cast<int>(is.score)));
  return found;
}

}  // namespace

TEST_CASE("random layers under random policies on random ranks are the oracle's") {
  std::uint64_t const first = number_in("HEDDLE_TRAIN_FIRST", 1);
  std::uint64_t const count = number_in("HEDDLE_TRAIN_MEMBERS", members);
  for (std::uint64_t seed = first; seed < first + count; ++seed) CHECK(judged(seed) == "");
}

TEST_CASE("every mistake in the way back is found") {
  for (int mistake = 0; mistake <= train::faults; ++mistake) {
    CAPTURE(mistake);
    int found = 0;
    for (std::uint64_t seed = 1; seed <= 40; ++seed) {
      member of = train::drawn(seed);
      of.mistake = static_cast<train::fault>(mistake);
      found += train::difference(train::run(of), train::expected(of), tolerance_of(of)).empty() ? 0 : 1;
    }
    CHECK((found > 0) == (mistake > 0));
  }
}

TEST_CASE("what is drawn by default has everything in it") {
  std::set<std::string> found;
  for (std::uint64_t seed = 1; seed <= members; ++seed) {
    for (std::string const& each : circumstances(train::drawn(seed))) found.insert(each);
  }
  std::string list;
  for (std::string const& each : found) list += "\n  " + each;
  CAPTURE(list);
  std::size_t const odd = 23;
  std::size_t const experts = 2 * train::experts_compiled;    // in f32 and f64
  std::size_t const transports = 2 * 2 * train::dispatchers;  // weights on board and at home
  std::size_t const meshes = 1 + 3 + 3 + 6 + 9 + 10;          // of 1, 2, 3, 4, 6 and 8 ranks
  std::size_t const rules = 8 + 3 + 9;                        // scores, limits on groups, balance losses
  CHECK(found.size() == odd + experts + transports + meshes + rules);
}

TEST_CASE("every place of the weight, set of options and mode of the experts meet, and each meets every activation") {
  std::set<std::array<int, 3>> met;
  std::set<std::array<int, 3>> families;
  for (int number = 0; number < train::experts_compiled; ++number) {
    train::expert_member const is = train::expert_number(number);
    int const at = static_cast<int>(is.at);
    int const options = (is.has.bias ? 1 : 0) + (is.has.recompute ? 2 : 0);
    int const mode = static_cast<int>(is.mode);
    met.insert({at, options, mode});
    families.insert({is.family, 0, at});
    families.insert({is.family, 1, options});
    families.insert({is.family, 2, mode});
    families.insert({is.family, 3, is.transposed ? 1 : 0});
  }
  CHECK(met.size() == 4 * 4 * 4);
  CHECK(families.size() == train::families * (4 + 4 + 4 + 2));
}

TEST_CASE("one number that is off is seen, of any tensor, and one count") {
  for (std::uint64_t const seed : {20U, 65U}) {  // f64 and f32
    member of = train::drawn(seed);
    train::outcome const right = train::expected(of);
    CHECK(train::difference(right, right, 0) == "");
    for (auto const& [name, values] : right.reals) {
      for (std::size_t i = 0; i < values.size(); i += 1 + values.size() / 3) {
        double const scale = support::scale_of(values, right.sizes.at(name));
        train::outcome wrong = right;
        wrong.reals[name][i] += 1.5 * tolerance_of(of) * (scale > 0 ? scale : 1e-30);  // zeros are zeros
        CHECK(train::difference(wrong, right, tolerance_of(of)) != "");
        CHECK(train::other_bits(wrong, right) == name);
        wrong.reals[name][i] = std::numeric_limits<double>::quiet_NaN();
        CHECK(train::difference(wrong, right, tolerance_of(of)) != "");
      }
      train::outcome wrong = right;
      wrong.reals.erase(name);
      CHECK(train::difference(wrong, right, tolerance_of(of)) != "");
    }
    for (auto const& [name, counts] : right.counts) {
      if (counts.empty()) continue;
      train::outcome wrong = right;
      ++wrong.counts[name].back();
      CHECK(train::difference(wrong, right, tolerance_of(of)) != "");
    }
    CHECK(train::difference({.problem = "a rank throws"}, right, 1) == "a rank throws");
  }
}

TEST_CASE("a ten-thousandth of numbers that are small is seen") {
  oracle::sizes const sizes{.tokens = 8, .hidden = 6, .experts = 24, .width = 4, .router_bias = true};
  member of{.expert = 2, .wide = false, .cuts = {0, 8}};  // weights at the output
  of.layer = oracle::filled(sizes, {.top_k = 3, .scale = 0.25, .aux_loss_coeff = 1e-3, .z_loss_coeff = 1e-3}, 3);
  for (double& value : of.layer.tensors.at("grad_output").data) value /= 64;
  train::outcome const right = train::expected(of);
  CHECK(train::difference(train::run(of), right, tolerance_of(of)) == "");
  for (auto const& [name, values] : right.reals) {
    CAPTURE(name);
    if (name == "expert_bias.updated") continue;  // zeros
    double const largest = support::scale_of(values);
    CHECK(largest > 0);
    if (name == "weights") CHECK(largest < 0.1);
    if (name.starts_with("loss") || name.starts_with("grad")) CHECK(largest < 0.5);
    CHECK(right.sizes.at(name) < 4 * largest);
    train::outcome wrong = right;
    for (double& value : wrong.reals[name]) value *= 1 + 1e-4;
    CHECK(train::difference(wrong, right, tolerance_of(of)) != "");
  }
}

TEST_CASE("where terms cancel to nothing a gradient is measured by them") {
  oracle::sizes const sizes{.tokens = 6, .hidden = 4, .experts = 5};
  for (bool const wide : {false, true}) {
    member of{.expert = 2, .wide = wide, .cuts = {0, 6}};
    of.layer = oracle::filled(sizes, {.top_k = 1, .normalize = true}, 5);  // the weight is 1, whatever the router says
    train::outcome right = train::expected(of);
    double const largest = support::scale_of(right.reals.at("grad.router.weight"));
    double const size = right.sizes.at("grad.router.weight");
    CHECK(largest < 1e-14);
    CHECK(size > 0.01);
    CHECK(size < 100);
    CHECK(train::difference(train::run(of), right, tolerance_of(of)) == "");
    right.reals["grad.router.weight"][2] += 2 * tolerance_of(of) * size;
    CHECK(train::difference(train::run(of), right, tolerance_of(of)) != "");
  }
}

TEST_CASE("what stands in the rows of padding tokens has no part in anything") {
  oracle::sizes const sizes{.tokens = 9,
                            .hidden = 4,
                            .experts = 5,
                            .shared = 2,
                            .router_bias = true,
                            .shared_expert = true,
                            .shared_gate = true};
  struct mesh {
    int ranks, tp, ep, etp;
  };
  for (mesh const& on : {mesh{1, 0, 1, 1}, mesh{4, 0, 2, 2}, mesh{4, 2, 4, 1}, mesh{6, 3, 2, 1}}) {
    for (int dispatcher = 0; dispatcher < train::dispatchers; ++dispatcher) {
      member of{.ranks = on.ranks, .ep = on.ep, .etp = on.etp, .dispatcher = dispatcher, .expert = 2};
      if (of.everywhere()) continue;  // takes no shared expert
      of.dense = on.tp > 0;
      of.tp = std::max(1, on.tp);
      of.delayed = dispatcher % 2 == 0;
      of.layer = oracle::filled(sizes, {.top_k = 2, .normalize = true, .aux_loss_coeff = 0.5, .z_loss_coeff = 0.5}, 4);
      of.layer.padding.assign(9, false);
      of.cuts = {0};
      int const chunks = on.ranks / of.tp;
      for (int c = 1; c <= chunks; ++c) of.cuts.push_back(9 * c / chunks);
      for (std::size_t const token : {1U, 4U, 8U}) {
        of.layer.padding[token] = true;
        for (char const* const name : {"hidden", "grad_output"})
          oracle::row(of.layer.tensors.at(name), static_cast<index_t>(token))[token % 4] =
              std::numeric_limits<double>::quiet_NaN();
      }
      train::outcome const wanted = train::expected(of);
      for (auto const& [name, values] : wanted.reals) {
        for (double const value : values) REQUIRE(std::isfinite(value));
      }
      CAPTURE(of.text());
      CHECK(train::difference(train::run(of), wanted, tolerance_of(of)) == "");
    }
  }
}
