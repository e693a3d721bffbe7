// SPDX-License-Identifier: Apache-2.0
// What Megatron-Core and torchtitan route, lose, drop, order and count, against the kernels that do the same here.
#include "stored.hpp"

#include <algorithm>
#include <cmath>
#include <doctest/doctest.h>
#include <heddle/host/index_build.hpp>
#include <heddle/kernel/assign.hpp>
#include <heddle/kernel/balance_bias.hpp>
#include <heddle/kernel/balance_loss.hpp>
#include <heddle/kernel/capacity.hpp>
#include <heddle/kernel/chunk_sort.hpp>
#include <heddle/kernel/expert_choice.hpp>
#include <heddle/kernel/pad_order.hpp>
#include <heddle/kernel/permute.hpp>
#include <heddle/kernel/route.hpp>
#include <heddle/kernel/sinkhorn.hpp>
#include <heddle/kernel/take_gates.hpp>
#include <heddle/kernel/unpermute.hpp>
#include <heddle/kernel/z_loss.hpp>
#include <heddle/layer/run_padding.hpp>
#include <memory>
#include <numeric>

namespace {

namespace kernel = heddle::kernel;
using golden::index_t;
using golden::launch;
using golden::list_of;
using golden::rows_of;
using golden::slots_of;
using golden::stored;
using nlohmann::json;
using floats = std::vector<float>;
using ids_type = std::vector<std::int32_t>;

/// The largest difference, as a part of the largest expected number or of 1.
double apart(floats const& got, floats const& expected) {
  REQUIRE(got.size() == expected.size());
  double scale = 1, worst = 0;
  for (float const value : expected) scale = std::max(scale, std::abs(static_cast<double>(value)));
  for (std::size_t i = 0; i < got.size(); ++i)
    worst = std::max(worst, std::abs(static_cast<double>(got[i]) - static_cast<double>(expected[i])));
  return worst / scale;
}
constexpr double bound = 1e-6;

/// A mask of tokens, empty where the case has none.
struct mask {
  mask(stored const& file, std::string const& name) {
    if (!file.has(name)) return;
    auto const bytes = file.all<std::uint8_t>(name);
    values = std::make_unique<bool[]>(bytes.size());
    std::copy(bytes.begin(), bytes.end(), values.get());
    view = {values.get(), heddle::extents<heddle::tokens>{static_cast<index_t>(bytes.size())}};
  }
  std::unique_ptr<bool[]> values;
  heddle::per_row<bool const> view{};
};

/// Calls `run.template operator()<Rule>()` for the rule of a configuration.
template <class Score, kernel::score_order Order, bool Normalise, class Run>
void with_groups(json const& is, Run const& run) {
  using kernel::group_score;
  std::string const groups = is.value("group_score", "none");
  if (groups == "top2")
    return run.template operator()<kernel::routing_rule<Score, Order, Normalise, group_score::top2>>();
  if (groups == "topm")
    return run.template operator()<kernel::routing_rule<Score, Order, Normalise, group_score::topm>>();
  run.template operator()<kernel::routing_rule<Score, Order, Normalise>>();
}
template <class Run>
void with_rule(json const& is, Run const& run) {
  using kernel::score_order;
  bool const normalise = is.value("normalize", false);
  if (is.at("score") == "sigmoid") {
    if (normalise) with_groups<kernel::sigmoid_score, score_order::pre, true>(is, run);
    else with_groups<kernel::sigmoid_score, score_order::pre, false>(is, run);
  } else if (is.value("score_order", "pre") == "post") {
    with_groups<kernel::softmax_score, score_order::post, false>(is, run);
  } else if (normalise) {
    with_groups<kernel::softmax_score, score_order::pre, true>(is, run);
  } else {
    with_groups<kernel::softmax_score, score_order::pre, false>(is, run);
  }
}

struct routed {
  ids_type ids;
  floats weights;
  floats dlogits;
};
/// Chooses and weighs by logits [T, E]; the gradient of the weights is gradient_of(ids) [T, k].
template <class GradientOf>
routed route(json const& is, floats const& logits, index_t experts, floats const& bias, GradientOf const& gradient_of) {
  index_t const k = is.at("top_k"), tokens = static_cast<index_t>(logits.size()) / experts;
  auto const pairs = static_cast<std::size_t>(tokens * k);
  routed done{ids_type(pairs), floats(pairs), floats(logits.size())};
  double const factor = is.value("scale", 1.0);
  with_rule(is, [&]<class Rule>() {
    kernel::route<Rule, float> const kernel{
        .logits = rows_of(logits, experts),
        .ids = slots_of(done.ids, k),
        .weights = slots_of(done.weights, k),
        .factor = factor,
        .bias = {bias.empty() ? nullptr : bias.data(),
                 heddle::extents<heddle::hidden>{static_cast<index_t>(bias.size())}},
        .limit = {is.value("groups", index_t{1}), is.value("groups_kept", index_t{1})}};
    kernel.check();
    launch(kernel, tokens);
    floats dweights = gradient_of(done.ids);
    launch(kernel::weigh_grad<Rule, float>{.logits = rows_of(logits, experts),
                                           .chosen = slots_of(done.ids, k),
                                           .dweights = slots_of(dweights, k),
                                           .factor = factor,
                                           .dlogits = rows_of<float>(done.dlogits, experts)},
           tokens);
  });
  return done;
}

/// x [T, H] times gate [E, H], transposed.
floats logits_of(floats const& x, floats const& gate, index_t width) {
  auto const wide = static_cast<std::size_t>(width);
  floats logits;
  for (std::size_t t = 0; t < x.size(); t += wide) {
    for (std::size_t e = 0; e < gate.size(); e += wide) {
      float sum = 0;
      for (std::size_t i = 0; i < wide; ++i) sum += x[t + i] * gate[e + i];
      logits.push_back(sum);
    }
  }
  return logits;
}
/// The scores of all experts.
floats scores_of(json const& is, floats const& logits, index_t experts) {
  floats scores(logits.size());
  auto const fill = [&]<class Score>() {
    launch(kernel::scores_of_rows<Score, float>{rows_of(logits, experts), rows_of<float>(scores, experts)},
           static_cast<index_t>(logits.size()) / experts);
  };
  if (is.at("score") == "sigmoid") fill.operator()<kernel::sigmoid_score>();
  else fill.operator()<kernel::softmax_score>();
  return scores;
}

/// Numbers of (token, slot) pairs in a dense [T, E].
floats spread(ids_type const& ids, floats const& values, index_t k, index_t experts) {
  floats dense(ids.size() / static_cast<std::size_t>(k) * static_cast<std::size_t>(experts));
  for (std::size_t i = 0; i < ids.size(); ++i) {
    if (ids[i] >= 0)
      dense[i / static_cast<std::size_t>(k) * static_cast<std::size_t>(experts) + static_cast<std::size_t>(ids[i])] =
          values[i];
  }
  return dense;
}
/// The entries of a dense [T, E] at (token, slot) pairs.
floats pick(ids_type const& ids, floats const& dense, index_t k, index_t experts) {
  floats values;
  for (std::size_t i = 0; i < ids.size(); ++i)
    values.push_back(
        dense[i / static_cast<std::size_t>(k) * static_cast<std::size_t>(experts) + static_cast<std::size_t>(ids[i])]);
  return values;
}
floats ones(ids_type const& ids) { return floats(ids.size(), 1); }
/// The experts of every token of a map [T, E], which all have equally many.
ids_type ids_of(std::vector<std::uint8_t> const& map, index_t experts) {
  ids_type ids;
  for (std::size_t i = 0; i < map.size(); ++i) {
    if (map[i] != 0) ids.push_back(static_cast<std::int32_t>(static_cast<index_t>(i) % experts));
  }
  return ids;
}
floats map_of(stored const& file, std::string const& name) {
  auto const bytes = file.all<std::uint8_t>(name);
  return {bytes.begin(), bytes.end()};
}
floats optional(stored const& file, std::string const& name) { return file.has(name) ? file.all(name) : floats{}; }

struct order {
  ids_type tokens, slots, places;
  std::vector<index_t> counts, begins;
};
order order_of(ids_type& ids, index_t k, index_t experts) {
  order made{ids_type(ids.size()),
             ids_type(ids.size()),
             ids_type(ids.size()),
             std::vector<index_t>(static_cast<std::size_t>(experts)),
             {0}};
  index_t const used = heddle::host::build_expert_order(
      slots_of(ids, k), {made.tokens, made.slots, slots_of(made.places, k), made.counts});
  made.tokens.resize(static_cast<std::size_t>(used));
  made.slots.resize(static_cast<std::size_t>(used));
  for (index_t const count : made.counts) made.begins.push_back(made.begins.back() + count);
  return made;
}
bool same(ids_type const& got, std::vector<std::int64_t> const& expected) {
  return std::equal(got.begin(), got.end(), expected.begin(), expected.end());
}

}  // namespace

TEST_CASE("megatron: who is chosen, with which weights, and their gradients") {
  stored const file{"peers/megatron.safetensors"};
  auto const cases = file.cases("routing.");
  CHECK(cases.size() == 9);
  for (std::string const& name : cases) {
    json const is = file.config("config." + name);
    index_t const experts = file.width(name + ".logits"), k = is.at("top_k");
    floats const d_probs = file.all(name + ".grad_probs");
    routed const got = route(is, file.all(name + ".logits"), experts, optional(file, name + ".expert_bias"),
                             [&](ids_type const& ids) { return pick(ids, d_probs, k, experts); });
    CHECK_MESSAGE(spread(got.ids, ones(got.ids), k, experts) == map_of(file, name + ".map"), name);
    CHECK_MESSAGE(apart(spread(got.ids, got.weights, k, experts), file.all(name + ".probs")) < bound, name);
    CHECK_MESSAGE(apart(got.dlogits, file.all(name + ".grad.logits")) < bound, name);
  }
}

TEST_CASE("torchtitan: who is chosen, in which order, with which weights, and the gradients of the gate") {
  stored const file{"peers/torchtitan.safetensors"};
  auto const cases = file.cases("routing.");
  CHECK(cases.size() == 6);
  for (std::string const& name : cases) {
    json const is = file.config("config." + name);
    index_t const tokens = file.height(name + ".hidden"), width = file.width(name + ".hidden");
    index_t const experts = file.height(name + ".router.weight");
    floats x = file.all(name + ".hidden"), gate = file.all(name + ".router.weight");
    floats const logits = logits_of(x, gate, width);
    auto const at = [](floats& of, index_t wide, index_t row, index_t column) -> float& {
      return of[static_cast<std::size_t>(row * wide + column)];
    };
    CHECK_MESSAGE(apart(scores_of(is, logits, experts), file.all(name + ".scores")) < bound, name);
    routed got = route(is, logits, experts, optional(file, name + ".expert_bias"),
                       [&](ids_type const&) { return file.all(name + ".grad_weights"); });
    CHECK_MESSAGE(same(got.ids, file.all<std::int64_t>(name + ".indices")), name);
    CHECK_MESSAGE(apart(got.weights, file.all(name + ".weights")) < bound, name);
    floats dx(x.size()), dgate(gate.size());
    for (index_t t = 0; t < tokens; ++t) {
      for (index_t e = 0; e < experts; ++e) {
        for (index_t i = 0; i < width; ++i) {
          at(dx, width, t, i) += at(got.dlogits, experts, t, e) * at(gate, width, e, i);
          at(dgate, width, e, i) += at(got.dlogits, experts, t, e) * at(x, width, t, i);
        }
      }
    }
    CHECK_MESSAGE(apart(dx, file.all(name + ".grad.hidden")) < bound, name);
    CHECK_MESSAGE(apart(dgate, file.all(name + ".grad.router.weight")) < bound, name);
  }
}

TEST_CASE("torchtitan: forced balance") {
  stored const file{"peers/torchtitan.safetensors"};
  index_t const k = file.width("round_robin.indices"), experts = file.width("round_robin.scores");
  ids_type ids(file.all("round_robin.weights").size());
  floats const logits = logits_of(file.all("round_robin.hidden"), file.all("round_robin.router.weight"),
                                  file.width("round_robin.hidden"));
  CHECK(apart(scores_of(file.config("config.round_robin"), logits, experts), file.all("round_robin.scores")) < bound);
  launch(kernel::deal_round_robin<>{.ids = slots_of(ids, k), .experts = experts}, file.height("round_robin.indices"));
  CHECK(same(ids, file.all<std::int64_t>("round_robin.indices")));
  CHECK(pick(ids, file.all("round_robin.scores"), k, experts) == file.all("round_robin.weights"));
}

TEST_CASE("megatron: balance losses and their gradients") {
  stored const file{"peers/megatron.safetensors"};
  auto const cases = file.cases("loss.aux");
  CHECK(cases.size() == 6);
  for (std::string const& name : cases) {
    json const is = file.config("config." + name);
    index_t const tokens = file.height(name + ".logits"), experts = file.width(name + ".logits"), k = is.at("top_k");
    floats const logits = file.all(name + ".logits");
    mask const padding{file, name + ".padding_mask"};
    index_t const length = is.value("sequence_length", tokens), blocks = kernel::sequence_blocks(tokens, length);
    floats p(logits.size()), dlogits(logits.size());
    ids_type ids(static_cast<std::size_t>(tokens * k));
    std::vector<double> sums(static_cast<std::size_t>(blocks * kernel::balance_columns(experts))),
        slopes(static_cast<std::size_t>(blocks * experts));
    auto const total = rows_of<double>(sums, kernel::balance_columns(experts));
    auto const slope = rows_of<double>(slopes, experts);
    auto const run = [&]<class Score>() {
      launch(kernel::balance_scores<Score, float>{rows_of(logits, experts), rows_of<float>(p, experts),
                                                  slots_of(ids, k), padding.view},
             tokens);
      kernel::balance_sums<float> const add{.p = rows_of(std::as_const(p), experts),
                                            .ids = slots_of(ids, k),
                                            .padding = padding.view,
                                            .length = length,
                                            .sums = total};
      launch(add, add.pieces());
      if (file.has(name + ".earlier_counts")) {
        floats const earlier = file.all(name + ".earlier_counts");
        std::vector<double> history{earlier.begin(), earlier.end()};
        kernel::average_counts(heddle::serial_team{}, total, list_of(history), list_of(history), 2);
      }
      double const loss = kernel::balance_loss(heddle::serial_team{}, total, k, is.at("aux_loss_coeff"),
                                               kernel::balance_scale::megatron, slope);
      double const expected = static_cast<double>(file.all(name + ".loss")[0]);
      CHECK_MESSAGE(std::abs(loss - expected) < bound * expected, name);
      launch(kernel::balance_grad<Score, float>{.logits = rows_of(logits, experts),
                                                .padding = padding.view,
                                                .length = length,
                                                .slopes = slope,
                                                .dlogits = rows_of<float>(dlogits, experts)},
             tokens);
    };
    if (is.at("score") == "sigmoid") run.operator()<kernel::sigmoid_score>();
    else run.operator()<kernel::softmax_score>();
    floats expected = file.all(name + ".grad.logits");
    for (float& value : expected) value *= 100;  // they are small
    for (float& value : dlogits) value *= 100;
    CHECK_MESSAGE(apart(dlogits, expected) < bound, name);
  }
}

TEST_CASE("megatron: the loss on the size of logits") {
  stored const file{"peers/megatron.safetensors"};
  auto const cases = file.cases("loss.z");
  CHECK(cases.size() == 2);
  for (std::string const& name : cases) {
    double const coeff = file.config("config." + name).at("z_loss_coeff");
    index_t const tokens = file.height(name + ".logits"), experts = file.width(name + ".logits");
    floats const logits = file.all(name + ".logits");
    mask const padding{file, name + ".padding_mask"};
    floats terms(static_cast<std::size_t>(tokens)), dlogits(logits.size());
    std::vector<double> sums(2);
    launch(kernel::z_terms<float>{rows_of(logits, experts), padding.view, list_of(terms)}, tokens);
    launch(kernel::z_sums<float>{list_of(terms), padding.view, list_of(sums)}, 1);
    double const expected = static_cast<double>(file.all(name + ".loss")[0]);
    CHECK_MESSAGE(std::abs(kernel::z_loss(list_of(sums), coeff) - expected) < bound * expected, name);
    launch(kernel::z_grad<float>{.logits = rows_of(logits, experts),
                                 .padding = padding.view,
                                 .coeff = coeff,
                                 .tokens = &sums[1],
                                 .dlogits = rows_of<float>(dlogits, experts)},
           tokens);
    CHECK_MESSAGE(apart(dlogits, file.all(name + ".grad.logits")) < bound * 0.01, name);
  }
}

TEST_CASE("megatron: Sinkhorn's choice") {
  stored const file{"peers/megatron.safetensors"};
  for (std::string const name : {"sinkhorn_top1", "sinkhorn_top2"}) {
    json const is = file.config("config." + name);
    index_t const tokens = file.height(name + ".logits"), experts = file.width(name + ".logits"), k = is.at("top_k");
    floats const logits = file.all(name + ".logits");
    floats columns(static_cast<std::size_t>(experts)), rows(static_cast<std::size_t>(tokens));
    std::vector<double> sums(columns.size());
    ids_type ids(static_cast<std::size_t>(tokens * k));
    static_cast<void>(kernel::sinkhorn([](auto const& each, index_t count) { launch(each, count); }, [](auto) {},
                                       rows_of(logits, experts), {}, static_cast<double>(tokens), list_of(columns),
                                       list_of(rows), list_of(sums), {.tolerance = is.at("tolerance")}));
    launch(kernel::sinkhorn_choose<float>{.logits = rows_of(logits, experts),
                                          .column_scale = list_of(columns),
                                          .row_scale = list_of(rows),
                                          .ids = slots_of(ids, k)},
           tokens);
    CHECK_MESSAGE(spread(ids, ones(ids), k, experts) == map_of(file, name + ".map"), name);
    floats shares(logits.size());
    for (std::size_t i = 0; i < shares.size(); ++i) {
      auto const e = static_cast<std::size_t>(experts);
      shares[i] = columns[i % e] * std::exp(logits[i]) * rows[i / e];
    }
    CHECK_MESSAGE(apart(shares, file.all(name + ".fixed_point")) < bound, name);
    floats weights(ids.size());
    auto const weigh = [&]<class Rule>() {
      launch(kernel::weigh<Rule, float>{rows_of(logits, experts), slots_of(ids, k), slots_of(weights, k)}, tokens);
    };
    if (k == 1) weigh.operator()<kernel::top_k_then_sigmoid>();
    else weigh.operator()<kernel::softmax_then_top_k<false>>();
    CHECK_MESSAGE(apart(spread(ids, weights, k, experts), file.all(name + ".probs")) < bound, name);
  }
}

TEST_CASE("megatron: what an expert has no room for") {
  stored const file{"peers/megatron.safetensors"};
  auto const cases = file.cases("capacity.");
  CHECK(cases.size() == 4);
  for (std::string const& name : cases) {
    json const is = file.config("config." + name);
    index_t const tokens = file.height(name + ".logits"), experts = file.width(name + ".logits"), k = is.at("top_k");
    routed got = route(is, file.all(name + ".logits"), experts, {}, ones);
    CHECK_MESSAGE(spread(got.ids, ones(got.ids), k, experts) == map_of(file, name + ".map"), name);
    CHECK_MESSAGE(apart(spread(got.ids, got.weights, k, experts), file.all(name + ".probs")) < bound, name);
    order by = order_of(got.ids, k, experts);
    index_t const room = kernel::expert_capacity(tokens, k, experts, is.at("capacity_factor"));
    CHECK_MESSAGE(room == file.all<std::int64_t>(name + ".capacity")[0], name);
    std::vector<index_t> kept(by.counts.size()), dropped(by.counts.size());
    auto const run = [&]<kernel::drop_by By>() {
      launch(kernel::drop<By>{list_of(by.tokens), list_of(by.slots), list_of(by.begins), room, slots_of(got.ids, k),
                              slots_of(got.weights, k), list_of(kept), list_of(dropped)},
             experts);
    };
    if (is.at("drop") == "position") run.operator()<kernel::drop_by::position>();
    else run.operator()<kernel::drop_by::probability>();
    floats const kept_map = map_of(file, name + ".kept_map"), mine = spread(got.ids, ones(got.ids), k, experts);
    if (is.at("pad_to_capacity")) {  // rows that nobody chose fill the map; here they are nobody's
      CHECK_MESSAGE(std::accumulate(kept_map.begin(), kept_map.end(), 0.0F) == static_cast<float>(room * experts),
                    name);
      for (std::size_t i = 0; i < mine.size(); ++i) CHECK_MESSAGE(mine[i] <= kept_map[i], name);
    } else {
      CHECK_MESSAGE(mine == kept_map, name);
    }
    CHECK_MESSAGE(apart(spread(got.ids, got.weights, k, experts), file.all(name + ".kept_probs")) < bound, name);
    index_t const lost = std::accumulate(dropped.begin(), dropped.end(), index_t{0});
    CHECK_MESSAGE((lost > 0) == (name != "capacity.roomy"), name);
  }
}

TEST_CASE("megatron: tokens by expert and back") {
  stored const file{"peers/megatron.safetensors"};
  index_t const width = file.width("permute.tokens"), tokens = file.height("permute.tokens"), k = 2;
  index_t const experts = file.width("permute.map");
  floats const probs = file.all("permute.probs"), x = file.all("permute.tokens");
  ids_type ids = ids_of(file.all<std::uint8_t>("permute.map"), experts);
  order by = order_of(ids, k, experts);
  CHECK(same(by.tokens, file.all<std::int64_t>("permute.order")));
  floats rows(by.tokens.size() * static_cast<std::size_t>(width)), sums(x.size()), gates(by.tokens.size());
  launch(kernel::permute<float>{rows_of(x, width), list_of(by.tokens), rows_of<float>(rows, width)},
         static_cast<index_t>(by.tokens.size()));
  CHECK(rows == file.all("permute.rows"));
  floats weights = pick(ids, probs, k, experts);
  launch(kernel::take_gates<heddle::host_memory, float>{slots_of(weights, k), list_of(by.tokens), list_of(by.slots),
                                                        list_of(gates)},
         static_cast<index_t>(gates.size()));
  CHECK(gates == file.all("permute.row_probs"));
  for (float& value : rows) value *= 2;
  launch(kernel::unpermute<float>{rows_of(std::as_const(rows), width), slots_of(by.places, k), slots_of(weights, k),
                                  rows_of<float>(sums, width)},
         tokens);
  CHECK(apart(sums, file.all("permute.unpermuted")) < bound);
}

TEST_CASE("megatron: as many rows as an expert has room for") {
  stored const file{"peers/megatron.safetensors"};
  std::string const name = "permute_padded";
  index_t const width = file.width(name + ".tokens"), tokens = file.height(name + ".tokens"), k = 2;
  index_t const experts = file.width(name + ".map");
  floats const x = file.all(name + ".tokens");
  ids_type ids = ids_of(file.all<std::uint8_t>("permute.map"), experts);  // before drops and fillers
  floats weights = pick(ids, file.all("permute.probs"), k, experts);
  index_t const room = kernel::expert_capacity(tokens, k, experts, file.config("config." + name).at("capacity_factor"));
  order every = order_of(ids, k, experts);
  std::vector<index_t> kept(every.counts.size()), dropped(every.counts.size());
  launch(kernel::drop<kernel::drop_by::probability>{list_of(every.tokens), list_of(every.slots), list_of(every.begins),
                                                    room, slots_of(ids, k), slots_of(weights, k), list_of(kept),
                                                    list_of(dropped)},
         experts);
  CHECK(apart(spread(ids, weights, k, experts), file.all(name + ".probs")) < bound);
  CHECK(map_of(file, name + ".map") != map_of(file, "permute.map"));
  order by = order_of(ids, k, experts);
  auto const all = static_cast<std::size_t>(room * experts);
  std::vector<index_t> padded;
  for (index_t e = 0; e <= experts; ++e) padded.push_back(e * room);
  ids_type row_tokens(all, 99), row_slots(all, 99);
  launch(kernel::pad_order<>{list_of(by.begins), list_of(padded), list_of(by.tokens), list_of(by.slots),
                             list_of(row_tokens), list_of(row_slots), slots_of(by.places, k)},
         experts);
  floats rows(all * static_cast<std::size_t>(width)), gates(all), sums(x.size());
  launch(kernel::permute<float>{rows_of(x, width), list_of(row_tokens), rows_of<float>(rows, width)},
         static_cast<index_t>(all));
  launch(kernel::take_gates<heddle::host_memory, float>{slots_of(weights, k), list_of(row_tokens), list_of(row_slots),
                                                        list_of(gates)},
         static_cast<index_t>(all));
  // There fillers of weight 0 stand among an expert's rows, here behind them and without a token.
  auto const theirs = file.all<std::int64_t>(name + ".order");
  floats const their_gates = file.all(name + ".row_probs"), their_rows = file.all(name + ".rows");
  REQUIRE(theirs.size() == all);
  auto const row = [width](floats const& of, std::size_t i) {
    auto const begin = of.begin() + static_cast<index_t>(i) * width;
    return floats{begin, begin + width};
  };
  index_t fillers = 0;
  for (std::size_t e = 0; e < static_cast<std::size_t>(experts); ++e) {
    auto const height = static_cast<std::size_t>(room);
    std::size_t mine = e * height;
    for (std::size_t i = e * height; i < (e + 1) * height; ++i) {
      if (their_gates[i] == 0) continue;
      CHECK(row_tokens[mine] == theirs[i]);
      CHECK(gates[mine] == their_gates[i]);
      CHECK(row(rows, mine++) == row(their_rows, i));
    }
    for (; mine < (e + 1) * height; ++mine, ++fillers) {
      CHECK(row_tokens[mine] == -1);
      CHECK(gates[mine] == 0);
      CHECK(row(rows, mine) == floats(static_cast<std::size_t>(width)));
    }
  }
  CHECK(fillers > 0);
  for (float& value : rows) value *= 2;
  launch(kernel::unpermute<float>{rows_of(std::as_const(rows), width), slots_of(by.places, k), slots_of(weights, k),
                                  rows_of<float>(sums, width)},
         tokens);
  CHECK(apart(sums, file.all(name + ".unpermuted")) < bound);
}

namespace {
/// What the rows of a step's experts are asked of.
struct frame_of_counts {
  using memory = heddle::host_memory;
  struct {
    heddle::counts<memory> expert_rows;
  } routing;
  std::vector<index_t> room{};
  std::span<index_t> counts(std::size_t size) {
    room.assign(size, 0);
    return room;
  }
};
}  // namespace

TEST_CASE("megatron: as many rows as a quantised product wants") {
  stored const file{"peers/megatron.safetensors"};
  index_t const experts = file.width("padded_map.map");
  CHECK(file.config("config.padded_map").at("multiple") == 4);
  floats const map = map_of(file, "padded_map.map"), padded = map_of(file, "padded_map.padded");
  ids_type ids = ids_of(file.all<std::uint8_t>("padded_map.map"), experts);
  order const by = order_of(ids, 2, experts);
  frame_of_counts frame{.routing = {std::span<index_t const>{by.counts}}};
  auto const room = heddle::detail::padded_rows<heddle::aligned<4>>(frame);
  for (std::size_t e = 0; e < room.size(); ++e) {
    float theirs = 0;
    for (std::size_t i = e; i < padded.size(); i += room.size()) {
      theirs += padded[i];
      CHECK(padded[i] >= map[i]);
    }
    CHECK(static_cast<float>(room[e]) == theirs);
  }
}

TEST_CASE("megatron: chunks that arrive by rank are sorted by expert") {
  stored const file{"peers/megatron.safetensors"};
  auto const sizes = file.all<std::int64_t>("chunks.sizes"), chunks = file.all<std::int64_t>("chunks.order");
  index_t const ranks = file.height("chunks.sizes"), local = file.width("chunks.sizes");
  index_t const width = file.width("chunks.rows");
  std::vector<index_t> from, to(sizes.size()), size{sizes.begin(), sizes.end()};
  std::exclusive_scan(sizes.begin(), sizes.end(), std::back_inserter(from), index_t{0});
  index_t place = 0;
  std::vector<std::int64_t> visited;
  for (index_t e = 0; e < local; ++e) {
    for (index_t r = 0; r < ranks; ++r) {
      auto const chunk = static_cast<std::size_t>(r * local + e);
      visited.push_back(static_cast<std::int64_t>(chunk));
      to[chunk] = place;
      place += size[chunk];
    }
  }
  CHECK(visited == chunks);
  floats const received = file.all("chunks.rows");
  floats sorted(received.size());
  launch(kernel::chunk_sort<float>{rows_of(received, width), list_of(from), list_of(to), list_of(size),
                                   rows_of<float>(sorted, width)},
         ranks * local);
  CHECK(sorted == file.all("chunks.sorted"));
}

TEST_CASE("torchtitan: tokens by expert and back, on every rank") {
  stored const file{"peers/torchtitan.safetensors"};
  for (std::string const rank : {"0", "1", "2"}) {
    std::string const name = "order.rank" + rank;
    index_t const k = file.width(name + ".indices"), width = file.width(name + ".hidden");
    auto const wide = file.all<std::int64_t>(name + ".indices");
    ids_type ids{wide.begin(), wide.end()};
    order by = order_of(ids, k, 6);
    CHECK(same(by.tokens, file.all<std::int64_t>(name + ".order")));
    CHECK(by.counts == file.all<index_t>(name + ".counts"));
    floats const x = file.all(name + ".hidden");
    floats weights = file.all(name + ".weights");
    floats rows(by.tokens.size() * static_cast<std::size_t>(width)), sums(x.size());
    launch(kernel::permute<float>{rows_of(x, width), list_of(by.tokens), rows_of<float>(rows, width)},
           static_cast<index_t>(by.tokens.size()));
    CHECK(rows == file.all(name + ".rows"));
    for (float& value : rows) value *= 2;
    launch(kernel::unpermute<float>{rows_of(std::as_const(rows), width), slots_of(by.places, k), slots_of(weights, k),
                                    rows_of<float>(sums, width)},
           file.height(name + ".hidden"));
    CHECK(apart(sums, file.all(name + ".combined")) < bound);
  }
}

TEST_CASE("torchtitan: rows that arrive by rank are sorted by expert") {
  stored const file{"peers/torchtitan.safetensors"};
  for (std::string const rank : {"0", "1", "2"}) {
    std::string const name = "exchange.rank" + rank;
    index_t const ranks = file.height(name + ".counts"), local = file.width(name + ".counts");
    index_t const width = file.width(name + ".received");
    std::vector<index_t> size = file.all<index_t>(name + ".counts"), from, to(size.size());
    std::exclusive_scan(size.begin(), size.end(), std::back_inserter(from), index_t{0});
    std::vector<index_t> per_expert;
    index_t place = 0;
    for (index_t e = 0; e < local; ++e) {
      index_t const begin = place;
      for (index_t r = 0; r < ranks; ++r) {
        auto const chunk = static_cast<std::size_t>(r * local + e);
        to[chunk] = place;
        place += size[chunk];
      }
      per_expert.push_back(place - begin);
    }
    floats const received = file.all(name + ".received");
    floats sorted(received.size());
    launch(kernel::chunk_sort<float>{rows_of(received, width), list_of(from), list_of(to), list_of(size),
                                     rows_of<float>(sorted, width)},
           ranks * local);
    CHECK(sorted == file.all(name + ".rows"));
    std::vector<std::int64_t> order(static_cast<std::size_t>(place));
    for (std::size_t chunk = 0; chunk < size.size(); ++chunk) {
      for (index_t i = 0; i < size[chunk]; ++i) order[static_cast<std::size_t>(to[chunk] + i)] = from[chunk] + i;
    }
    CHECK(order == file.all<std::int64_t>(name + ".order"));
    CHECK(per_expert == file.all<index_t>(name + ".rows_per_expert"));
  }
}

TEST_CASE("both: the bias of experts moves by what they had to do") {
  for (auto const& [path, rule] : {std::pair{"peers/megatron.safetensors", kernel::bias_rule::megatron},
                                   {"peers/torchtitan.safetensors", kernel::bias_rule::torchtitan}}) {
    stored const file{path};
    floats bias = file.all("bias_update.expert_bias");
    floats const counts = file.all("bias_update.counts");
    kernel::update_expert_bias(std::span{bias}, std::span{counts},
                               file.config("config.bias_update").at("bias_update_rate").get<double>(), rule);
    CHECK_MESSAGE(apart(bias, file.all("bias_update.updated")) < bound * 0.1, path);
  }
}

TEST_CASE("every tensor of peers/ is read") {
  for (std::string const path : {"peers/megatron.safetensors", "peers/torchtitan.safetensors"})
    CHECK_MESSAGE(stored{path}.unread() == "", path);
}
