// SPDX-License-Identifier: Apache-2.0
#include <heddle/kernel/z_loss.hpp>

#include <doctest/doctest.h>
#include <limits>
#include <memory>

#include "router_oracle.hpp"
#include "sample.hpp"

using namespace heddle;

namespace {

double plain(oracle::row const& z, index_t experts, std::vector<bool> const& padding, double coeff) {
  double sum = 0;
  double count = 0;
  for (std::size_t t = 0; t < padding.size(); ++t) {
    if (padding[t]) continue;
    double total = 0;
    for (index_t e = 0; e < experts; ++e) total += std::exp(oracle::at(z, static_cast<index_t>(t) * experts + e));
    sum += std::log(total) * std::log(total);
    ++count;
  }
  return count == 0 ? 0 : coeff * sum / count;
}

/// Tokens dealt to ranks of the given sizes; the sums are added as a caller would.
template <class Real>
void check(std::vector<index_t> const& ranks, index_t experts, int lanes) {
  index_t tokens = 0;
  for (index_t size : ranks) tokens += size;
  auto logits = sample::numbers<Real>(tokens * experts, static_cast<std::uint32_t>(tokens + experts));
  for (Real& logit : logits) logit *= 5;
  std::vector<bool> absent(static_cast<std::size_t>(tokens));
  auto const padding = std::make_unique<bool[]>(static_cast<std::size_t>(tokens + 1));
  for (index_t t = 2; t < tokens; t += 5) {
    absent[static_cast<std::size_t>(t)] = padding[static_cast<std::size_t>(t)] = true;
    for (index_t e = 0; e < experts; ++e)
      logits[static_cast<std::size_t>(t * experts + e)] = std::numeric_limits<Real>::quiet_NaN();
  }
  double const coeff = 0.3;
  std::vector<double> sums(2), mine(2);
  auto const part = [&](index_t first, index_t size) {
    return rows<Real>{logits.data() + first * experts, extents<heddle::tokens, hidden>{size, experts}};
  };
  index_t first = 0;
  for (index_t size : ranks) {
    std::vector<Real> terms(static_cast<std::size_t>(size));
    per_row<bool const> const mask{padding.get() + first, extents<heddle::tokens>{size}};
    sample::launch(kernel::z_terms<Real>{part(first, size), mask, sample::list_of(terms)}, size, lanes);
    sample::launch(kernel::z_sums<Real>{sample::list_of(terms), mask, sample::list_of(mine)}, 1, lanes);
    for (std::size_t i = 0; i < 2; ++i) sums[i] += mine[i];
    first += size;
  }
  oracle::row const z(logits.begin(), logits.end());
  double const expected = plain(z, experts, absent, coeff);
  double const tolerance = sizeof(Real) == 8 ? 1e-13 : 2e-6;
  CHECK(kernel::z_loss(sample::list_of(sums), coeff) == doctest::Approx(expected).epsilon(tolerance));
  std::vector<Real> dlogits(logits.size(), Real{0.5F});  // what is there is added to
  first = 0;
  for (index_t size : ranks) {
    sample::launch(
        kernel::z_grad<Real>{part(first, size),
                             {padding.get() + first, extents<heddle::tokens>{size}},
                             coeff,
                             &sums[1],
                             {dlogits.data() + first * experts, extents<heddle::tokens, hidden>{size, experts}}},
        size, lanes);
    first += size;
  }
  oracle::row const gradient =
      oracle::differences([&](oracle::row const& x) { return plain(x, experts, absent, coeff); }, z);
  for (std::size_t i = 0; i < z.size(); ++i) {
    double const here = absent[i / static_cast<std::size_t>(experts)] ? 0 : gradient[i];
    CHECK(std::abs(static_cast<double>(dlogits[i]) - 0.5 - here) < (sizeof(Real) == 8 ? 1e-9 : 1e-6));
  }
}

}  // namespace

TEST_CASE_TEMPLATE("z loss: value and gradient against plain formulas and differences, on any number of ranks", Real,
                   float, double) {
  for (int lanes : {0, 3}) {
    for (index_t experts : {1, 6, 33}) {
      check<Real>({11}, experts, lanes);
      check<Real>({4, 0, 6, 1}, experts, lanes);
      check<Real>({0}, experts, lanes);
    }
  }
}

TEST_CASE("z loss: padding alone is a loss of zero") {
  std::vector<double> sums{0, 0};
  CHECK(kernel::z_loss(sample::list_of(sums), 0.3) == 0);
}
