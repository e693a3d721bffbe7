// SPDX-License-Identifier: Apache-2.0
#include <heddle/concepts/communicator.hpp>

#include <doctest/doctest.h>
#include <heddle/host/self_communicator.hpp>
#include <heddle/host/thread_communicator.hpp>

using namespace heddle;

namespace {

struct no_agreement : host::self_communicator {
  void agree() = delete;
};

struct not_split : host::self_communicator {
  int split(int, int);
};

}  // namespace

TEST_CASE("the models are communicators, and near misses are not") {
  CHECK(communicator<host::self_communicator>);
  CHECK(communicator<host::thread_communicator>);
  CHECK(!communicator<no_agreement>);
  CHECK(!communicator<not_split>);
  CHECK(!communicator<int>);
}
