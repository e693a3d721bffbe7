// SPDX-License-Identifier: Apache-2.0
#include <heddle/host/dry_communicator.hpp>

#include <doctest/doctest.h>
#include <heddle/host/thread_world.hpp>
#include <vector>

using namespace heddle;

TEST_CASE("counts travel, floating-point data stays where it is and is not read") {
  host::thread_world world{2};
  host::run(world, [](host::thread_communicator& ranks) {
    host::dry_communicator dry{ranks};
    index_t const own = 10 + dry.rank();
    std::vector<index_t> all(2);
    dry.all_gather(std::span<index_t const>{&own, 1}, std::span<index_t>{all});
    CHECK(all == std::vector<index_t>{10, 11});
    std::vector<float> data{1, 2};
    dry.all_reduce(std::span<float>{data});
    CHECK(data == std::vector<float>{1, 2});
    std::span<float> const nowhere{reinterpret_cast<float*>(std::uintptr_t{1} << 46), 1000};
    std::vector<index_t> const counts{500, 500};
    dry.all_to_all(std::span<float const>{nowhere}, counts, nowhere, counts);
    dry.reduce_scatter(std::span<float const>{nowhere}, nowhere.first(500), counts);
    dry.barrier();
    CHECK(dry.size() == 2);
  });
}
