// SPDX-License-Identifier: Apache-2.0
#include <heddle/checkpoint/atomic_file.hpp>

#include <doctest/doctest.h>

#include <csignal>
#include <sys/resource.h>
#include <sys/wait.h>

#include "support.hpp"

using namespace checkpoint_test;
using heddle::checkpoint::atomic_file;

TEST_CASE("atomic_file: the file appears with the commit, and nothing else stays") {
  folder const place;
  {
    atomic_file target{place / "f"};
    target.write(bytes_of("abc"));
    target.write(bytes_of("def"));
    CHECK_FALSE(std::filesystem::exists(place / "f"));
    target.commit();
    CHECK(get(place / "f") == "abcdef");
  }
  CHECK(get(place / "f") == "abcdef");
  CHECK(place.files() == 1);
}

TEST_CASE("atomic_file: without a commit the old file stays") {
  folder const place;
  put(place / "f", "old");
  {
    atomic_file target{place / "f"};
    target.write(bytes_of("new"));
  }
  CHECK(get(place / "f") == "old");
  CHECK(place.files() == 1);
}

TEST_CASE("atomic_file: two writers of one file do not meet") {
  folder const place;
  atomic_file first{place / "f"}, second{place / "f"};
  first.write(bytes_of("first"));
  second.write(bytes_of("second"));
  second.commit();
  CHECK(get(place / "f") == "second");
  first.commit();
  CHECK(get(place / "f") == "first");
  CHECK(place.files() == 1);
}

TEST_CASE("atomic_file: folders that cannot be written") {
  folder const place;
  CHECK(kind_from([&] { atomic_file{place / "missing/f"}; }) == "io");
  put(place / "file", "");
  CHECK(kind_from([&] { atomic_file{place / "file/f"}; }) == "io");
  CHECK(kind_from([] { atomic_file{"/proc/heddle"}; }) == "io");  // also for root
  std::filesystem::create_directory(place / "folder");
  CHECK(kind_from([&] { atomic_file{place / "folder"}.commit(); }) == "io");  // the name is taken by a folder
  CHECK(std::filesystem::is_directory(place / "folder"));
  CHECK(place.files() == 2);
}

TEST_CASE("atomic_file: a disk that is full leaves the old file") {
  folder const place;
  put(place / "f", "old");
  // A limit on the size of files stands for the full disk; in a process of its own, since it cannot be raised again.
  pid_t const child = ::fork();
  REQUIRE(child >= 0);
  if (child == 0) {
    ::signal(SIGXFSZ, SIG_IGN);
    rlimit const limit{1000, 1000};
    ::setrlimit(RLIMIT_FSIZE, &limit);
    bool const refused = kind_from([&] {
                           atomic_file target{place / "f"};
                           std::string const bytes(600, 'x');
                           target.write(bytes_of(bytes));
                           target.write(bytes_of(bytes));
                           target.commit();
                         }) == "io";
    ::_exit(refused && get(place / "f") == "old" && place.files() == 1 ? 0 : 1);
  }
  int status = 0;
  REQUIRE(::waitpid(child, &status, 0) == child);
  CHECK(WIFEXITED(status));
  CHECK(WEXITSTATUS(status) == 0);
}

TEST_CASE("atomic_file: a process that is killed leaves the old file") {
  folder const place;
  put(place / "f", "old");
  pid_t const child = ::fork();
  REQUIRE(child >= 0);
  if (child == 0) {
    atomic_file target{place / "f"};
    target.write(bytes_of("new"));
    ::kill(::getpid(), SIGKILL);
  }
  int status = 0;
  REQUIRE(::waitpid(child, &status, 0) == child);
  CHECK(WIFSIGNALED(status));
  CHECK(get(place / "f") == "old");
}

TEST_CASE("atomic_file: every step is announced before it happens, and one that throws leaves the old file") {
  folder const place;
  struct listener {
    std::vector<std::string>* heard;
    std::string refused;
    void operator()(char const* step) const {
      heard->push_back(step);
      if (refused == step) throw heddle::error(heddle::error_kind::io, refused);
    }
  };
  std::vector<std::string> const steps{"create", "write", "write", "sync", "rename", "sync folder"};
  for (std::string const& refused : {std::string{}, steps[0], steps[1], steps[3], steps[4]}) {
    CAPTURE(refused);
    put(place / "f", "old");
    std::vector<std::string> heard;
    bool const good = kind_from([&] {
                        heddle::checkpoint::basic_atomic_file<listener> target{place / "f", {&heard, refused}};
                        target.write(bytes_of("ne"));
                        target.write(bytes_of("w"));
                        target.commit();
                      }) == "none";
    CHECK(good == refused.empty());
    CHECK(get(place / "f") == (good ? "new" : "old"));
    CHECK(place.files() == 1);
    if (good) CHECK(heard == steps);
    else CHECK(heard.back() == refused);
  }
}
