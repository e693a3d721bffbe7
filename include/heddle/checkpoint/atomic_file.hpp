// SPDX-License-Identifier: Apache-2.0
// A file that appears whole or not at all: written beside its name, then renamed over it. Whoever has the old file open
// keeps the old bytes, and a failure at any point leaves the old file as it was. `Steps` hears of every step before the
// file system does: that is how tests stop a save at each of them.
#pragma once

#include <cstddef>
#include <cstdio>
#include <heddle/checkpoint/file.hpp>
#include <span>
#include <string>

namespace heddle::inline HEDDLE_ABI {
namespace checkpoint {

/// Nobody listens to the steps.
struct no_steps {
  void operator()(char const* /*step*/) const {}
};

/// Makes the names in the folder of `path` durable. Some file systems cannot sync a folder; its files are there anyhow.
inline void sync_folder(std::string const& path) {
  std::size_t const slash = path.find_last_of('/');
  std::string const folder = slash == std::string::npos ? "." : slash == 0 ? "/" : path.substr(0, slash);
  int const handle = ::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (handle < 0) return;
  ::fsync(handle);
  ::close(handle);
}

/// Write in pieces, then `commit`. Every failure is `error_kind::io` and leaves the old file in place. `steps(name)` is
/// called before each step.
template <class Steps>
class basic_atomic_file {
 public:
  /// Creates the temporary file beside `path`. Throws io where the folder cannot be written.
  explicit basic_atomic_file(std::string path, Steps steps = {}) : path_{std::move(path)}, steps_{std::move(steps)} {
    steps_("create");
    // The process number keeps processes apart, O_EXCL threads; leftovers of a killed process are passed by.
    for (int attempt = 0; attempt < 10'000; ++attempt) {
      temporary_ = path_ + ".part-" + std::to_string(::getpid()) + "-" + std::to_string(attempt);
      descriptor_ = ::open(temporary_.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOCTTY, 0666);
      if (descriptor_ >= 0) return;
      if (errno != EEXIST) break;
    }
    fail_io("write", path_, errno);
  }
  basic_atomic_file(basic_atomic_file const&) = delete;
  basic_atomic_file& operator=(basic_atomic_file const&) = delete;
  /// Without `commit`, removes what was written.
  ~basic_atomic_file() {
    if (descriptor_ >= 0) ::close(descriptor_);
    if (!temporary_.empty()) ::unlink(temporary_.c_str());
  }

  /// Appends.
  void write(std::span<std::byte const> bytes) {
    while (!bytes.empty()) {
      steps_("write");
      ssize_t const done = ::write(descriptor_, bytes.data(), bytes.size());
      if (done < 0 && errno == EINTR) continue;
      if (done <= 0) fail_io("write", path_, done < 0 ? errno : ENOSPC);
      bytes = bytes.subspan(static_cast<std::size_t>(done));
    }
  }

  /// Makes the bytes durable and gives them their name.
  void commit() {
    steps_("sync");
    if (::fsync(descriptor_) != 0) fail_io("write", path_, errno);
    int const closed = ::close(std::exchange(descriptor_, -1));
    if (closed != 0) fail_io("write", path_, errno);
    steps_("rename");
    if (::rename(temporary_.c_str(), path_.c_str()) != 0) fail_io("write", path_, errno);
    temporary_.clear();
    steps_("sync folder");
    sync_folder(path_);
  }

 private:
  std::string path_, temporary_;
  int descriptor_ = -1;
  Steps steps_;
};

/// The file that nobody listens to.
using atomic_file = basic_atomic_file<no_steps>;

}  // namespace checkpoint
}  // namespace heddle::inline HEDDLE_ABI
