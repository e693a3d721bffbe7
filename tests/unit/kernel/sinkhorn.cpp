// SPDX-License-Identifier: Apache-2.0
#include <heddle/kernel/sinkhorn.hpp>

#include <doctest/doctest.h>
#include <limits>
#include <memory>

#include "router_oracle.hpp"
#include "sample.hpp"

using namespace heddle;

namespace {

struct scaled {
  std::vector<oracle::row> shares;  ///< a row each token
  int rounds;
};

/// Rows and columns in turn until the columns stand still; tokens without a row of logits are left out.
scaled plain(std::vector<oracle::row> const& z, std::size_t experts, double tolerance, int most) {
  double const tokens =
      static_cast<double>(std::count_if(z.begin(), z.end(), [](auto const& row) { return !row.empty(); }));
  oracle::row columns(experts, 1.0), rows(z.size());
  for (int round = 1;; ++round) {
    oracle::row next(experts);
    for (std::size_t t = 0; t < z.size(); ++t) {
      if (z[t].empty()) continue;
      double sum = 0;
      for (std::size_t e = 0; e < experts; ++e) sum += std::exp(z[t][e]) * columns[e];
      rows[t] = 1 / (tokens * (sum + 1e-8));
      for (std::size_t e = 0; e < experts; ++e) next[e] += std::exp(z[t][e]) * rows[t];
    }
    double change = 0;
    for (std::size_t e = 0; e < experts; ++e) {
      next[e] = 1 / (static_cast<double>(experts) * (next[e] + 1e-8));
      change += std::abs(next[e] - columns[e]) / static_cast<double>(experts);
    }
    columns = next;
    if (change > tolerance && round < most) continue;
    scaled result{z, round};
    for (std::size_t t = 0; t < z.size(); ++t) {
      for (std::size_t e = 0; e < z[t].size(); ++e) result.shares[t][e] = columns[e] * std::exp(z[t][e]) * rows[t];
    }
    return result;
  }
}

struct found {
  std::vector<std::int32_t> ids;
  std::vector<double> columns, rows;
  int rounds;
};

/// Two ranks in lockstep: the first holds `split` tokens. The sum over ranks asks the other rank for its part.
template <class Real>
found run(std::vector<Real> logits, index_t experts, index_t k, std::vector<bool> const& absent,
          kernel::sinkhorn_limits limits, index_t split, int lanes) {
  index_t const count = static_cast<index_t>(absent.size());
  auto const mask = std::make_unique<bool[]>(absent.size() + 1);
  double present = 0;
  for (std::size_t t = 0; t < absent.size(); ++t) present += (mask[t] = absent[t]) ? 0 : 1;
  std::vector<Real> columns(static_cast<std::size_t>(experts), Real{9}), scales(absent.size());
  std::vector<double> sums(columns.size()), other(columns.size());
  std::vector<std::int32_t> ids(static_cast<std::size_t>(count * k), 99);
  auto const rows_from = [&](index_t first, index_t size) {
    return rows<Real const>{logits.data() + first * experts, extents<tokens, hidden>{size, experts}};
  };
  auto const mask_from = [&](index_t first, index_t size) {
    return per_row<bool const>{mask.get() + first, extents<tokens>{size}};
  };
  auto const scales_from = [&](index_t first, index_t size) {
    return per_row<Real>{scales.data() + first, extents<tokens>{size}};
  };
  auto const launch = [&](auto const& kernel, index_t height) { sample::launch(kernel, height, lanes); };
  auto const reduce = [&](per_row<double> mine) {
    index_t const rest = count - split;
    launch(kernel::sinkhorn_rows<Real>{rows_from(split, rest), mask_from(split, rest), sample::list_of(columns),
                                       &present, scales_from(split, rest)},
           rest);
    kernel::sinkhorn_columns<Real> const part{rows_from(split, rest), scales_from(split, rest), sample::list_of(other)};
    launch(part, part.tiles());
    for (index_t e = 0; e < experts; ++e) mine(e) += other[static_cast<std::size_t>(e)];
  };
  int const rounds = kernel::sinkhorn(launch, reduce, rows_from(0, split), mask_from(0, split), present,
                                      sample::list_of(columns), scales_from(0, split), sample::list_of(sums), limits);
  launch(kernel::sinkhorn_choose<Real>{rows_from(0, count), mask_from(0, count), sample::list_of(columns),
                                       scales_from(0, count), sample::slots_of(ids, count, k)},
         count);
  return {ids, {columns.begin(), columns.end()}, {scales.begin(), scales.end()}, rounds};
}

template <class Real>
void check(index_t count, index_t experts, index_t k, kernel::sinkhorn_limits limits, int lanes) {
  auto logits = sample::numbers<Real>(count * experts, static_cast<std::uint32_t>(count));
  std::vector<bool> absent(static_cast<std::size_t>(count));
  std::vector<oracle::row> z;
  for (index_t t = 0; t < count; ++t) {
    absent[static_cast<std::size_t>(t)] = t % 6 == 4;
    for (index_t e = 0; e < experts; ++e) {
      Real& logit = logits[static_cast<std::size_t>(t * experts + e)];
      logit = absent[static_cast<std::size_t>(t)] ? std::numeric_limits<Real>::quiet_NaN() : logit * 3 + Real(e % 3);
    }
    z.emplace_back(logits.begin() + t * experts,
                   logits.begin() + (absent[static_cast<std::size_t>(t)] ? t : t + 1) * experts);
    if (absent[static_cast<std::size_t>(t)]) z.back().clear();
  }
  scaled const expected = plain(z, static_cast<std::size_t>(experts), limits.tolerance, limits.most);
  for (index_t split : {count, count / 3}) {
    found const got = run(logits, experts, k, absent, limits, split, lanes);
    if (sizeof(Real) == 8) CHECK(got.rounds == expected.rounds);
    for (index_t t = 0; t < count; ++t) {
      oracle::choice const ids{got.ids.begin() + t * k, got.ids.begin() + (t + 1) * k};
      oracle::row const& share = expected.shares[static_cast<std::size_t>(t)];
      if (share.empty()) {
        CHECK(ids == oracle::choice(static_cast<std::size_t>(k), -1));
        continue;
      }
      CHECK(ids == oracle::first(oracle::order(share), static_cast<std::size_t>(k)));
      for (std::size_t e = 0; e < share.size(); ++e) {
        double const mine = got.columns[e] *
                            std::exp(oracle::at(z[static_cast<std::size_t>(t)], static_cast<index_t>(e))) *
                            got.rows[static_cast<std::size_t>(t)];
        CHECK(mine == doctest::Approx(share[e]).epsilon(sizeof(Real) == 8 ? 1e-11 : 2e-3));
      }
    }
  }
}

}  // namespace

TEST_CASE_TEMPLATE("sinkhorn: rounds, scales and choices against the plain loop, tokens on one rank or two", Real,
                   float, double) {
  for (int lanes : {0, 3}) {
    check<Real>(20, 5, 1, {}, lanes);
    check<Real>(7, 3, 3, {}, lanes);
    check<Real>(9, 35, 2, {.tolerance = 1e-4, .most = 3}, lanes);
    check<Real>(1, 4, 2, {}, lanes);
  }
}

TEST_CASE("sinkhorn: at the fixed point every token and every expert has an equal share") {
  index_t const count = 12, experts = 4;
  auto logits = sample::numbers<double>(count * experts, 1);
  for (std::size_t i = 0; i < logits.size(); ++i)
    logits[i] = 2 * logits[i] + (i % 4 == 0 ? 3.0 : 0.0);  // all like expert 0
  found const got = run(logits, experts, 1, std::vector<bool>(12), {.tolerance = 1e-12}, count, 0);
  oracle::row of_token(12), of_expert(4);
  for (std::size_t i = 0; i < logits.size(); ++i) {
    double const share = got.columns[i % 4] * std::exp(logits[i]) * got.rows[i / 4];
    of_token[i / 4] += share;
    of_expert[i % 4] += share;
  }
  for (double share : of_token) CHECK(share == doctest::Approx(1.0 / 12).epsilon(1e-6));
  for (double share : of_expert) CHECK(share == doctest::Approx(1.0 / 4).epsilon(1e-6));
  CHECK(std::count(got.ids.begin(), got.ids.end(), 0) < 12);
}

TEST_CASE("sinkhorn: it ends after the most rounds, without tokens, and with a NaN") {
  auto const logits = sample::numbers<double>(20, 1);
  CHECK(run(logits, 4, 1, std::vector<bool>(5), {.tolerance = -1, .most = 7}, 5, 0).rounds == 7);
  CHECK(run<double>({}, 4, 1, {}, {}, 0, 0).rounds <= 2);
  auto broken = logits;
  broken[3] = std::numeric_limits<double>::quiet_NaN();
  CHECK(run(broken, 4, 1, std::vector<bool>(5), {}, 5, 0).rounds == 1);
}
