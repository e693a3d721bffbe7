// SPDX-License-Identifier: Apache-2.0
// Every compiled policy on every layout of 1, 2, 3, 4, 6 and 8 ranks against the oracle: outputs, counts, losses and
// all gradients. By default the part in which they meet in pairs; HEDDLE_TRAIN_PRODUCT=whole takes every dispatcher
// with every expert, and every rule with every loss and drop, on each. HEDDLE_TRAIN_FIRST and HEDDLE_TRAIN_MEMBERS
// choose some of the list.
#include "../support/train_product.hpp"

#include <array>
#include <cstdlib>
#include <doctest/doctest.h>
#include <set>

using train::combination;
using train::member;

namespace {

bool is_whole() {
  char const* const text = std::getenv("HEDDLE_TRAIN_PRODUCT");
  return text != nullptr && std::string{text} == "whole";
}
std::size_t number_in(char const* variable, std::size_t otherwise) {
  char const* const text = std::getenv(variable);
  return text == nullptr ? otherwise : std::strtoull(text, nullptr, 10);
}

/// What is wrong with tuple `number` of a list, and how to see it again; empty where nothing is.
std::string judged(std::vector<combination> const& all, std::size_t number) {
  member const of = train::product_step{all[number]}.result();
  std::string const wrong = train::difference(train::run(of), train::expected(of), of.wide ? 1e-10 : 2e-5);
  if (wrong.empty()) return wrong;
  return wrong + "\n  of " + of.text() + "\n  again: HEDDLE_TRAIN_PRODUCT=" + (is_whole() ? "whole" : "part") +
         " HEDDLE_TRAIN_FIRST=" + std::to_string(number) +
         " HEDDLE_TRAIN_MEMBERS=1 test_property_train --source-file=*/train_product.cpp";
}

/// Sets of numbers of which any may be left out by -1: what a list has met, by the steps and not by what they are
/// made from.
class meetings {
 public:
  void add(member const& of) {
    oracle::settings const& is = of.layer.is;
    train::expert_member const expert = of.is();
    int const on = (of.ranks * 10 + of.ep) * 10 + of.etp;
    int const wide = of.wide ? 1 : 0;
    int const at = static_cast<int>(expert.at);
    int const mode = static_cast<int>(expert.mode);
    int const order = is.post ? 2 : is.normalize ? 1 : 0;
    int const router = (static_cast<int>(is.score) * 3 + order) * 4 + (is.groups == 1 ? 0 : 1 + groups_of(is));
    int const loss = is.aux_loss_coeff ? 1 + static_cast<int>(is.aux_loss) : 0;
    int const drop = is.capacity_factor ? 1 + (is.by_position ? 2 : 0) + (is.pad_to_capacity ? 1 : 0) : 0;
    layouts.insert({on});
    dense.insert({on, of.dense ? of.tp : 0});
    transports.insert({on, wide, of.dispatcher});
    modes.insert({on, of.dispatcher, at, mode});
    experts.insert({on, wide, of.expert});
    carried.insert({on, wide, of.dispatcher, of.expert});
    routers.insert({on, router});
    if (loss > 0) losses.insert({on, static_cast<int>(is.score), loss});
    drops.insert({on, drop});
    if (of.layer.find("shared.down_proj") != nullptr) shared.insert({on, expert.family});
    if (!of.everywhere()) {
      router_loss.insert({on, router, loss});
      loss_drop.insert({on, loss, drop});
      rules.insert({on, wide, router, loss, drop});
    }
    router_drop.insert({on, router, drop});
  }
  static int groups_of(oracle::settings const& is) { return static_cast<int>(is.group_score); }

  using met = std::set<std::vector<int>>;
  met layouts, dense, transports, modes, experts, carried, routers, losses, drops, shared, router_loss, router_drop,
      loss_drop, rules;
};

meetings met_by(std::vector<combination> const& all) {
  meetings found;
  for (combination const& each : all) found.add(train::product_step{each}.result());
  return found;
}

}  // namespace

TEST_CASE("every policy on every layout of the ranks is the oracle's") {
  std::vector<combination> const all = is_whole() ? train::whole_product() : train::covering_part();
  std::size_t const first = std::min(number_in("HEDDLE_TRAIN_FIRST", 0), all.size());
  std::size_t const count = std::min(number_in("HEDDLE_TRAIN_MEMBERS", all.size()), all.size() - first);
  for (std::size_t number = first; number < first + count; ++number) CHECK(judged(all, number) == "");
}

TEST_CASE("what is taken by default has every policy on every layout") {
  meetings const found = met_by(train::covering_part());
  std::size_t const layouts = 1 + 3 + 3 + 6 + 9 + 10;                        // of 1, 2, 3, 4, 6 and 8 ranks
  std::size_t const dense = 1 * 1 + 2 * 3 + 2 * 3 + 3 * 6 + 4 * 9 + 4 * 10;  // and of the grid that tokens come from
  std::size_t const routers = 4 * 7, losses = 3 * 3, drops = 1 + 4;
  CHECK(found.layouts.size() == layouts);
  CHECK(found.dense.size() == layouts + dense);
  CHECK(found.transports.size() == layouts * 2 * train::dispatchers);
  CHECK(found.modes.size() == layouts * train::dispatchers * 4 * 4);
  CHECK(found.experts.size() == layouts * 2 * train::experts_compiled);
  CHECK(found.routers.size() == layouts * routers);
  CHECK(found.losses.size() == layouts * losses);
  CHECK(found.drops.size() == layouts * drops);
  CHECK(found.shared.size() == layouts * train::families);
  CHECK(found.router_loss.size() == layouts * routers * (1 + 3));
  CHECK(found.router_drop.size() == layouts * routers * drops);
  CHECK(found.loss_drop.size() == layouts * (1 + 3) * drops);
}

TEST_CASE("the whole product has every dispatcher with every expert, and every rule with every loss and drop" *
          doctest::skip(!is_whole())) {
  meetings const found = met_by(train::whole_product());
  std::size_t const layouts = train::layouts().size();
  CHECK(found.carried.size() == layouts * 2 * train::dispatchers * train::experts_compiled);
  CHECK(found.rules.size() == layouts * 2 * 28 * 4 * 5);
  CHECK(found.dense.size() == 32 + 107);
}
