// SPDX-License-Identifier: Apache-2.0
// What every consumer project builds: core only, or host as well.
#include <heddle/heddle.hpp>
#if defined(CONSUMER_HOST)
#include <heddle/host.hpp>
#endif
#if defined(CONSUMER_MPI)
#include <heddle/mpi.hpp>
#endif
#if defined(CONSUMER_CHECKPOINT)
#include <heddle/checkpoint.hpp>
#endif

#include <cstdio>

int main() {
  constexpr heddle::mesh<heddle::tp, heddle::dp> grid{2, 4};
  static_assert(grid.world() == 8);
  heddle::range const last = heddle::ceil_chunk::piece(10, 4, 3);
  std::printf("heddle %d.%d: rank 3 of 4 owns [%lld, %lld)\n", heddle::version::major_number,
              heddle::version::minor_number, static_cast<long long>(last.begin), static_cast<long long>(last.end()));
  return last == heddle::range{9, 1} ? 0 : 1;
}
