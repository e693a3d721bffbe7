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
  return std::make_unique<mpi::membership>(shared, mpi::owned_comm{copy}, members, shared->rank(),
                                           shared->open_context(shared->next_context()));
}

}  // namespace

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
