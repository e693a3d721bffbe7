// SPDX-License-Identifier: Apache-2.0
// The adjoint property of one sequence on some ranks: <A x, y> == <x, A* y> in integers, which doubles hold, so that
// nothing is near: it is equal or wrong. Values are made for their placements: ranks that hold one value hold the same
// numbers, all others different ones, and an inner product counts a value that ranks share once.
#pragma once

#include "ranks.hpp"
#include "tensors.hpp"

#include <deque>
#include <heddle/layer/walk_back.hpp>
#include <limits>
#include <map>

namespace support {

/// How the ranks of a grid hold a value placed so. Groups that are not named hold values of their own.
template <class Placement>
struct held;
template <class... Entries>
struct held<heddle::placement<Entries...>> {
  /// A number that is the same on two ranks where they hold the same value.
  template <class Grid>
  static int number(Grid const& grid, int rank) {
    return rank - (0 + ... + (alike<Entries> ? offset<typename Entries::group>(grid, rank) : 0));
  }
  /// Whether the rank's part of an inner product counts: of ranks that hold one replicated value, the first.
  template <class Grid>
  static bool counts([[maybe_unused]] Grid const& grid, [[maybe_unused]] int rank) {
    return (true && ... && (!once<Entries> || grid.template coordinate<typename Entries::group>(rank) == 0));
  }

 private:
  template <class Entry>
  static constexpr bool once = Entry::state::kind == heddle::state_kind::replicated;
  template <class Entry>
  static constexpr bool alike = once<Entry> || Entry::state::kind == heddle::state_kind::varying;
  template <class Group, class Grid>
  static int offset(Grid const& grid, int rank) {
    if constexpr (requires { grid.dense(); }) {
      if constexpr (std::remove_cvref_t<decltype(grid.dense())>::template has<Group>)
        return offset<Group>(grid.dense(), rank);
      else return offset<Group>(grid.expert(), rank);
    } else {
      return grid.template coordinate<Group>(rank) * grid.template stride<Group>();
    }
  }
};

/// What all ranks found: the two inner products, and disagreements of ranks that should hold one value.
struct adjoint_sums {
  double forward = 0, backward = 0;
  std::string problem{};
  std::mutex mutex{};
  std::map<std::pair<int, int>, std::vector<double>> shared{};

  /// `of` is the number that ranks with this value have; `port` tells values of one rank apart.
  void compare(int port, int of, std::vector<double> const& value) {
    std::lock_guard const lock{mutex};
    auto const [found, first] = shared.try_emplace({port, of}, value);
    if (!first && found->second != value) problem = "ranks that should hold one value hold different ones";
  }
};

/// One rank's side of the check.
template <class Frame, class Grid>
class adjoint_rank {
 public:
  using routing_inputs = decltype(heddle::step_state<>::inputs);
  adjoint_rank(Frame& step, routing_inputs& of_step, Grid const& grid, int number, adjoint_sums& sums, double unit)
      : frame{step}, step_inputs{of_step}, rank{number}, grid_{grid}, sums_{sums}, unit_{unit} {}

  /// Integers for a value that lies so: at most 256 a rank, all different, in no order.
  template <class Placement>
  std::vector<double> const& integers(index_t count, int offset = 0) {
    if (count > 256) throw std::runtime_error("256 numbers a value");
    std::vector<double>& list = numbers_.emplace_back();
    int const first = 256 * (held<Placement>::number(grid_, rank) + offset);
    for (int i = 0; i < static_cast<int>(count); ++i) list.push_back(unit_ * ((first + i) * 1291 % 4099 - 2048));
    return list;
  }
  /// Rows that lie so.
  template <class Placement>
  heddle::activation<double const> rows(index_t height, index_t width, index_t full = -1) {
    return {rows_of(integers<Placement>(height * width), height, width), full < 0 ? width : full};
  }
  template <class Placement>
  heddle::row_gates<heddle::host_memory, double> row_weights(index_t height) {
    return {{integers<Placement>(height).data(), heddle::extents<heddle::tokens>{height}}};
  }
  /// Routing weights of the ids that the step has.
  template <class Placement>
  heddle::gates<heddle::host_memory, double> weights() {
    auto const shape = frame.routing.ids.shape();
    return {{integers<Placement>(shape.count()).data(), shape}, frame.routing.ids};
  }
  /// Numbers drawn for this rank alone: experts, counts.
  std::vector<std::int32_t> const& ids(index_t tokens, index_t slots, index_t experts, std::uint64_t seed) {
    generator next{seed};
    std::vector<std::int32_t>& list = ids_.emplace_back();
    for (index_t t = 0; t < tokens; ++t) {
      auto const first = static_cast<index_t>(next() % static_cast<std::uint64_t>(experts));
      for (index_t k = 0; k < slots; ++k)  // some choices are dropped
        list.push_back(next() % 7 == 0 ? -1 : static_cast<std::int32_t>((first + k * k + k) % experts));
    }
    frame.routing.begin({list.data(), {tokens, slots}}, experts);
    return list;
  }

  /// Adds what this rank has of both inner products of `Sequence`, whose inputs are `x`.
  template <class Sequence, class... Values>
  void check(Values const&... x) {
    using from = heddle::as_ports_t<typename Sequence::from>;
    using to = heddle::as_ports_t<typename Sequence::to>;
    std::tuple const inputs{heddle::borrow(x)...};
    auto const result = heddle::detail::walk<heddle::detail::training, Sequence>::through(frame, inputs);
    auto const y = copies(to{}, result.values);
    auto const dy = gradients(to{}, result.values);
    auto const given = copies(to{}, dy);  // the way back may write over it
    auto const back = heddle::detail::walk_back<Sequence>::through(frame, result.saved, dy).values;
    auto const dx = copies(heddle::dual_t<from>{}, back);
    add(to{}, sums_.forward, y, given);
    add(from{}, sums_.backward, copies(from{}, inputs), dx);
    compare(to{}, 16 * checks_, y);
    compare(heddle::dual_t<from>{}, 16 * checks_ + 8, dx);
    ++checks_;
  }

  Frame& frame;
  routing_inputs& step_inputs;
  int rank;

 private:
  using lists = std::vector<std::vector<double>>;

  static std::vector<double> read(heddle::activation<double const> x) {
    return {x.data.data(), x.data.data() + x.data.count()};
  }
  static std::vector<double> read(heddle::activation<double> x) { return read(heddle::borrow(x)); }
  template <class Gates>
  static std::vector<double> read(Gates x) {
    return {x.weights.data(), x.weights.data() + x.weights.count()};
  }
  template <class Placement>
  heddle::activation<double> gradient(heddle::activation<double> of, int port) {
    auto const& list = integers<heddle::dual_t<Placement>>(of.data.count(), 8 + 8 * port);
    auto const memory = frame.template scratch_rows<double>(of.data.template size<heddle::tokens>(),
                                                            of.data.template size<heddle::hidden>());
    for (std::size_t i = 0; i < list.size(); ++i) memory.data()[i] = list[i];
    return {memory, of.full_hidden};
  }
  template <class Placement>
  heddle::activation<double> gradient(heddle::activation<double const> of, int port) {
    auto const shape = of.data.shape();
    auto const same = frame.template scratch_rows<double>(shape[0], shape[1]);
    return gradient<Placement>(heddle::activation<double>{same, of.full_hidden}, port);
  }
  template <class Placement>
  heddle::gates<heddle::host_memory, double> gradient(heddle::gates<heddle::host_memory, double> of, int port) {
    auto const& list = integers<heddle::dual_t<Placement>>(of.weights.count(), 8 + 8 * port);
    return {{list.data(), of.weights.shape()}};
  }
  template <class Placement>
  heddle::row_gates<heddle::host_memory, double> gradient(heddle::row_gates<heddle::host_memory, double> of, int port) {
    auto const& list = integers<heddle::dual_t<Placement>>(of.weights.count(), 8 + 8 * port);
    return {{list.data(), of.weights.shape()}};
  }

  template <class... Placements, class... Values>
  auto gradients(heddle::ports<Placements...>, std::tuple<Values...> const& values) {
    return [&]<std::size_t... Port>(std::index_sequence<Port...>) {
      return std::tuple{gradient<Placements>(std::get<Port>(values), static_cast<int>(Port))...};
    }
    (std::index_sequence_for<Values...>{});
  }
  template <class... Placements, class... Values>
  static lists copies(heddle::ports<Placements...>, std::tuple<Values...> const& values) {
    return std::apply([](auto const&... value) { return lists{read(value)...}; }, values);
  }
  template <class... Placements>
  void add(heddle::ports<Placements...>, double& sum, lists const& a, lists const& b) {
    bool const count[] = {held<Placements>::counts(grid_, rank)...};
    std::lock_guard const lock{sums_.mutex};
    for (std::size_t port = 0; port < a.size(); ++port) {
      if (a[port].size() != b[port].size()) sum = std::numeric_limits<double>::quiet_NaN();
      for (std::size_t i = 0; count[port] && i < a[port].size() && i < b[port].size(); ++i)
        sum += a[port][i] * b[port][i];
    }
  }
  template <class... Placements>
  void compare(heddle::ports<Placements...>, int first, lists const& values) {
    int const of[] = {held<Placements>::number(grid_, rank)...};
    for (std::size_t port = 0; port < values.size(); ++port)
      sums_.compare(first + static_cast<int>(port), of[port], values[port]);
  }

  Grid const& grid_;
  adjoint_sums& sums_;
  double unit_;
  int checks_ = 0;
  std::deque<std::vector<double>> numbers_{};
  std::deque<std::vector<std::int32_t>> ids_{};
};

/// What else there is to say of a check.
struct adjoint_case {
  bool empty = false;  ///< both products may be zero
  double unit = 1;     ///< all numbers are multiples of it
  bool alike = true;   ///< ranks of a varying value hold the same numbers
  double degree = 1;   ///< a product of so many inputs meets each of them once: <A x, y> is counted as often
};

/// "" where the property holds for what `body(adjoint_rank&)` checks on every rank with `weights_of(rank).weights`.
template <class... Groups, class Grid, class Weights, class Body>
std::string try_adjoint(Grid const& grid, Weights const& weights_of, Body const& body, adjoint_case const& is = {}) {
  adjoint_sums sums;
  try {
    on_ranks<Groups...>(grid, 1, [&](auto& tools) {
      heddle::step_state<> state;
      auto const held_weights = weights_of(tools.rank);
      heddle::frame frame{tools.execution, held_weights.weights, state};
      adjoint_rank own{frame, state.inputs, grid, tools.rank, sums, is.unit};
      body(own);
    });
  } catch (std::exception const& problem) {
    return problem.what();
  }
  if (is.alike && !sums.problem.empty()) return sums.problem;
  if (is.degree * sums.forward != sums.backward)
    return "<A x, y> is " + std::to_string(sums.forward) + " and <x, A* y> is " + std::to_string(sums.backward);
  if (sums.forward == 0 && !is.empty) return "nothing was compared";
  return "";
}

}  // namespace support
