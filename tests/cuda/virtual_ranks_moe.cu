// SPDX-License-Identifier: Apache-2.0
// A mixture of experts on virtual ranks of one GPU against the same ranks as threads of the host in f64: every way that
// tokens go to experts, forward, backward, and the sums of the parameters' gradients.
#include <heddle/host/thread_world.hpp>

#include "../support/ranks_moe.hpp"
#include "one_rank.cuh"

using namespace ranks_moe;
using one_rank::apart, one_rank::plain_gemm, one_rank::widened;

namespace {

using virtual_world = host::basic_thread_world<cuda::mover>;

template <class Layer>
std::vector<outcome<float>> on_streams(sizes const& of) {
  constexpr std::size_t bytes = std::size_t{1} << 26, bytes_here = 1 << 16, room = std::size_t{1} << 24;
  std::vector<outcome<float>> found(static_cast<std::size_t>(of.ranks));
  virtual_world world{of.ranks};
  host::run(world, [&](auto& rank, auto& same, cuda::queue const& queue) {
    groups_over<virtual_world::communicator_type> groups{rank, of.on()};
    groups_over<host::thread_communicator> numbers_groups{same, of.on()};
    cuda::device_buffer const data{bytes}, gemm_room{room};
    cuda::pinned_buffer const here{bytes_here};
    cuda::workspace scratch{data.data(), bytes, here.data(), bytes_here, rank.rank()};
    cuda::cublas_gemm gemm{gemm_room.data(), room, rank.rank()};
    cuda::execution on{gemm, groups, numbers_groups, scratch, queue};
    auto const put = [&]<class T>(std::vector<T> const& values) {
      T* const there = on.template allocate<T>(static_cast<index_t>(values.size()));
      if (!values.empty()) {
        cuda::check(
            cudaMemcpyAsync(there, values.data(), values.size() * sizeof(T), cudaMemcpyHostToDevice, queue.stream),
            "cudaMemcpyAsync");
      }
      return there;
    };
    auto const get = [&](auto const& view) {
      std::vector<float> values(static_cast<std::size_t>(view.count()));
      queue.fetch(values.data(), view.data(), values.size() * sizeof(values[0]));
      return values;
    };
    found[static_cast<std::size_t>(rank.rank())] = step<Layer, float>(on, of, rank.rank(), put, get);
  });
  return found;
}

template <class Dispatcher>
void check_all() {
  each_size([](sizes const& of) {
    CAPTURE(of.ranks);
    auto const expected = on_threads<layer_of<Dispatcher, sequential>, double, plain_gemm>(of);
    auto const got = on_streams<layer_of<Dispatcher, grouped>>(of);
    for (std::size_t rank = 0; rank < expected.size(); ++rank) {
      CAPTURE(rank);
      CHECK(apart(widened(got[rank].y), expected[rank].y) <= 2e-5);
      CHECK(apart(widened(got[rank].dx), expected[rank].dx) <= 2e-5);
      CHECK(apart(widened(got[rank].dgate), expected[rank].dgate) <= 2e-5);
      CHECK(apart(widened(got[rank].dfc1), expected[rank].dfc1) <= 2e-5);
      CHECK(apart(widened(got[rank].dfc2), expected[rank].dfc2) <= 2e-5);
    }
  });
}

}  // namespace

TEST_CASE("virtual ranks: a masked mixture is that of the host's threads") { check_all<by_mask>(); }
TEST_CASE("virtual ranks: a mixture that gathers tokens is that of the host's threads") {
  check_all<all_gather_dispatcher<>>();
}
TEST_CASE("virtual ranks: a mixture that exchanges rows is that of the host's threads") {
  check_all<all_to_all_dispatcher<>>();
}
TEST_CASE("virtual ranks: a mixture that sends rows to parts of experts is that of the host's threads") {
  check_all<flex_dispatcher<>>();
}
