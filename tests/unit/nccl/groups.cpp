// SPDX-License-Identifier: Apache-2.0
#include <heddle/nccl/groups.hpp>

#include <doctest/doctest.h>

#include "fake_calls.hpp"

using namespace heddle;

TEST_CASE(
    "nccl groups: rooted calls of a plan come in NCCL's groups, and the first failure is thrown behind its group") {
  fake::calls calls;
  nccl::connection<fake::calls> link{calls, std::chrono::seconds{1}, 0};
  link.adopt(calls.make("lonely", 0, 1), nccl::ownership::taken);
  std::vector<index_t> begins;
  ncclResult_t answer = ncclSuccess;
  auto const run = [&] {
    nccl::for_each_part(
        3, [](int rank) { return index_t{rank}; }, {.elements = 1, .operations = 2},
        nccl::detail::rooted{link, "ncclBroadcast", [&](int root, nccl::stretch piece) {
                               begins.push_back(root * 100 + piece.begin);
                               return begins.size() == 5 ? answer : ncclSuccess;
                             }});
  };
  run();
  CHECK(begins == std::vector<index_t>{100, 201, 202});
  CHECK(calls.self->log == std::vector<std::string>{"group", "end of group", "group", "end of group"});
  answer = ncclInvalidArgument;
  error const problem = fake::refusal(run);
  CHECK(problem.text().find("ncclBroadcast: ncclInvalidArgument") == 0);
  CHECK(begins.size() == 5);
  CHECK(calls.self->log.back() == "abort");
}
