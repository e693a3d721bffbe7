// SPDX-License-Identifier: Apache-2.0
#include <heddle/kernel/capacity.hpp>

#include <cmath>
#include <doctest/doctest.h>
#include <limits>

#include "router_oracle.hpp"
#include "sample.hpp"

using namespace heddle;
using kernel::drop_by;
using list = std::vector<std::int32_t>;

namespace {

/// The (token, slot) pairs of ids [T, K] by expert, then token.
struct order {
  list token, slot;
  std::vector<index_t> begins{0};
};
order order_of(list const& ids, index_t k, index_t experts) {
  order o;
  for (index_t e = 0; e < experts; ++e) {
    for (std::size_t i = 0; i < ids.size(); ++i) {
      if (ids[i] != e) continue;
      o.token.push_back(static_cast<std::int32_t>(static_cast<index_t>(i) / k));
      o.slot.push_back(static_cast<std::int32_t>(static_cast<index_t>(i) % k));
    }
    o.begins.push_back(static_cast<index_t>(o.token.size()));
  }
  return o;
}

template <class Weight>
struct outcome {
  list ids;
  std::vector<Weight> weights;
  std::vector<index_t> kept, dropped;
};

template <drop_by By, class Weight>
outcome<Weight> after_drop(list const& ids, std::vector<Weight> const& weights, index_t k, index_t experts,
                           index_t capacity, int lanes) {
  auto const count = static_cast<index_t>(ids.size()) / k;
  outcome<Weight> out{ids, weights, std::vector<index_t>(static_cast<std::size_t>(experts), -7), {}};
  out.dropped = out.kept;
  order o = order_of(ids, k, experts);
  sample::launch(kernel::drop<By, host_memory, Weight>{.row_to_token = sample::list_of(o.token),
                                                       .row_to_slot = sample::list_of(o.slot),
                                                       .begins = sample::list_of(o.begins),
                                                       .capacity = capacity,
                                                       .ids = sample::slots_of(out.ids, count, k),
                                                       .weights = sample::slots_of(out.weights, count, k),
                                                       .kept = sample::list_of(out.kept),
                                                       .dropped = sample::list_of(out.dropped)},
                 experts, lanes);
  return out;
}

/// One expert at a time: its choices sorted by what counts, the first `capacity` stay.
template <drop_by By, class Weight>
void check(list const& ids, std::vector<Weight> const& weights, index_t k, index_t experts, index_t capacity,
           int lanes) {
  auto const got = after_drop<By>(ids, weights, k, experts, capacity, lanes);
  list expected_ids = ids;
  std::vector<Weight> expected_weights = weights;
  for (index_t e = 0; e < experts; ++e) {
    std::vector<std::size_t> places;
    oracle::row worth;
    for (std::size_t i = 0; i < ids.size(); ++i) {
      if (ids[i] != e) continue;
      places.push_back(i);
      worth.push_back(By == drop_by::probability ? static_cast<double>(weights[i]) : -static_cast<double>(i));
    }
    oracle::choice const ranked = oracle::order(worth);
    auto const room = std::min(ranked.size(), static_cast<std::size_t>(capacity));
    for (std::size_t r = room; r < ranked.size(); ++r) {
      expected_ids[places[static_cast<std::size_t>(ranked[r])]] = -1;
      expected_weights[places[static_cast<std::size_t>(ranked[r])]] = 0;
    }
    CHECK(got.kept[static_cast<std::size_t>(e)] == static_cast<index_t>(room));
    CHECK(got.dropped[static_cast<std::size_t>(e)] == static_cast<index_t>(ranked.size() - room));
  }
  CHECK(got.ids == expected_ids);
  CHECK(got.weights == expected_weights);
}

template <class Weight>
void check_all() {
  index_t const experts = 5, k = 2;
  for (index_t count : {0, 1, 13, 40}) {
    list ids;
    for (index_t t = 0; t < count; ++t) {  // expert 0 is chosen by nearly all, 3 by nobody; every seventh is padding
      auto const second = static_cast<std::int32_t>(std::vector<int>{1, 2, 4}[static_cast<std::size_t>(t % 3)]);
      ids.push_back(t % 7 == 3 ? -1 : t % 5 == 1 ? second : 0);
      ids.push_back(t % 7 == 3 ? -1 : t % 5 == 1 ? 0 : second);
    }
    auto weights = sample::numbers<Weight>(count * k, 3);
    for (int lanes : {0, 3}) {
      for (bool ties : {false, true}) {
        for (Weight& weight : weights) weight = ties ? std::round(weight * 2) / 2 : weight;
        for (index_t capacity : {0, 1, 4, 12, 1000}) {
          check<drop_by::probability>(ids, weights, k, experts, capacity, lanes);
          check<drop_by::position>(ids, weights, k, experts, capacity, lanes);
        }
      }
      weights = sample::numbers<Weight>(count * k, 3);
    }
  }
}

}  // namespace

TEST_CASE_TEMPLATE("drop: by probability and by position against a sort, ties by token", Weight, float, double) {
  check_all<Weight>();
}

TEST_CASE("drop: a NaN goes first, survivors are not renormalised") {
  float const nan = std::nanf("");
  auto const got = after_drop<drop_by::probability, float>({0, 0, 0, 0}, {nan, 0.5F, 0.25F, 0.5F}, 1, 1, 2, 0);
  CHECK(got.ids == list{-1, 0, -1, 0});
  CHECK(got.weights == std::vector<float>{0, 0.5F, 0, 0.5F});
}

TEST_CASE("expert_capacity: ceil(((n K) / E) factor) in double, the minimum, and factors that cannot be") {
  CHECK(kernel::expert_capacity(10, 2, 4, 1.0) == 5);
  CHECK(kernel::expert_capacity(10, 2, 4, 1.01) == 6);
  CHECK(kernel::expert_capacity(7, 2, 3, 1.5) == 7);
  CHECK(kernel::expert_capacity(1, 1, 3, 3.0) == 1);
  CHECK(kernel::expert_capacity(9, 1, 10, 10.0 / 9) == static_cast<index_t>(std::ceil(9.0 / 10.0 * (10.0 / 9))));
  CHECK(kernel::expert_capacity(4, 2, 8, 4.5) == 5);  // more than there are tokens
  CHECK(kernel::expert_capacity(0, 2, 4, 2.0) == 0);
  CHECK(kernel::expert_capacity(10, 2, 4, 1.0, 0x7fffffff) == 0x7fffffff);
  CHECK_THROWS_AS(static_cast<void>(kernel::expert_capacity(10, 2, 4, 1.0, index_t{1} << 31)), error);
  CHECK_THROWS_AS(static_cast<void>(kernel::expert_capacity(10, 2, 4, 1.0, index_t{1} << 61)), error);
  CHECK(kernel::expert_capacity(0, 2, 4, 2.0, 4) == 4);
  CHECK(kernel::expert_capacity(100, 2, 4, 2.0, 4) == 100);
  for (double factor :
       {0.0, -1.0, std::numeric_limits<double>::quiet_NaN(), std::numeric_limits<double>::infinity(), 1e12}) {
    CHECK_THROWS_AS(static_cast<void>(kernel::expert_capacity(10, 2, 4, factor)), error);
  }
}
