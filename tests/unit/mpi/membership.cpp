// SPDX-License-Identifier: Apache-2.0
#include <heddle/mpi/membership.hpp>

#include <doctest/doctest.h>
#include <numeric>

#include "../../support/mpi_world.hpp"

using namespace heddle;

namespace {

std::unique_ptr<mpi::membership> join(std::shared_ptr<mpi::job> const& shared) {
  MPI_Comm copy = MPI_COMM_NULL;
  MPI_Comm_dup(shared->comm(), &copy);
  std::vector<int> members(static_cast<std::size_t>(shared->size()));
  std::iota(members.begin(), members.end(), 0);
  auto self = std::make_unique<mpi::membership>(shared, members, shared->rank());
  self->open(mpi::owned_comm{copy}, shared->open_context(shared->next_context()));
  return self;
}

}  // namespace

TEST_CASE("every rank reads what every rank stated") {
  auto const shared = std::make_shared<mpi::job>(MPI_COMM_WORLD, mpi::options{.check = mpi::check_mode::on});
  auto self = join(shared);
  int const size = self->size();
  int const own = self->rank();
  std::vector<index_t> sends(static_cast<std::size_t>(size));
  std::vector<index_t> receives(sends);
  for (int peer = 0; peer < size; ++peer) {
    sends[static_cast<std::size_t>(peer)] = 100 * own + peer;
    receives[static_cast<std::size_t>(peer)] = 100 * peer + own;
  }
  std::string const long_complaint(500, 'x');
  fingerprint mine{.operation = collective_kind::all_to_all,
                   .type = dtype::bf16,
                   .root = 3,
                   .sequence = 5,
                   .count = index_t{1} << 40,
                   .plan = 77,
                   .send_counts = sends,
                   .recv_counts = receives};
  for (bool const complains : {false, true}) {
    if (complains && own == size - 1) mine.complaint = long_complaint.c_str();
    CHECK(self->meet(mine).good() == !complains);
    CHECK(self->largest_context() == 1);
    for (int rank = 0; rank < size; ++rank) {
      fingerprint const& print = self->print(rank);
      CHECK(print.operation == collective_kind::all_to_all);
      CHECK(print.type == dtype::bf16);
      CHECK(print.root == 3);
      CHECK(print.sequence == 5);
      CHECK(print.count == index_t{1} << 40);
      CHECK(print.plan == 77);
      CHECK(print.send_counts.size() == static_cast<std::size_t>(size));
      CHECK(print.send_counts.back() == 100 * rank + size - 1);
      CHECK(print.recv_counts.back() == 100 * (size - 1) + rank);
      CHECK((print.complaint != nullptr) == (complains && rank == size - 1));
      if (print.complaint != nullptr) CHECK(std::string{print.complaint} == std::string(199, 'x'));
    }
  }
  self.reset();
  shared->finish();
}

TEST_CASE("an agreed complaint is known to everyone, until the next collective") {
  auto const shared = std::make_shared<mpi::job>(MPI_COMM_WORLD, mpi::options{});
  auto self = join(shared);
  bool const last = self->rank() == self->size() - 1;
  fingerprint print{.operation = collective_kind::agree, .complaint = last ? "no" : nullptr};
  verdict const found = self->meet(print);
  CHECK(found.kind == error_kind::peer_failed);
  CHECK(found.culprit == self->size() - 1);
  CHECK(shared->agreed_culprit == self->size() - 1);
  CHECK(self->meet({.operation = collective_kind::barrier, .sequence = 1}).good());
  CHECK(shared->agreed_culprit == -1);
  self.reset();
  shared->finish();
}

TEST_CASE("without the check a complaint is the rank's own, and nobody is asked") {
  auto const shared = std::make_shared<mpi::job>(MPI_COMM_WORLD, mpi::options{.check = mpi::check_mode::off});
  auto self = join(shared);
  bool const last = self->rank() == self->size() - 1;
  verdict const found = self->meet({.operation = collective_kind::all_reduce, .complaint = last ? "no" : nullptr});
  CHECK(found.good() == !last);
  CHECK(shared->agreed_culprit == -1);
  self.reset();
  shared->finish();
}

TEST_CASE("a disagreement is seen by every rank and ends the use of the job") {
  auto const shared = std::make_shared<mpi::job>(MPI_COMM_WORLD, mpi::options{.check = mpi::check_mode::on});
  auto self = join(shared);
  if (self->size() > 1) {
    bool const last = self->rank() == self->size() - 1;
    verdict const found = self->meet({.operation = collective_kind::all_reduce, .count = last ? 3 : 4});
    CHECK(found.kind == error_kind::mismatch);
    CHECK(found.culprit == self->size() - 1);
    CHECK_THROWS_AS(self->enter({}), error);
    CHECK_THROWS_AS(self->meet({}), error);
  }
  self.reset();
  shared->finish();
}
