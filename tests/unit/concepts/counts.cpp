// SPDX-License-Identifier: Apache-2.0
#include <heddle/concepts/counts.hpp>

#include <doctest/doctest.h>
#include <vector>

using namespace heddle;

namespace {

struct patient {};
struct recording {
  static constexpr bool captures = true;
};
static_assert(!captures_steps<patient> && captures_steps<recording>);

using on_host = counts<host_memory>;
using on_device = counts<device_memory>;
static_assert(std::convertible_to<on_host, std::span<index_t const>>);
static_assert(!std::convertible_to<on_device, std::span<index_t const>> && !std::convertible_to<on_device, on_host>);
static_assert(!std::convertible_to<on_host, on_device>);
static_assert(!std::convertible_to<patient, host_sync>);  // nobody gives permission by accident

}  // namespace

TEST_CASE("counts of the host are read at once, those of a device with a token and a copy") {
  std::vector<index_t> const numbers{3, 0, 5};
  on_host const here{std::span<index_t const>{numbers}};
  CHECK(here.size() == 3);
  CHECK(here[2] == 5);
  on_device const there{on_device::numbers{numbers.data(), extents<tokens>{3}}};  // a stand-in for device memory
  CHECK(there.size() == 3);
  std::vector<index_t> memory(3);
  int copies = 0;
  auto const copy = [&](on_device::numbers from, std::span<index_t> to) {
    ++copies;
    for (std::size_t i = 0; i < to.size(); ++i) to[i] = from.data()[i] + 1;
  };
  on_host const read = there.read(host_sync{patient{}}, memory, copy);
  CHECK(copies == 1);
  CHECK(std::vector<index_t>(read.begin(), read.end()) == std::vector<index_t>{4, 1, 6});
  CHECK(on_device{}.size() == 0);
}
