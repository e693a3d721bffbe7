// SPDX-License-Identifier: Apache-2.0
#include <heddle/cuda/shared_gpu.hpp>

#include <doctest/doctest.h>

#include <heddle/host/thread_world.hpp>
#include <optional>

using namespace heddle;

namespace {

using virtual_world = host::basic_thread_world<cuda::mover>;

template <class Call>
std::optional<error> refusal(Call const& call) {
  try {
    call();
  } catch (error const& problem) {
    return problem;
  }
  return {};
}

}  // namespace

TEST_CASE("shared_gpu: the number of ranks is judged before a GPU is looked for") {
  CHECK_NOTHROW(cuda::check_ranks(128));
  auto const found = refusal([] { cuda::shared_gpu{129}; });
  REQUIRE(found);
  CHECK(found->kind() == error_kind::argument);
  CHECK(found->text() == "129 ranks on one GPU");
  CHECK(refusal([] { virtual_world{0}; })->kind() == error_kind::argument);
  CHECK(refusal([] { virtual_world(2, {.deadline = std::chrono::seconds{0}}); })->kind() == error_kind::argument);
}

TEST_CASE("shared_gpu: a world of virtual ranks without a GPU is refused in words, or made") {
  auto const found = refusal([] {
    virtual_world world{3};
    CHECK(world.size() == 3);
  });
  if (found) CHECK(found->kind() == error_kind::unsupported);
  auto const far_away = refusal([] { cuda::shared_gpu(1, 1000); });
  REQUIRE(far_away);
  CHECK((far_away->kind() == error_kind::unsupported || far_away->kind() == error_kind::argument));
}
