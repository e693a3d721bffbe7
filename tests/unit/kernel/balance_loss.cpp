// SPDX-License-Identifier: Apache-2.0
#include <heddle/kernel/balance_loss.hpp>

#include <doctest/doctest.h>
#include <limits>
#include <memory>

#include "router_oracle.hpp"
#include "sample.hpp"

using namespace heddle;
using kernel::balance_scale;

namespace {

struct problem {
  oracle::score score;
  index_t experts, k, length;
  double coeff;
  bool times_k;
  std::vector<bool> padding;
};

oracle::row probabilities(oracle::score kind, oracle::row const& z) {
  oracle::row p = oracle::scores(kind, z);
  double const total = std::accumulate(p.begin(), p.end(), kind == oracle::score::softmax ? 0.0 : 1e-20);
  for (double& x : p) x /= kind == oracle::score::softmax ? 1.0 : total;
  return p;
}

/// The loss of all tokens; `counts`, where given, stand in for the counts of the only block.
double plain(problem const& of, oracle::row const& z, oracle::row const* counts = nullptr) {
  auto const tokens = static_cast<index_t>(of.padding.size());
  index_t const blocks = tokens / of.length;
  double mean = 0;
  for (index_t b = 0; b < blocks; ++b) {
    oracle::row n(static_cast<std::size_t>(of.experts)), sums = n;
    double present = 0;
    for (index_t t = b * of.length; t < (b + 1) * of.length; ++t) {
      if (of.padding[static_cast<std::size_t>(t)]) continue;
      oracle::row const p = probabilities(of.score, {z.begin() + t * of.experts, z.begin() + (t + 1) * of.experts});
      for (std::int64_t e : oracle::first(oracle::order(p), static_cast<std::size_t>(of.k)))
        ++n[static_cast<std::size_t>(e)];
      for (std::size_t e = 0; e < p.size(); ++e) sums[e] += p[e];
      ++present;
    }
    if (present == 0) continue;
    if (counts != nullptr) n = *counts;
    double pairs = 0;
    for (std::size_t e = 0; e < n.size(); ++e) pairs += n[e] * sums[e];
    mean += static_cast<double>(of.experts) / (static_cast<double>(of.k) * present * present) * pairs /
            static_cast<double>(blocks);
  }
  return of.coeff * mean * (of.times_k ? static_cast<double>(of.k) : 1);
}

struct result {
  double loss;
  std::vector<double> dlogits;
  std::vector<double> counts;
};

/// Ranks of the given sizes; `history` [E] holds the counts of steps before, if any.
template <class Score, class Real>
result run(problem const& of, std::vector<Real> logits, std::vector<index_t> const& ranks, int lanes,
           std::vector<double>* history = nullptr) {
  auto const tokens = static_cast<index_t>(of.padding.size());
  index_t const blocks = kernel::sequence_blocks(tokens, of.length);
  index_t const columns = kernel::balance_columns(of.experts);
  auto const mask = std::make_unique<bool[]>(of.padding.size() + 1);
  for (std::size_t t = 0; t < of.padding.size(); ++t) mask[t] = of.padding[t];
  std::vector<double> all(static_cast<std::size_t>(blocks * columns)),
      slopes(static_cast<std::size_t>(blocks * of.experts));
  std::vector<Real> dlogits(logits.size(), Real{0.5F});
  auto const on_ranks = [&](auto body) {
    index_t first = 0;
    for (index_t size : ranks) {
      body(first, size,
           rows<Real const>{logits.data() + first * of.experts, extents<heddle::tokens, hidden>{size, of.experts}},
           per_row<bool const>{mask.get() + first, extents<heddle::tokens>{size}});
      first += size;
    }
  };
  on_ranks([&](index_t first, index_t size, rows<Real const> own, per_row<bool const> padding) {
    std::vector<Real> p(static_cast<std::size_t>(size * of.experts), Real{9});
    std::vector<std::int32_t> ids(static_cast<std::size_t>(size * of.k), 99);
    std::vector<double> sums(all.size(), 9.0);
    sample::launch(kernel::balance_scores<Score, Real>{own, sample::rows_of(p, size, of.experts),
                                                       sample::slots_of(ids, size, of.k), padding},
                   size, lanes);
    kernel::balance_sums<Real> const kernel{.p = sample::rows_of(p, size, of.experts),
                                            .ids = sample::slots_of(ids, size, of.k),
                                            .padding = padding,
                                            .first_token = first,
                                            .length = of.length,
                                            .sums = sample::rows_of(sums, blocks, columns)};
    sample::launch(kernel, kernel.pieces(), lanes);
    for (std::size_t i = 0; i < all.size(); ++i) all[i] += sums[i];  // what an all_reduce does
  });
  if (history != nullptr)
    kernel::average_counts(serial_team{}, sample::rows_of(all, 1, columns), sample::list_of(*history),
                           sample::list_of(*history), 3);
  double const loss = kernel::balance_loss(serial_team{}, sample::rows_of(all, blocks, columns), of.k, of.coeff,
                                           of.times_k ? balance_scale::huggingface : balance_scale::megatron,
                                           sample::rows_of(slopes, blocks, of.experts));
  on_ranks([&](index_t first, index_t size, rows<Real const> own, per_row<bool const> padding) {
    sample::launch(kernel::balance_grad<Score, Real>{.logits = own,
                                                     .padding = padding,
                                                     .first_token = first,
                                                     .length = of.length,
                                                     .slopes = sample::rows_of(slopes, blocks, of.experts),
                                                     .dlogits = {dlogits.data() + first * of.experts,
                                                                 extents<heddle::tokens, hidden>{size, of.experts}}},
                   size, lanes);
  });
  return {loss, {dlogits.begin(), dlogits.end()}, all};
}

template <class Score, class Real>
void check(problem of, std::vector<index_t> const& ranks, int lanes) {
  index_t tokens = 0;
  for (index_t size : ranks) tokens += size;
  for (index_t t = 0; t < tokens; ++t) of.padding.push_back(t % 4 == 1 || (t >= 3 && t < 6));
  auto logits = sample::numbers<Real>(tokens * of.experts, static_cast<std::uint32_t>(of.experts));
  for (std::size_t i = 0; i < logits.size(); ++i) {
    bool const absent = of.padding[i / static_cast<std::size_t>(of.experts)];
    logits[i] = absent ? std::numeric_limits<Real>::quiet_NaN() : logits[i] * 4;
  }
  oracle::row const z(logits.begin(), logits.end());
  result const got = run<Score>(of, logits, ranks, lanes);
  bool const wide = sizeof(Real) == 8;
  CHECK(got.loss == doctest::Approx(plain(of, z)).epsilon(wide ? 1e-13 : 1e-6));
  oracle::row const gradient = oracle::differences([&](oracle::row const& x) { return plain(of, x); }, z);
  for (std::size_t i = 0; i < z.size(); ++i) {
    double const expected = of.padding[i / static_cast<std::size_t>(of.experts)] ? 0 : gradient[i];
    CHECK(std::abs(got.dlogits[i] - 0.5 - expected) < (wide ? 1e-9 : 3e-7));
  }
}

template <class Score>
void check_all(oracle::score kind) {
  for (int lanes : {0, 3}) {
    for (std::vector<index_t> const& ranks : {std::vector<index_t>{12}, {5, 0, 1, 6}}) {
      check<Score, double>({kind, 6, 2, 12, 0.5, false, {}}, ranks, lanes);
      check<Score, double>({kind, 7, 7, 12, 0.5, true, {}}, ranks, lanes);
      check<Score, double>({kind, 35, 3, 3, 2.0, false, {}}, ranks, lanes);  // blocks across ranks, one all padding
      check<Score, float>({kind, 6, 2, 12, 0.5, true, {}}, ranks, lanes);
    }
  }
}

}  // namespace

TEST_CASE("balance loss: softmax, value and gradient on any number of ranks") {
  check_all<kernel::softmax_score>(oracle::score::softmax);
}
TEST_CASE("balance loss: sigmoid") { check_all<kernel::sigmoid_score>(oracle::score::sigmoid); }
TEST_CASE("balance loss: sqrtsoftplus") { check_all<kernel::sqrtsoftplus_score>(oracle::score::sqrtsoftplus); }

TEST_CASE("balance loss: an even choice of even probabilities is coeff, and k times that for Hugging Face") {
  std::vector<double> sums{3, 3, 3, 3, 1.5, 1.5, 1.5, 1.5, 6};  // six tokens, two of four experts each
  std::vector<double> slopes(4);
  auto const of = [&](balance_scale scale) {
    return kernel::balance_loss(serial_team{}, sample::rows_of(sums, 1, 9), 2, 0.25, scale,
                                sample::rows_of(slopes, 1, 4));
  };
  CHECK(of(balance_scale::megatron) == doctest::Approx(0.25));
  CHECK(of(balance_scale::huggingface) == doctest::Approx(0.5));
}

TEST_CASE("balance loss: over a batch in steps, the counts are the mean of the steps so far") {
  problem of{oracle::score::softmax, 5, 2, 8, 0.5, false, std::vector<bool>(8)};
  of.padding[3] = true;
  auto logits = sample::numbers<double>(8 * 5, 9);
  oracle::row const z(logits.begin(), logits.end());
  std::vector<double> history{1, 2, 3, 4, 18};
  result const once = run<kernel::softmax_score>(of, logits, {8}, 0);
  result const got = run<kernel::softmax_score>(of, logits, {3, 5}, 0, &history);
  oracle::row mean;
  for (std::size_t e = 0; e < 5; ++e) {
    mean.push_back((std::vector<double>{1, 2, 3, 4, 18}[e] + once.counts[e]) / 3);
    CHECK(history[e] == mean[e] * 3);
  }
  CHECK(got.loss == doctest::Approx(plain(of, z, &mean)).epsilon(1e-13));
  oracle::row const gradient = oracle::differences([&](oracle::row const& x) { return plain(of, x, &mean); }, z);
  for (std::size_t i = 0; i < z.size(); ++i) CHECK(std::abs(got.dlogits[i] - 0.5 - gradient[i]) < 1e-9);
}

TEST_CASE("balance loss: shares that tie after rounding count for the lower expert, a NaN for the first ones") {
  auto const counts = []<class Score>(oracle::score kind, std::vector<float> const& logits) {
    std::vector<bool> const padding(1);
    auto all = run<Score>({kind, 4, 2, 1, 0.5, false, padding}, logits, {1}, 0).counts;
    all.resize(4);
    return all;
  };
  auto const softmax = [&](std::vector<float> const& logits) {
    return counts.operator()<kernel::softmax_score>(oracle::score::softmax, logits);
  };
  CHECK(softmax({-300, -200, 0, -250}) == std::vector<double>{1, 0, 1, 0});
  CHECK(softmax({0, 1, 2, std::nanf("")}) == std::vector<double>{1, 1, 0, 0});
  CHECK(counts.operator()<kernel::sigmoid_score>(oracle::score::sigmoid, {1, 20, 30, 40}) ==
        std::vector<double>{0, 1, 1, 0});
}

TEST_CASE("balance loss: no token, and lengths that cannot be") {
  std::vector<double> sums(9), slopes(4, 7.0);
  CHECK(kernel::balance_loss(serial_team{}, sample::rows_of(sums, 1, 9), 2, 0.25, balance_scale::megatron,
                             sample::rows_of(slopes, 1, 4)) == 0);
  CHECK(slopes == std::vector<double>(4, 0.0));
  CHECK(kernel::sequence_blocks(0, 4) == 0);
  CHECK_THROWS_AS(static_cast<void>(kernel::sequence_blocks(10, 4)), error);
  CHECK_THROWS_AS(static_cast<void>(kernel::sequence_blocks(10, 0)), error);
}
