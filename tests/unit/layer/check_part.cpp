// SPDX-License-Identifier: Apache-2.0
#include <heddle/layer/check_part.hpp>

#include "numbers.hpp"

#include <doctest/doctest.h>

using namespace heddle;
using namespace numbers;

namespace {

std::string text_of(auto const& check) {
  try {
    check();
  } catch (error const& problem) {
    CHECK(problem.kind() == error_kind::shape);
    return problem.text();
  }
  return "";
}

}  // namespace

TEST_CASE("a part must be what the parameter's placement makes of the whole, on the axes it cuts") {
  in_frames<ep, etp>(mesh<etp, ep>{2, 2}, std::tuple<>{}, [](auto& frame, int rank) {
    using fc1 = placement<on<ep, sharded<experts>>, on<etp, sharded<out_features, segmented<ceil_chunk, 1, 1>>>>;
    index_t const wide = rank % 2 == 0 ? 8 : 6;  // 14 is two segments of 7: 4 + 4 and 3 + 3
    CHECK(text_of([&] { detail::check_part<out_features, fc1>(frame, wide, 14); }).empty());
    CHECK(text_of([&] { detail::check_part<in_features, fc1>(frame, 10, 10); }).empty());
    CHECK(text_of([&] { detail::check_part<experts, fc1>(frame, rank < 2 ? 3 : 2, 5); }).empty());
    if (rank == 0) {
      CHECK(text_of([&] { detail::check_part<out_features, fc1>(frame, 7, 14); }) ==
            "a parameter has 7 out_features on this rank, and its part of 14 is 8");
    }
  });
}

TEST_CASE("rows must lie as the partition says, unless it is as_given") {
  std::vector<index_t> const ceil{3, 3, 3, 1};
  std::vector<index_t> const level{3, 3, 2, 2};
  CHECK(text_of([&] { detail::check_heights<ceil_chunk>(ceil); }).empty());
  CHECK(text_of([&] { detail::check_heights<balanced>(level); }).empty());
  CHECK(text_of([&] { detail::check_heights<as_given>(level); }).empty());
  CHECK(text_of([&] { detail::check_heights<ceil_chunk>(level); }) ==
        "rank 2 of a group brings 2 of 10 tokens, and its part by ceil_chunk is 3");
}

TEST_CASE("a width names what has it and both numbers") {
  CHECK(text_of([] { detail::check_width("a bias", 4, 4); }).empty());
  CHECK(text_of([] { detail::check_width("a bias", 4, 5); }) == "a bias is 4 wide and 5 is needed");
}
