// SPDX-License-Identifier: Apache-2.0
#include <heddle/nccl/cast.hpp>

#include <doctest/doctest.h>

#include <vector>

using namespace heddle;

TEST_CASE("nccl cast: every element is rounded once, in rows of equal length and a rest") {
  index_t launches = 0;
  auto const launch = [&](auto const& kernel, index_t count) {
    ++launches;
    for (index_t row = 0; row < count; ++row) kernel(serial_team{}, row);
  };
  nccl::launched_cast<host_memory, decltype(launch)> const cast{launch};
  for (index_t const count : {0, 1, 4095, 4096, 4097, 12288, 12301}) {
    launches = 0;
    std::vector<float> wide, back(static_cast<std::size_t>(count) + 1, -7.0F);
    std::vector<bf16> thin(static_cast<std::size_t>(count) + 1, bf16{-7.0F});
    for (index_t i = 0; i < count; ++i) wide.push_back(1.0F + static_cast<float>(i) * 0.001F);
    cast(thin.data(), static_cast<float const*>(wide.data()), count);
    cast(back.data(), static_cast<bf16 const*>(thin.data()), count);
    for (std::size_t i = 0; i < wide.size(); ++i) {
      CHECK(static_cast<float>(thin[i]) == static_cast<float>(bf16{wide[i]}));
      CHECK(back[i] == static_cast<float>(thin[i]));
    }
    CHECK(static_cast<float>(thin.back()) == -7.0F);
    CHECK(back.back() == -7.0F);
    CHECK(launches == 2 * ((count >= 4096 ? 1 : 0) + (count % 4096 == 0 ? 0 : 1)));
  }
}
