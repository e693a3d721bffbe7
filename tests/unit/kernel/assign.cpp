// SPDX-License-Identifier: Apache-2.0
#include <heddle/kernel/assign.hpp>

#include <algorithm>
#include <doctest/doctest.h>
#include <map>
#include <memory>
#include <set>
#include <string>

#include "sample.hpp"

using namespace heddle;

namespace {

using list = std::vector<std::int32_t>;

/// ids of `count` tokens from `first` on; the token numbered 5 is padding where wanted.
template <class Kernel>
list dealt(Kernel kernel, index_t count, index_t k, index_t first, int lanes, bool padded = false) {
  list ids(static_cast<std::size_t>(count * k), 99);
  std::vector<char> padding(static_cast<std::size_t>(count + 1));
  for (index_t t = 0; t < count; ++t) padding[static_cast<std::size_t>(t)] = padded && first + t == 5;
  kernel.ids = sample::slots_of(ids, count, k);
  kernel.first_token = first;
  kernel.padding = {reinterpret_cast<bool const*>(padding.data()), extents<tokens>{count}};
  kernel.check();
  sample::launch(kernel, count, lanes);
  return ids;
}

/// The same tokens, dealt by ranks that hold 0, 4, 1 and the rest of them.
template <class Kernel>
void check_ranks(Kernel const& kernel, index_t k) {
  for (int lanes : {0, 3}) {
    list const whole = dealt(kernel, 11, k, 0, lanes, true);
    list parts;
    index_t first = 0;
    for (index_t count : {0, 4, 1, 6}) {
      list const part = dealt(kernel, count, k, first, lanes, true);
      parts.insert(parts.end(), part.begin(), part.end());
      first += count;
    }
    CHECK(parts == whole);
    for (index_t slot = 0; slot < k; ++slot) CHECK(whole[static_cast<std::size_t>(5 * k + slot)] == -1);
  }
}

}  // namespace

TEST_CASE("deal_round_robin: (n K + k) mod E, whoever holds token n") {
  CHECK(dealt(kernel::deal_round_robin<>{.ids = {}, .experts = 5}, 4, 3, 2, 0) ==
        list{1, 2, 3, 4, 0, 1, 2, 3, 4, 0, 1, 2});
  CHECK(dealt(kernel::deal_round_robin<>{.ids = {}, .experts = 1}, 2, 1, 0, 3) == list{0, 0});
  check_ranks(kernel::deal_round_robin<>{.ids = {}, .experts = 7}, 3);
  check_ranks(kernel::deal_round_robin<>{.ids = {}, .experts = 4}, 4);
  list const even = dealt(kernel::deal_round_robin<>{.ids = {}, .experts = 6}, 600, 4, 0, 0);
  for (std::int32_t e = 0; e < 6; ++e) CHECK(std::count(even.begin(), even.end(), e) == 400);
}

TEST_CASE("deal_randomly: distinct, even, by seed and token") {
  kernel::deal_randomly<> const kernel{.ids = {}, .experts = 5, .seed = 7};
  check_ranks(kernel, 2);
  check_ranks(kernel, 5);
  list const ids = dealt(kernel, 4000, 2, 0, 0);
  std::map<std::pair<std::int32_t, std::int32_t>, int> pairs;
  for (std::size_t t = 0; t < 4000; ++t) {
    CHECK_UNARY(ids[2 * t] != ids[2 * t + 1]);
    ++pairs[{ids[2 * t], ids[2 * t + 1]}];
  }
  CHECK(pairs.size() == 20);  // each ordered pair about 200 times
  for (auto const& [pair, times] : pairs) CHECK_UNARY(times > 140 && times < 260);
  kernel::deal_randomly<> other = kernel;
  other.seed = 8;
  CHECK(dealt(other, 4000, 2, 0, 0) != ids);
}

TEST_CASE("deal: a k that cannot be is refused") {
  list ids(6);
  CHECK_THROWS_AS((kernel::deal_round_robin<>{.ids = sample::slots_of(ids, 2, 3), .experts = 2}.check()), error);
  CHECK_THROWS_AS((kernel::deal_randomly<>{.ids = sample::slots_of(ids, 2, 3), .experts = 2}.check()), error);
}

TEST_CASE("deal_recorded: the recording, nobody for padding, and what is no recording is refused") {
  list recorded{2, 0, -1, 1, 1, 2};
  list ids(6, 99);
  auto const padding = std::make_unique<bool[]>(3);  // by new: a GPU reads it too
  padding[2] = true;
  kernel::deal_recorded<> kernel{.ids = sample::slots_of(ids, 3, 2),
                                 .recorded = sample::slots_of(recorded, 3, 2),
                                 .padding = {padding.get(), extents<tokens>{3}}};
  kernel.check(3);
  for (int lanes : {0, 3}) {
    sample::launch(kernel, 3, lanes);
    CHECK(ids == list{2, 0, -1, 1, -1, -1});
  }
  auto const refusal = [&](index_t experts) -> std::string {
    try {
      kernel.check(experts);
    } catch (error const& failure) {
      return failure.what();
    }
    return "";
  };
  CHECK(refusal(2).find("choice 0 of token 0 is expert 2 of 2") != std::string::npos);
  recorded = {0, 1, 2, 2, 0, 1};
  CHECK(refusal(3).find("choice 1 of token 1 is expert 2 again") != std::string::npos);
  recorded = {-1, -1, 0, -2, 0, 1};
  CHECK(refusal(3).find("is expert -2") != std::string::npos);
  kernel.recorded = sample::slots_of(recorded, 2, 3);
  CHECK(refusal(3).find("[2, 3] for routing [3, 2]") != std::string::npos);
}
