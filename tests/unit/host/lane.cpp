// SPDX-License-Identifier: Apache-2.0
#include <heddle/host/lane.hpp>

#include <atomic>
#include <doctest/doctest.h>
#include <heddle/host/reference_gemm.hpp>
#include <stdexcept>
#include <vector>

using namespace heddle;

TEST_CASE("lane_thread: jobs run on another thread, one behind the other, and wait sees what they did") {
  host::lane_thread lane;
  std::vector<int> order;
  std::thread::id first, second;
  auto one = [&] {
    first = std::this_thread::get_id();
    order.push_back(1);
  };
  auto two = [&] {
    second = std::this_thread::get_id();
    order.push_back(2);
  };
  lane.wait();  // nothing has been started
  for (int i = 0; i < 100; ++i) {
    order.clear();
    lane.start(one);
    lane.start(two);
    lane.wait();
    CHECK(order == std::vector{1, 2});
  }
  CHECK(first == second);
  CHECK(first != std::this_thread::get_id());
}

TEST_CASE("lane_thread: what a job throws is thrown once, by wait; the lane goes on") {
  host::lane_thread lane;
  int done = 0;
  auto fails = [] { throw std::runtime_error{"first"}; };
  auto fails_too = [] { throw std::logic_error{"second"}; };
  auto works = [&] { ++done; };
  lane.start(fails);
  lane.start(fails_too);
  lane.start(works);
  CHECK_THROWS_WITH_AS(lane.wait(), "first", std::runtime_error);
  CHECK(done == 1);
  lane.wait();
  lane.start(fails);
  lane.settle();
  CHECK_THROWS_AS(lane.wait(), std::runtime_error);
  lane.start(fails);
  lane.rest();
  lane.wait();
  lane.start(works);
  lane.wait();
  CHECK(done == 2);
}

TEST_CASE("lane_thread: settle and rest wait too, and its end waits for the job that runs") {
  std::atomic<bool> go = false;
  int done = 0;
  auto slow = [&] {
    go.wait(false);
    ++done;
  };
  auto const release = [&] {
    go = true;
    go.notify_all();
  };
  {
    host::lane_thread lane;
    lane.start(slow);
    release();
    lane.settle();
    CHECK(done == 1);
    go = false;
    lane.start(slow);
    release();
    lane.rest();
    CHECK(done == 2);
    go = false;
    lane.start(slow);
    release();
  }
  CHECK(done == 3);
}

TEST_CASE("lane_thread: lanes without a job come and go") {
  for (int i = 0; i < 200; ++i) host::lane_thread const lane;
}

namespace {

template <class Execution>
concept has_second = requires(Execution& execution) {
  execution.lane();
};

}  // namespace

TEST_CASE("lane: jobs compute on its execution, in its workspace") {
  host::reference_gemm gemm;
  host::workspace scratch;
  host::lane lane{gemm, scratch, 2};
  CHECK(lane.execution().threads() == 2);
  CHECK(&lane.execution().scratch() == &scratch);
  static_assert(!has_second<host::execution<host::reference_gemm>>);  // what a lane has itself
  host::workspace::scope const scope{scratch};
  double* data = nullptr;
  auto job = [&] {
    data = lane.execution().allocate<double>(3);
    data[2] = 4;
  };
  lane.start(job);
  lane.wait();
  CHECK(data[2] == 4);
  CHECK(scratch.used_bytes() == 64);
}

TEST_CASE("execution: with a lane, with none yet, and without") {
  host::reference_gemm gemm;
  host::workspace scratch, beside;
  host::no_groups none;
  host::lane lane{gemm, beside};
  host::execution const with{gemm, none, scratch, 1, lane};
  static_assert(has_second<decltype(with)>);
  CHECK(with.lane() == &lane);
  host::execution<host::reference_gemm, host::no_groups, decltype(lane)> const not_yet{gemm, none, scratch};
  CHECK(not_yet.lane() == nullptr);
}
