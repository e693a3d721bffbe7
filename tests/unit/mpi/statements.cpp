// SPDX-License-Identifier: Apache-2.0
#include <heddle/mpi/statements.hpp>

#include <doctest/doctest.h>
#include <numeric>
#include <string>

#include "../../support/mpi_world.hpp"

using namespace heddle;

TEST_CASE("every rank reads what every rank stated") {
  mpi::job shared{MPI_COMM_WORLD, {}};
  int const size = shared.size();
  std::vector<int> members(static_cast<std::size_t>(size));
  std::iota(members.begin(), members.end(), 0);
  std::vector<index_t> sends(static_cast<std::size_t>(size));
  std::vector<index_t> receives(static_cast<std::size_t>(size));
  std::iota(sends.begin(), sends.end(), 100 * shared.rank());
  std::iota(receives.begin(), receives.end(), 1000 * shared.rank());
  std::string const long_complaint(500, 'x');
  fingerprint mine{.operation = collective_kind::all_to_all,
                   .type = dtype::bf16,
                   .root = shared.rank(),
                   .sequence = 5,
                   .count = index_t{1} << 40,
                   .plan = 77,
                   .send_counts = sends,
                   .recv_counts = receives};
  if (shared.rank() == size - 1) mine.complaint = long_complaint.c_str();
  mpi::statements list{size};
  mpi::transfer messages;
  list.exchange(mine, 3 + shared.rank(), shared.rank(), shared.comm(), messages,
                {&shared, &members, 0, 0, "test", std::chrono::seconds{20}});
  CHECK(list.largest_context() == 2 + size);
  for (int rank = 0; rank < size; ++rank) {
    fingerprint const& print = list[rank];
    CHECK(print.operation == collective_kind::all_to_all);
    CHECK(print.type == dtype::bf16);
    CHECK(print.root == rank);
    CHECK(print.sequence == 5);
    CHECK(print.count == index_t{1} << 40);
    CHECK(print.plan == 77);
    CHECK(print.send_counts.size() == static_cast<std::size_t>(size));
    CHECK(print.send_counts.back() == 100 * rank + size - 1);
    CHECK(print.recv_counts[0] == 1000 * rank);
    CHECK((print.complaint != nullptr) == (rank == size - 1));
    if (print.complaint != nullptr) CHECK(std::string{print.complaint} == std::string(199, 'x'));
  }
  shared.finish();
}

TEST_CASE("lists of a wrong length are not sent") {
  mpi::job shared{MPI_COMM_WORLD, {}};
  std::vector<int> members(static_cast<std::size_t>(shared.size()));
  std::iota(members.begin(), members.end(), 0);
  std::vector<index_t> const longer(static_cast<std::size_t>(shared.size()) + 1);
  mpi::statements list{shared.size()};
  mpi::transfer messages;
  list.exchange({.recv_counts = longer}, 0, shared.rank(), shared.comm(), messages,
                {&shared, &members, 0, 0, "test", std::chrono::seconds{20}});
  CHECK(list[0].recv_counts.empty());
  shared.finish();
}
