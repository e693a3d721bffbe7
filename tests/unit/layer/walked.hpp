// SPDX-License-Identifier: Apache-2.0
// Operations on plain numbers that write down when they ran and what they met, for the tests of the interpreters.
#pragma once

#include <heddle/layer/bundle.hpp>
#include <heddle/sequence/combinators.hpp>
#include <string>
#include <vector>

namespace walked {

using namespace heddle;

struct number {
  int value = 0;
  friend bool operator==(number, number) = default;
};
/// What happened, in order: "+3" forward, "-3" backward, "w3" a weight gradient; numbers that were kept stand behind.
struct journal {
  using memory = host_memory;
  struct no_execution {};

  std::vector<std::string> lines{};
  no_execution backend{};
  [[nodiscard]] no_execution& execution() { return backend; }
  void note(char what, int id, std::initializer_list<number> met = {}) {
    std::string line = what + std::to_string(id);
    for (number const each : met) line += ":" + std::to_string(each.value);
    lines.push_back(line);
  }
};

template <int Id, keep Keep, bool Weighted>
struct undo;
/// x -> 10 x + Id, and back again dy -> 10 dy + Id.
template <int Id, keep Keep = keep::nothing, bool Weighted = false>
struct step : operation_base<"step", placement<>, placement<>, undo<Id, Keep, Weighted>> {
  static constexpr keep keeps = Keep;
  using parameter = std::conditional_t<Weighted, placement<>, void>;
};
template <int Id, keep Keep, bool Weighted>
struct undo : operation_base<"undo", placement<>, placement<>, step<Id, Keep, Weighted>> {};
template <int Id>
using weighted = step<Id, keep::inputs, true>;

template <int Id, keep Keep, bool Weighted>
number run(step<Id, Keep, Weighted>, journal& log, number x) {
  log.note('+', Id);
  return {10 * x.value + Id};
}
template <int Id, bool Weighted>
number run(undo<Id, keep::nothing, Weighted>, journal& log, number dy) {
  log.note('-', Id);
  return {10 * dy.value + Id};
}
template <int Id, keep Keep, bool Weighted>
number run(undo<Id, Keep, Weighted>, journal& log, kept<number> const& saved, number dy) {
  log.note('-', Id, {std::get<0>(saved.values)});
  return {10 * dy.value + Id};
}
template <int Id, bool Weighted>
number run(undo<Id, keep::both, Weighted>, journal& log, kept<number, number> const& saved, number dy) {
  log.note('-', Id, {std::get<0>(saved.values), std::get<1>(saved.values)});
  return {10 * dy.value + Id};
}
template <int Id, keep Keep>
void accumulate(step<Id, Keep, true>, journal& log, kept<number> const& saved, number dy) {
  log.note('w', Id, {std::get<0>(saved.values), dy});
}
inline number sum(journal&, number a, number b) { return {a.value + b.value}; }

using lines = std::vector<std::string>;

}  // namespace walked
