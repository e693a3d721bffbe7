// SPDX-License-Identifier: Apache-2.0
#include <heddle/nccl/window_list.hpp>

#include <doctest/doctest.h>

#include "fake_calls.hpp"

using namespace heddle;

namespace {

std::byte memory[400];
ncclWindow_t const handle = reinterpret_cast<ncclWindow_t>(memory);

}  // namespace

TEST_CASE("nccl window list: a place says window and offset in one number, in the order in which windows were made") {
  nccl::window_list list;
  CHECK(list.empty());
  CHECK(list.place_of(memory) == -1);
  list.make_room();
  list.add(memory + 200, 50, handle);
  list.add(memory + 100, 30, handle);
  list.add(memory + 300, 10, nullptr);
  list.add(memory + 310, 10, handle);
  CHECK_FALSE(list.empty());
  CHECK(list.entries().size() == 4);
  CHECK(list.place_of(memory + 200) == 0);
  CHECK(list.place_of(memory + 249) == 49);
  CHECK(list.place_of(memory + 250) == -1);
  CHECK(list.place_of(memory + 199) == -1);
  CHECK(list.place_of(memory + 100) == 50);
  CHECK(list.place_of(memory + 129) == 79);
  CHECK(list.place_of(memory + 130) == -1);
  CHECK(list.place_of(memory + 305) == -1);  // the machine made no window of it
  CHECK(list.place_of(memory + 312) == 92);
  CHECK(list.place_of(nullptr) == -1);
}

TEST_CASE("nccl window list: memory of which a part is there already is refused, what only touches it is not") {
  nccl::window_list list;
  CHECK_NOTHROW(list.check_new(memory, 400, 3));
  list.add(memory + 100, 100, nullptr);
  CHECK_NOTHROW(list.check_new(memory, 100, 3));
  CHECK_NOTHROW(list.check_new(memory + 200, 100, 3));
  for (auto const& [begin, bytes] : {std::pair{100, 100}, {0, 101}, {199, 1}, {120, 8}, {0, 400}}) {
    error const problem = fake::refusal([&] { list.check_new(memory + begin, bytes, 3); });
    CHECK(problem.kind() == error_kind::argument);
    CHECK(problem.rank() == 3);
    CHECK(problem.text().find("a window of " + std::to_string(bytes) + " bytes has memory in common") == 0);
  }
}
