// SPDX-License-Identifier: Apache-2.0
// A file that appears whole or not at all: written beside its name, then renamed over it. Whoever has the old file open
// keeps the old bytes, and a failure at any point leaves the old file as it was.
#pragma once

#include <cstddef>
#include <cstdio>
#include <heddle/checkpoint/file.hpp>
#include <span>
#include <string>

namespace heddle::inline HEDDLE_ABI {
namespace checkpoint {

/// Write in pieces, then `commit`. Every failure is `error_kind::io` and leaves the old file in place.
class atomic_file {
 public:
  /// Creates the temporary file beside `path`. Throws io where the folder cannot be written.
  explicit atomic_file(std::string path) : path_{std::move(path)} {
    // The process number keeps processes apart, O_EXCL threads; leftovers of a killed process are passed by.
    for (int attempt = 0; attempt < 10'000; ++attempt) {
      temporary_ = path_ + ".part-" + std::to_string(::getpid()) + "-" + std::to_string(attempt);
      descriptor_ = ::open(temporary_.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOCTTY, 0666);
      if (descriptor_ >= 0) return;
      if (errno != EEXIST) break;
    }
    fail_io("write", path_, errno);
  }
  atomic_file(atomic_file const&) = delete;
  atomic_file& operator=(atomic_file const&) = delete;
  /// Without `commit`, removes what was written.
  ~atomic_file() {
    if (descriptor_ >= 0) ::close(descriptor_);
    if (!temporary_.empty()) ::unlink(temporary_.c_str());
  }

  /// Appends.
  void write(std::span<std::byte const> bytes) {
    while (!bytes.empty()) {
      ssize_t const done = ::write(descriptor_, bytes.data(), bytes.size());
      if (done < 0 && errno == EINTR) continue;
      if (done <= 0) fail_io("write", path_, done < 0 ? errno : ENOSPC);
      bytes = bytes.subspan(static_cast<std::size_t>(done));
    }
  }

  /// Makes the bytes durable and gives them their name.
  void commit() {
    if (::fsync(descriptor_) != 0) fail_io("write", path_, errno);
    int const closed = ::close(std::exchange(descriptor_, -1));
    if (closed != 0) fail_io("write", path_, errno);
    if (::rename(temporary_.c_str(), path_.c_str()) != 0) fail_io("write", path_, errno);
    temporary_.clear();
    // The name is durable once its folder is; some file systems cannot sync a folder, and the file is there anyhow.
    std::size_t const slash = path_.find_last_of('/');
    std::string const folder = slash == std::string::npos ? "." : slash == 0 ? "/" : path_.substr(0, slash);
    int const handle = ::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (handle >= 0) {
      ::fsync(handle);
      ::close(handle);
    }
  }

 private:
  std::string path_, temporary_;
  int descriptor_ = -1;
};

}  // namespace checkpoint
}  // namespace heddle::inline HEDDLE_ABI
