// SPDX-License-Identifier: Apache-2.0
#include <heddle/cuda/router_room.hpp>

#include <doctest/doctest.h>

#include "lockstep.hpp"

using namespace heddle;

TEST_CASE("router_room: every place of a row is some lane's, once") {
  constexpr int values = 3;
  std::vector<int> met(32 * 4 * values);
  auto const kernel = [&](lockstep::block const& block) {
    cuda::row_lanes<lockstep::block, 32, 4> const lanes{block};
    for (int v = 0; v < values; ++v) ++met[static_cast<std::size_t>(cuda::place_of<values>(lanes, v))];
  };
  lockstep::run(kernel, 128, 16, 1, {});
  CHECK(met == std::vector<int>(32 * 4 * values, 1));
}

TEST_CASE("router_room: a softmax by one part and by four has the bits of the host") {
  for (int const experts : {1, 33, 200, 384}) {
    std::vector<double> logits;
    for (int i = 0; i < experts; ++i) logits.push_back(i % 7 - 0.01 * i);
    auto const host = kernel::softmax_of_row(serial_team{}, index_t{experts}, logits.data());
    auto const check = [&](auto parts_count, auto values_count) {
      constexpr int parts = decltype(parts_count)::value, values = decltype(values_count)::value;
      using room = cuda::router_room<double, parts * 32 * values, parts, false>;
      int wrong = 0;
      auto const kernel = [&](lockstep::block const& block) {
        cuda::row_lanes<lockstep::block, 32, parts> const lanes{block};
        double own[values], terms[values];
        auto const at = [&](int v) { return cuda::place_of<values>(lanes, v); };
        for (int v = 0; v < values; ++v)
          own[v] = at(v) < experts ? logits[static_cast<std::size_t>(at(v))] : -__builtin_inf();
        auto const term =
            cuda::softmax_of_lanes<parts>(lanes, *reinterpret_cast<room*>(block.shared()), own, experts, terms);
        wrong += term.largest != host.largest || term.sum != host.sum;
        for (int v = 0; v < values; ++v)
          if (at(v) < experts) wrong += terms[v] != host(logits[static_cast<std::size_t>(at(v))]);
      };
      lockstep::run(kernel, 32 * parts, sizeof(room), 1, {});
      CHECK(wrong == 0);
    };
    check(std::integral_constant<int, 4>{}, std::integral_constant<int, 3>{});
    check(std::integral_constant<int, 1>{}, std::integral_constant<int, 12>{});
  }
}
