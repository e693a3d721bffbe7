// SPDX-License-Identifier: Apache-2.0
#include <heddle/host/self_communicator.hpp>

#include <doctest/doctest.h>

#include "../../support/collective_cases.hpp"
#include "../../support/symmetric_cases.hpp"

using namespace heddle;

TEST_CASE("every collective of the group of one copies what it was given") {
  host::self_communicator self;
  CHECK(self.size() == 1);
  CHECK(collective_cases::everything_split(self) == "");
  CHECK(self.bytes_sent() == 0);
}

TEST_CASE("arguments are checked as in larger groups") {
  host::self_communicator self;
  std::vector<float> data(4);
  std::vector<float> more(4);
  std::vector<index_t> const three{3};
  std::vector<index_t> const four{4};
  auto const kind_of = [](auto call) {
    try {
      call();
    } catch (error const& problem) {
      return problem.kind();
    }
    return error_kind::io;
  };
  CHECK(kind_of([&] { self.broadcast(std::span{data}, 1); }) == error_kind::argument);
  CHECK(kind_of([&] { self.all_gather(data, std::span{data}); }) == error_kind::argument);
  CHECK(kind_of([&] { self.all_to_all(data, three, std::span{more}, four); }) == error_kind::mismatch);
  CHECK(kind_of([&] { static_cast<void>(self.split(-1, 0)); }) == error_kind::argument);
  CHECK(kind_of([&] { self.agree([] { throw error(error_kind::plan, "no"); }); }) == error_kind::plan);
  self.barrier();
}

TEST_CASE("symmetric memory of the group of one") {
  host::self_communicator self;
  CHECK(symmetric_cases::everything(self) == "");
  CHECK(self.bytes_sent() == 0);
  CHECK(self.sent()[collective_kind::put].calls > 0);
  CHECK_THROWS_AS(self.symmetric(-1), error);
  auto const pointers = self.transport().memory().peer_pointers();
  REQUIRE(pointers.size() == 1);
  CHECK(pointers[0] == self.symmetric(8).data);
}
