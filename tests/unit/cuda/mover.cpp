// SPDX-License-Identifier: Apache-2.0
#include <heddle/cuda/mover.hpp>

#include <doctest/doctest.h>

#include <heddle/cuda/shared_gpu.hpp>
#include <heddle/host/thread_world.hpp>
#include <string>
#include <type_traits>

using namespace heddle;

namespace {

template <class Call>
error caught(Call call) {
  try {
    call();
  } catch (error const& problem) {
    return problem;
  }
  return error(error_kind::io, "nothing was thrown");
}

}  // namespace

TEST_CASE("mover: nothing is moved without asking the runtime") {
  cuda::mover const moves{cuda::queue{.rank = 3}};
  CHECK_NOTHROW(moves.copy(nullptr, nullptr, 0));
  CHECK_NOTHROW(moves.store(nullptr, nullptr, 0));
  int here = 0;
  CHECK_NOTHROW(moves.store(&here, &here, sizeof(here)));  // where it is already
}

TEST_CASE("mover: what the runtime refuses names the call and the rank") {
  cuda::mover const moves{cuda::queue{.rank = 3}};
  error const copied = caught([&] { moves.copy(nullptr, nullptr, 16); });
  CHECK(copied.rank() == 3);
  CHECK(copied.text().starts_with("cudaMemcpyAsync: "));
  error const waited = caught([&] { moves.await(cuda::event{}); });
  CHECK(waited.rank() == 3);
  CHECK(waited.text().starts_with("cudaStreamWaitEvent: "));
  CHECK(caught([&] { moves.post(cuda::event{}); }).text().starts_with("cudaEventRecord: "));
}

TEST_CASE("mover: the transports of ranks that share a GPU are communicators with symmetric memory") {
  static_assert(symmetric_communicator<host::basic_thread_communicator<cuda::mover>>);
  static_assert(std::is_nothrow_move_constructible_v<cuda::event> && !std::is_copy_constructible_v<cuda::event>);
  cuda::event first, second = std::move(first);
  CHECK(second.get() == nullptr);
}
