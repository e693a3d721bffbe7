// SPDX-License-Identifier: Apache-2.0
// Tokens for routers: scores that tie, are infinite or no number, padding, and what a router gives for them.
#pragma once

#include <cstring>
#include <heddle/kernel/count_choices.hpp>
#include <heddle/kernel/route.hpp>
#include <limits>
#include <vector>

namespace problem {

using heddle::index_t;

inline std::size_t placed(index_t i) { return static_cast<std::size_t>(i); }

/// What is asked for.
struct routed {
  index_t tokens = 7, experts = 8, k = 2;
  heddle::kernel::group_limit limit{};
  bool biased = false, pads = false, scored = false;
};

/// What comes out; nothing in it has been written before.
template <class Real>
struct routing_result {
  std::vector<std::int32_t> ids;
  std::vector<float> weights;
  std::vector<Real> scores;
  std::vector<index_t> counts;

  template <class T>
  static bool same(std::vector<T> const& a, std::vector<T> const& b) {  // in bits, but a NaN is a NaN
    bool equal = a.size() == b.size();
    for (std::size_t i = 0; equal && i < a.size(); ++i) {
      equal = std::memcmp(&a[i], &b[i], sizeof(T)) == 0 || (a[i] != a[i] && b[i] != b[i]);
    }
    return equal;
  }
  friend bool operator==(routing_result const& a, routing_result const& b) {
    return a.ids == b.ids && same(a.weights, b.weights) && same(a.scores, b.scores) && a.counts == b.counts;
  }
};

/// Every other row is random; the others are drawn from a few numbers, the odd ones among them.
template <class Real>
class tokens_to_route {
 public:
  explicit tokens_to_route(routed const& of) : of_{of} {
    using limits = std::numeric_limits<Real>;
    Real const table[] = {
        0, Real(-0.0), 1, 3, -2, -limits::infinity(), 30, -300, limits::infinity(), limits::quiet_NaN()};
    std::uint32_t state = static_cast<std::uint32_t>(of.experts * 64 + of.k);
    auto const next = [&state] { return (state = state * 1664525U + 1013904223U) >> 8; };
    for (index_t t = 0; t < of.tokens; ++t) {
      std::uint32_t const kinds = t % 4 == 1 ? 5 : t % 4 == 3 ? 10 : 8;
      for (index_t e = 0; e < of.experts; ++e) {
        Real const random = (static_cast<Real>(next()) * Real(0x1p-23) - 1) * 5;
        Real const odd = table[next() % kinds];
        logits_.push_back(t % 2 == 0 && t % 7 != 6 ? random : odd);
      }
      padding_.push_back(t % 5 == 2);
    }
    for (index_t e = 0; e < of.experts; ++e) bias_.push_back(static_cast<Real>(next() % 5) / 4 - Real(0.5));
  }

  /// The arguments, whose results go to `out`.
  template <class Rule>
  heddle::kernel::route<Rule, Real> to(routing_result<Real>& out) {
    using namespace heddle;
    auto const pairs = placed(of_.tokens * of_.k);
    out.ids.assign(pairs, 99);
    out.weights.assign(pairs, 99);
    out.scores.assign(of_.scored ? placed(of_.tokens * of_.experts) : 0, 99);
    out.counts.assign(placed(of_.experts), 0);
    extents<tokens, hidden> const shape{of_.tokens, of_.experts};
    extents<tokens, slots> const chosen{of_.tokens, of_.k};
    kernel::route<Rule, Real> route{.logits = {logits_.data(), shape},
                                    .ids = {out.ids.data(), chosen},
                                    .weights = {out.weights.data(), chosen},
                                    .factor = 1.5,
                                    .limit = of_.limit};
    if (of_.scored) route.scores = {out.scores.data(), shape};
    if (of_.biased) route.bias = {bias_.data(), extents<hidden>{of_.experts}};
    if (of_.pads) route.padding = {reinterpret_cast<bool const*>(padding_.data()), extents<tokens>{of_.tokens}};
    route.check();
    return route;
  }

  /// By the team kernels of the host.
  template <class Rule>
  routing_result<Real> expected() {
    using namespace heddle;
    routing_result<Real> out;
    auto const route = to<Rule>(out);
    for (index_t t = 0; t < of_.tokens; ++t) route(serial_team{}, t);
    kernel::count_choices<> const count{.ids = route.ids, .counts = {out.counts.data(), extents<tokens>{of_.experts}}};
    for (index_t block = 0; block < count.blocks(); ++block) count(serial_team{}, block);
    return out;
  }

  [[nodiscard]] std::vector<Real> const& logits() const { return logits_; }
  [[nodiscard]] std::vector<Real> const& bias() const { return bias_; }

 private:
  routed of_;
  std::vector<Real> logits_, bias_;
  std::vector<char> padding_;
};

}  // namespace problem
