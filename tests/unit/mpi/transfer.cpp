// SPDX-License-Identifier: Apache-2.0
#include <heddle/mpi/transfer.hpp>

#include <doctest/doctest.h>
#include <numeric>

#include "../../support/mpi_world.hpp"

using namespace heddle;

TEST_CASE("messages longer than a piece arrive whole, at any piece size") {
  mpi::job shared{MPI_COMM_WORLD, {}};
  std::vector<int> members(static_cast<std::size_t>(shared.size()));
  std::iota(members.begin(), members.end(), 0);
  int const next = (shared.rank() + 1) % shared.size();
  int const previous = (shared.rank() + shared.size() - 1) % shared.size();
  for (std::size_t const piece : {std::size_t{1}, std::size_t{7}, std::size_t{100}, std::size_t{1000}}) {
    for (std::size_t const bytes :
         {std::size_t{0}, std::size_t{1}, std::size_t{99}, std::size_t{100}, std::size_t{700}}) {
      mpi::transfer messages{piece};
      std::vector<unsigned char> out(bytes);
      for (std::size_t i = 0; i < bytes; ++i)
        out[i] = static_cast<unsigned char>(shared.rank() * 31 + static_cast<int>(i));
      std::vector<unsigned char> in(bytes);
      messages.receive(shared.comm(), 9, in.data(), bytes, previous);
      messages.send(shared.comm(), 9, out.data(), bytes, next);
      messages.wait({&shared, &members, 0, 0, "test", std::chrono::seconds{20}});
      bool good = true;
      for (std::size_t i = 0; i < bytes; ++i) {
        good = good && in[i] == static_cast<unsigned char>(previous * 31 + static_cast<int>(i));
      }
      CHECK(good);
    }
  }
  shared.finish();
}
