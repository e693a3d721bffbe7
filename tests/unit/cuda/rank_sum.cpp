// SPDX-License-Identifier: Apache-2.0
#include <heddle/cuda/rank_sum.hpp>

#include <doctest/doctest.h>
#include <heddle/cuda/grid.hpp>
#include <vector>

#include "../../support/collective_cases.hpp"
#include "../kernel/sample.hpp"

using namespace heddle;

namespace {

/// Sums `count` elements of `ranks` buffers that begin `skip` elements into their memory, in place where `in_place`.
template <class T>
void check(int ranks, index_t count, index_t skip, bool in_place, int lanes) {
  std::vector<std::vector<T>> sources;
  for (int rank = 0; rank < ranks; ++rank)
    sources.push_back(collective_cases::values<T>(rank, -skip, count + skip + 3));
  std::vector<std::vector<T>> targets = sources;
  auto const of = [skip](auto& list) {
    return [&list, skip](int i) { return list[static_cast<std::size_t>(i)].data() + skip; };
  };
  auto const kernel = in_place ? cuda::sum_of_ranks<T>(ranks, of(targets), ranks, of(targets), count)
                               : cuda::sum_of_ranks<T>(ranks, of(sources), 1, of(targets), count);
  CHECK(kernel.rows() == (count + 1023) / 1024);
  auto const body = [&](auto const& team) {
    for (index_t row = 0; row < kernel.rows(); ++row) kernel(team, row);
  };
  if (lanes == 0) body(serial_team{});
  else sample::with_team(lanes, body);
  std::vector<T> sums;
  for (index_t i = 0; i < count; ++i) sums.push_back(collective_cases::serial_sum<T>(ranks, i));
  for (int t = 0; t < ranks; ++t) {
    auto const at = static_cast<std::size_t>(t);
    std::vector<T> expected = sources[at];
    if (in_place || t == 0) std::copy(sums.begin(), sums.end(), expected.begin() + skip);
    CHECK(collective_cases::same_bits(targets[at], expected));
  }
}

template <class T>
void check_all() {
  for (int const lanes : {0, 1, 4, 32}) {
    for (index_t const count : {0, 1, 7, 1024, 1039, 3000}) {
      if (lanes == 32 && count > 2000) continue;
      CAPTURE(lanes);
      CAPTURE(count);
      check<T>(3, count, 0, true, lanes);
      check<T>(3, count, 1, true, lanes);
      check<T>(5, count, 0, false, lanes);
    }
  }
}

}  // namespace

TEST_CASE("rank_sum: the bits of the serial sum, for any number of lanes, aligned or not, in place or not") {
  check_all<float>();
  check_all<double>();
  check_all<bf16>();
  check_all<f16>();
  check_all<std::int32_t>();
  check_all<std::int64_t>();
}

TEST_CASE("rank_sum: the most ranks travel with one launch") {
  static_assert(cuda::launchable<cuda::rank_sum<float>> && cuda::launchable<cuda::rank_sum<bf16>>);
  check<float>(cuda::rank_sum<float>::most, 33, 0, true, 0);
  float const one[] = {1}, *const nowhere = one;
  float sum[1];
  auto const kernel = cuda::sum_of_ranks<float>(
      2, [&](int) { return nowhere; }, 1, [&](int) { return sum; }, index_t{1} << 40);
  CHECK(kernel.rows() == index_t{1} << 30);
}
