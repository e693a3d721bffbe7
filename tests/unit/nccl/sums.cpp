// SPDX-License-Identifier: Apache-2.0
#include <heddle/nccl/sums.hpp>

#include <doctest/doctest.h>

#include <heddle/nccl/communicator.hpp>

#include "fake_calls.hpp"

using namespace heddle;

namespace {

/// Runs kernels at once, on memory of the host.
struct launch_here {
  template <class Kernel>
  void operator()(Kernel const& kernel, index_t count) const {
    for (index_t row = 0; row < count; ++row) kernel(serial_team{}, row);
  }
};
using cast = nccl::launched_cast<host_memory, launch_here>;

template <class Type, class Cast>
nccl::communicator<fake::calls, Cast> world(int rank, int size, fake::calls const& calls, nccl::options const& settings,
                                            Cast how) {
  using transport = nccl::transport<fake::calls, Cast>;
  return nccl::communicator<fake::calls, Cast>{transport{fake::id(), rank, size, nullptr, settings, calls, how}};
}

/// Not the same on any two ranks; sums of them round in 16 bits.
double value(int rank, index_t i) { return 1.0 + rank * 0.0078125 + static_cast<double>(i % 97) * (rank % 2 ? 1 : 2); }
template <class Type>
std::vector<Type> data_of(int rank, index_t count) {
  std::vector<Type> data;
  for (index_t i = 0; i < count; ++i) data.push_back(static_cast<Type>(static_cast<float>(value(rank, i))));
  return data;
}

template <class Type, class Cast>
std::vector<std::shared_ptr<fake::script>> check_all(nccl::options const& settings, double tolerance, Cast how,
                                                     std::vector<index_t> const& counts) {
  int const size = static_cast<int>(counts.size());
  index_t total = 0;
  for (index_t const count : counts) total += count;
  return fake::on_ranks(size, [&](int rank, fake::calls const& calls) {
    auto group = world<Type>(rank, size, calls, settings, how);
    auto data = data_of<Type>(rank, total);
    auto const send = data;
    group.all_reduce(std::span{data});
    auto const right = [&](Type found, double expected) {
      double const off = static_cast<double>(static_cast<float>(found)) - expected;
      double const most = tolerance * (expected < 0 ? 1 - expected : 1 + expected);
      if (off > most || -off > most) throw std::runtime_error("wrong sum");
    };
    auto const exact = [&](index_t i) {  // of what the ranks hold, in 16 bits perhaps
      double all = 0;
      for (int peer = 0; peer < size; ++peer) {
        all += static_cast<double>(static_cast<float>(static_cast<Type>(static_cast<float>(value(peer, i)))));
      }
      return all;
    };
    for (index_t i = 0; i < total; ++i) right(data[static_cast<std::size_t>(i)], exact(i));
    auto const own = counts[static_cast<std::size_t>(rank)];
    std::vector<Type> piece(static_cast<std::size_t>(own) + 1, static_cast<Type>(-5.0F));
    group.reduce_scatter(send, std::span{piece}, counts);
    index_t const begin = nccl::begin_of(rank, [&](int peer) { return counts[static_cast<std::size_t>(peer)]; });
    for (index_t i = 0; i < own; ++i) right(piece[static_cast<std::size_t>(i)], exact(begin + i));
    if (static_cast<float>(piece.back()) != -5.0F) throw std::runtime_error("it wrote behind the piece");
  });
}

void none_threw(std::vector<std::shared_ptr<fake::script>> const& scripts) {
  for (auto const& each : scripts) {
    CHECK(each->count("threw") == 0);
    CHECK(each->alive == 0);
    if (each->count("threw") > 0) MESSAGE(each->log.back());
  }
}

}  // namespace

TEST_CASE("nccl sums: f32, and equal counts in one call, uneven ones in groups, long ones in pieces") {
  std::vector<index_t> const equal{6, 6, 6}, uneven{7, 0, 4, 1};
  for (auto const mode : {nccl::check_mode::on, nccl::check_mode::off}) {
    auto scripts = check_all<float>({.check = mode}, 1e-6, nccl::no_cast{}, equal);
    none_threw(scripts);
    CHECK(scripts[0]->count("reduce_scatter 6") == 1);
    CHECK(scripts[0]->count("all_reduce 18 type 7") == 1);
    scripts = check_all<float>({.check = mode}, 1e-6, nccl::no_cast{}, uneven);
    none_threw(scripts);
    CHECK(scripts[0]->count("reduce_scatter") == 0);
    CHECK(scripts[0]->count("reduce ") == 3);
    CHECK(scripts[0]->count("group") == 1);
    scripts =
        check_all<float>({.check = mode, .limits = {.elements = 4, .operations = 2}}, 1e-6, nccl::no_cast{}, equal);
    none_threw(scripts);
    CHECK(scripts[0]->count("reduce_scatter") == 0);
    CHECK(scripts[0]->count("reduce 4") == 3);
    CHECK(scripts[0]->count("reduce 2") == 3);
    CHECK(scripts[0]->count("group") == 3);
    CHECK(scripts[0]->count("all_reduce 4") == 4);
    CHECK(scripts[0]->count("all_reduce 2") == 1);
  }
}

TEST_CASE("nccl sums: 16-bit floats as they are, or in f32 and rounded once, with little room too") {
  std::vector<index_t> const uneven{70, 0, 41, 12};
  none_threw(check_all<bf16>({}, 2e-2, nccl::no_cast{}, uneven));
  none_threw(check_all<f16>({}, 2e-3, nccl::no_cast{}, uneven));
  double const half_step = 1.0 / 256 + 1e-6;  // of bf16: one rounding
  for (index_t const room : {4, 40, 1 << 20}) {
    auto const scripts =
        check_all<bf16>({.sum = nccl::sum_mode::f32, .sum_bytes = room}, half_step, cast{launch_here{}}, uneven);
    none_threw(scripts);
    CHECK(scripts[1]->count("all_reduce") == (123 * 4 + room - 1) / room);
    for (auto const& each : scripts) {
      CHECK(each->count("all_reduce") ==
            each->count("all_reduce " + std::to_string(room >= 492 ? 123 : room / 4)) + (room == 40 ? 1 : 0));
    }
  }
  // Sums of f32 are made as they are, whatever is asked for 16 bits.
  auto const scripts =
      check_all<float>({.sum = nccl::sum_mode::f32, .sum_bytes = 4}, 1e-6, cast{launch_here{}}, uneven);
  none_threw(scripts);
  CHECK(scripts[0]->count("all_reduce") == 1);
}

TEST_CASE("nccl sums: f32 without a kernel that rounds is refused before any rank is waited for") {
  fake::calls calls;
  error const problem = fake::refusal(
      [&] { nccl::transport<fake::calls>{fake::id(), 1, 2, nullptr, {.sum = nccl::sum_mode::f32}, calls}; });
  CHECK(problem.kind() == error_kind::unsupported);
  CHECK(problem.rank() == 1);
  CHECK(calls.self->log.empty());
}

TEST_CASE("nccl sums: one rank adds nothing, and no bit of its data changes") {
  auto const scripts = check_all<bf16>({.sum = nccl::sum_mode::f32}, 0, cast{launch_here{}}, {9});
  none_threw(scripts);
  CHECK(scripts[0]->count("all_reduce") == 0);
  CHECK(scripts[0]->count("reduce") == 0);
}

TEST_CASE("nccl sums: integers, exactly") {
  auto const scripts = fake::on_ranks(3, [](int rank, fake::calls const& calls) {
    auto group = world<std::int64_t>(rank, 3, calls, {}, nccl::no_cast{});
    std::vector<std::int64_t> data{rank, (std::int64_t{1} << 40) + rank, -rank};
    group.all_reduce(std::span{data});
    if (data != std::vector<std::int64_t>{3, (std::int64_t{3} << 40) + 3, -3}) throw std::runtime_error("wrong sum");
  });
  none_threw(scripts);
}
