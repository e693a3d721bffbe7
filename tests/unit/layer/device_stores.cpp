// SPDX-License-Identifier: Apache-2.0
// Ranks are threads, and their device is memory of the host whose kernels run at once: what kernels store and bring
// home is what the host's own way gives, to the bit.
#include <heddle/layer/device_stores.hpp>

#include "eager_device.hpp"
#include "routed.hpp"

#include <doctest/doctest.h>
#include <heddle/layer/run_direct.hpp>
#include <heddle/layer/run_permute.hpp>
#include <heddle/layer/run_send_tokens.hpp>

using namespace heddle;
using namespace numbers;

using both = joint<etp, ep>;

namespace {

/// What a rank has of a dispatch there and back.
struct moved {
  list received, weights, home, home_weights, y;
  std::vector<index_t> rows, dropped;
  overflow found;
};

template <class View>
list first_of(View const& view, index_t count) {
  return {view.data(), view.data() + std::min(count, view.count())};
}
bool all_zero(list const& values, index_t from) {
  bool zero = true;
  for (auto i = static_cast<std::size_t>(from); i < values.size(); ++i) zero = zero && values[i] == 0;
  return zero;
}

struct setting {
  index_t most_tokens = -1, room = -1;
};

/// Tokens of `width` numbers through permute, There, a change of every row that depends on the rank, and back.
template <class There, class Sort, class Execution>
moved there_and_back(Execution& execution, std::vector<std::int32_t> const& ids, index_t k, index_t experts_in_all,
                     index_t width, int rank, int part, setting const& of) {
  using memory = typename Execution::memory;
  auto const height = static_cast<index_t>(ids.size()) / k;
  step_state<memory> state;
  std::tuple<> const none;
  frame step{execution, none, state};
  state.inputs.most_tokens = of.most_tokens;
  state.inputs.room = of.room;
  step.routing.begin({ids.data(), extents<tokens, slots>{height, k}}, experts_in_all);
  list x, w;
  for (index_t i = 0; i < height * width; ++i) x.push_back(static_cast<float>(1000 * rank + i) / 3);
  for (index_t i = 0; i < height * k; ++i) w.push_back(static_cast<float>(rank + 1) / static_cast<float>(i + 2));
  activation<float const, memory> const given{{x.data(), {height, width}}, width};
  gates<memory> const scales{{w.data(), {height, k}}};
  auto const copies = run(Sort{}, step, given);
  auto const gates_of_rows = run(Sort{}, step, scales);
  auto const there = run(There{}, step, copies);
  auto const gates_there = run(There{}, step, gates_of_rows);
  index_t rows_there = 0;
  moved result;
  if constexpr (std::same_as<memory, host_memory>) {
    result.found = state.report.overflow;
    result.rows.assign(step.routing.expert_rows.begin(), step.routing.expert_rows.end());
    result.dropped = read(result.found.dropped);
  } else {
    auto const visible = step.routing.expert_rows.visible();
    result.rows.assign(visible.data(), visible.data() + visible.count());
    auto const* const found = state.report.overflow_found.data();
    result.found = {.needed = found[0], .room = found[1], .rank = static_cast<int>(found[2]), .expert = found[3]};
    if (found[0] > found[1]) result.dropped.assign(found + 4, found + state.report.overflow_found.count());
    auto const begins = step.routing.expert_rows.begins();
    for (std::size_t e = 0; e <= result.rows.size(); ++e) {
      CHECK(begins(static_cast<index_t>(e)) == rows_there);
      if (e < result.rows.size()) rows_there += result.rows[e];
    }
    rows_there = 0;
  }
  for (index_t const count : result.rows) rows_there += count;
  result.received = first_of(there.data, rows_there * width);
  result.weights = first_of(gates_there.weights, rows_there);
  CHECK(all_zero(first_of(there.data, there.data.count()), rows_there * width));
  CHECK(all_zero(first_of(gates_there.weights, gates_there.weights.count()), rows_there));
  for (index_t i = 0; i < rows_there * width; ++i) there.data.data()[i] *= 1.25F + static_cast<float>(part);
  auto const back = run(typename There::conjugate{}, step, there);
  auto const weights_back = run(typename There::conjugate{}, step, gates_there);
  index_t pairs = 0;
  for (std::int32_t const id : ids) pairs += id >= 0;
  result.home = first_of(back.data, pairs * width);
  result.home_weights = first_of(weights_back.weights, pairs);
  CHECK(all_zero(first_of(back.data, back.data.count()), pairs * width));
  result.y = first_of(run(typename Sort::conjugate{}, step, back).data, height * width);
  return result;
}

std::vector<std::int32_t> some_ids(int rank, index_t height, index_t k, index_t experts_in_all) {
  std::vector<std::int32_t> ids;
  std::uint32_t state = 77U + static_cast<std::uint32_t>(rank);
  for (index_t t = 0; t < height; ++t) {
    state = state * 1664525U + 1013904223U;
    auto const first = static_cast<index_t>((state >> 10) % static_cast<std::uint32_t>(experts_in_all));
    for (index_t s = 0; s < k; ++s)  // distinct, some none
      ids.push_back((t + s) % 7 == 6 ? -1 : static_cast<std::int32_t>((first + 2 * s) % experts_in_all));
  }
  return ids;
}

template <class There, class Sort = permute<ep>>
void compare(mesh<etp, ep> const& grid, index_t room = -1) {
  CAPTURE(grid.world());
  CAPTURE(room);
  support::on_ranks<etp, ep, both>(grid, 1, [&](auto& tools) {
    int const part = tools.groups.template get<etp>().rank();
    index_t const height = tools.rank == 1 ? 0 : 9 + tools.rank;
    for (index_t const all : {5, 3}) {
      auto const ids = some_ids(tools.rank, height, 2, all);
      eager_device device{tools.groups};
      setting const of{.most_tokens = -1, .room = room};
      auto const host = there_and_back<There, Sort>(tools.execution, ids, 2, all, 3, tools.rank, part, of);
      auto const got = there_and_back<There, Sort>(device, ids, 2, all, 3, tools.rank, part, of);
      CHECK(got.rows == host.rows);
      CHECK(got.received == host.received);
      CHECK(got.weights == host.weights);
      CHECK(got.home == host.home);
      CHECK(got.home_weights == host.home_weights);
      CHECK(got.y == host.y);
      CHECK(got.dropped == host.dropped);
      CHECK(got.found.needed == host.found.needed);
      CHECK(got.found.room == host.found.room);
      CHECK(got.found.rank == host.found.rank);
      CHECK(got.found.expert == host.found.expert);
      CHECK(device.fetches == 0);
    }
  });
}

template <int Rows, on_overflow Overflow = on_overflow::error>
using plain = direct_send<ep, etp, Overflow, sharded<tokens, as_given>, Rows>;

}  // namespace

TEST_CASE("kernels store what the host stores: rows, weights, gaps, and what comes home from every part") {
  for (auto const& [inner, outer] : {std::pair{1, 1}, {1, 2}, {2, 1}, {2, 2}, {1, 3}, {3, 2}}) {
    compare<plain<1>>(mesh<etp, ep>{inner, outer});
    compare<plain<4>>(mesh<etp, ep>{inner, outer});
  }
}

TEST_CASE("kernels store copies for every rank of a tensor group") {
  using there = direct_send<ep, etp, on_overflow::report, bucketed>;
  for (auto const& [inner, outer] : {std::pair{1, 2}, {2, 1}, {2, 2}})
    compare<there, permute<both>>(mesh<etp, ep>{inner, outer});
}

TEST_CASE("kernels leave out what has no room, and say so as a value that nobody waits for") {
  for (index_t const room : {0, 2, 5, 9, 13, 100}) {
    compare<plain<1, on_overflow::report>>(mesh<etp, ep>{1, 2}, room);
    compare<plain<4, on_overflow::report>>(mesh<etp, ep>{2, 2}, room);
    compare<direct_send<ep, etp, on_overflow::report, bucketed>, permute<both>>(mesh<etp, ep>{2, 2}, room);
  }
}

TEST_CASE("less room than rows, refused: every rank asks once, and throws what the host throws; a capture cannot ask") {
  support::on_ranks<etp, ep, both>(mesh<etp, ep>{1, 2}, 1, [](auto& tools) {
    std::vector<std::int32_t> const ids{3, 3, 2};  // experts 2 and 3 are rank 1's
    std::string host, got, captured;
    eager_device device{tools.groups};
    eager_device<std::remove_reference_t<decltype(tools.groups)>, true> recording{tools.groups};
    auto const text_of = [&](auto& execution) {
      try {
        there_and_back<plain<1>, permute<ep>>(execution, ids, 1, 4, 3, tools.rank, 0, {.room = 5});
      } catch (error const& problem) {
        return problem.text();
      }
      return std::string{"nothing"};
    };
    host = text_of(tools.execution);
    CHECK(host.find("rank 1 of the expert group is to receive 6 rows and has room for 5: expert 3") == 0);
    CHECK(text_of(device) == host);
    CHECK(device.fetches == 1);
    CHECK(text_of(recording) == "a captured step has room for 5 rows and cannot throw where more come");
    there_and_back<plain<1>, permute<ep>>(recording, ids, 1, 4, 3, tools.rank, 0, {});
    there_and_back<plain<1>, permute<ep>>(device, ids, 1, 4, 3, tools.rank, 0, {.room = 6});
    CHECK(device.fetches == 2);
  });
}

namespace {

/// Tokens once a rank, to copies and back, and the gradient of their weights.
struct carried {
  list received, weights, copies, home, gradient;
  std::vector<std::int32_t> ids;
  overflow found;
};
template <class Execution>
carried carry_tokens(Execution& execution, std::vector<std::int32_t> const& ids, index_t k, index_t experts_in_all,
                     int rank, index_t room, index_t received) {
  using memory = typename Execution::memory;
  using there = direct_tokens<ep, etp, on_overflow::report>;
  using back = typename there::conjugate;
  auto const height = static_cast<index_t>(ids.size()) / k;
  step_state<memory> state;
  std::tuple<> const none;
  frame step{execution, none, state};
  state.inputs.room = room;
  step.routing.begin({ids.data(), extents<tokens, slots>{height, k}}, experts_in_all);
  list x, w;
  for (index_t i = 0; i < height * 3; ++i) x.push_back(static_cast<float>(1000 * rank + i) / 3);
  for (index_t i = 0; i < height * k; ++i) w.push_back(static_cast<float>(rank + 1) / static_cast<float>(i + 2));
  activation<float const, memory> const given{{x.data(), {height, 3}}, 3};
  gates<memory> const scales{{w.data(), {height, k}}};
  auto const rows = run(there{}, step, given);
  auto const weights = run(there{}, step, scales);
  carried result;
  if (received < 0) received = rows.data.shape()[0];
  result.received = first_of(rows.data, received * 3);
  result.weights = first_of(weights.weights, received * k);
  CHECK(all_zero(first_of(rows.data, rows.data.count()), received * 3));
  auto const arrived = step.routing.ids;
  result.ids.assign(arrived.data(), arrived.data() + received * k);
  for (index_t i = received * k; i < arrived.count(); ++i) CHECK(arrived.data()[i] == -1);
  auto const copies = run(expand<ep>{}, step, rows);
  index_t used = 0;
  for (index_t r = 0; r < step.routing.row_to_token.count(); ++r) used += step.routing.row_to_token(r) >= 0;
  result.copies = first_of(copies.data, used * 3);
  for (index_t i = 0; i < used * 3; ++i) copies.data.data()[i] *= 1.25F + static_cast<float>(rank % 2);
  auto const sums = run(collapse<ep>{}, step, copies);
  auto const home = run(back{}, step, sums);
  result.home = first_of(home.data, height * 3);
  auto const of_copies = run(collapse<ep>{}, step, run(expand<ep>{}, step, weights));
  auto const gradient = run(back{}, step, of_copies);
  result.gradient = first_of(gradient.weights, height * k);
  if constexpr (std::same_as<memory, host_memory>) {
    result.found = state.report.overflow;
  } else {
    auto const* const found = state.report.overflow_found.data();
    result.found = {.needed = found[0], .room = found[1], .rank = static_cast<int>(found[2]), .expert = found[3]};
  }
  return result;
}

}  // namespace

TEST_CASE(
    "kernels store tokens once a rank, with their choices, and bring sums home; no row is an expert's but theirs") {
  for (auto const& [inner, outer] : {std::pair{1, 1}, {1, 2}, {2, 2}, {1, 3}}) {
    for (index_t const room : {-1, 4, 0}) {
      CAPTURE(inner * outer);
      CAPTURE(room);
      support::on_ranks<etp, ep, both>(mesh<etp, ep>{inner, outer}, 1, [&](auto& tools) {
        index_t const height = tools.rank == 1 ? 0 : 7 + tools.rank;
        auto const ids = some_ids(tools.rank, height, 3, 5);
        eager_device device{tools.groups};
        auto const host = carry_tokens(tools.execution, ids, 3, 5, tools.rank, room, -1);
        auto const got =
            carry_tokens(device, ids, 3, 5, tools.rank, room, static_cast<index_t>(host.received.size()) / 3);
        CHECK(got.received == host.received);
        CHECK(got.weights == host.weights);
        CHECK(got.ids == host.ids);
        CHECK(got.copies == host.copies);
        CHECK(got.home == host.home);
        CHECK(got.gradient == host.gradient);
        CHECK(got.found.needed == host.found.needed);
        CHECK(got.found.rank == host.found.rank);
        CHECK(got.found.expert == host.found.expert);
        CHECK(device.fetches == 0);
      });
    }
  }
}
