// SPDX-License-Identifier: Apache-2.0
#include <heddle/mpi/options.hpp>

#include <doctest/doctest.h>

using namespace heddle;

TEST_CASE("exit codes by kind of error, and a deadline that is finite unless asked otherwise") {
  CHECK(mpi::exit_code_of(error_kind::timeout) == 75);
  CHECK(mpi::exit_code_of(error_kind::mismatch) == 76);
  CHECK(mpi::exit_code_of(error_kind::peer_left) == 77);
  CHECK(mpi::exit_code_of(error_kind::argument) == 77);
  CHECK(mpi::options{}.put == mpi::put_mode::automatic);
  CHECK(mpi::options{}.deadline == std::chrono::seconds{60});
#if defined(NDEBUG)
  CHECK(mpi::options{}.check == mpi::check_mode::off);
#else
  CHECK(mpi::options{}.check == mpi::check_mode::on);
#endif
}
