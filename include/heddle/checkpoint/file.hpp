// SPDX-License-Identifier: Apache-2.0
// A regular file open for reading at any offset. Reads are pread into the caller's memory, never a mapping: a file that
// shrinks or a network that goes away gives an error, not a signal.
#pragma once

#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <fcntl.h>
#include <heddle/checkpoint/format_code.hpp>
#include <span>
#include <string>
#include <sys/stat.h>
#include <unistd.h>
#include <utility>

namespace heddle::inline HEDDLE_ABI {
namespace checkpoint {

/// Throws `error_kind::io`: the operating system refused `action` on `path`.
[[noreturn]] inline void fail_io(char const* action, std::string const& path, int reason) {
  throw error(error_kind::io,
              std::string{"cannot "}.append(action).append(" '").append(path).append("': ") + std::strerror(reason));
}

/// Owns a descriptor, moves, and reads at offsets. Every failure of the operating system is `error_kind::io`.
class file {
 public:
  /// Opens a regular file. A pipe, a directory or a device is `not_regular`, without waiting for a writer.
  explicit file(std::string path) : path_{std::move(path)} {
    descriptor_ = ::open(path_.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    if (descriptor_ < 0) fail_io("open", path_, errno);
    try {
      size_ = size_now();
    } catch (...) {
      ::close(descriptor_);
      throw;
    }
  }
  /// What is left behind can only be assigned to or destroyed.
  file(file&& other) noexcept
      : path_{std::move(other.path_)}, size_{other.size_}, descriptor_{std::exchange(other.descriptor_, -1)} {}
  file& operator=(file&& other) noexcept {
    std::swap(path_, other.path_);
    std::swap(size_, other.size_);
    std::swap(descriptor_, other.descriptor_);
    return *this;
  }
  ~file() {
    if (descriptor_ >= 0) ::close(descriptor_);
  }

  /// The name it was opened by.
  [[nodiscard]] std::string const& path() const { return path_; }
  /// Bytes, when it was opened.
  [[nodiscard]] std::uint64_t size() const { return size_; }

  /// Fills `out` with the bytes from `offset` on; `short_read` where the file ends before. Safe from several threads.
  void read(std::uint64_t offset, std::span<std::byte> out) const {
    while (!out.empty()) {
      ssize_t const got = ::pread(descriptor_, out.data(), out.size(), static_cast<off_t>(offset));
      if (got < 0 && errno == EINTR) continue;
      if (got < 0) fail_io("read", path_, errno);
      if (got == 0) {
        fail(format_code::short_read,
             path_ + ": the file ends at byte " + std::to_string(offset) + ", " + std::to_string(out.size()) +
                 " bytes too early",
             "the file was cut while it was being read; fetch it again");
      }
      offset += static_cast<std::uint64_t>(got);
      out = out.subspan(static_cast<std::size_t>(got));
    }
  }

  /// Throws `size_changed` unless the file is as long as when it was opened.
  void require_unchanged() const {
    std::uint64_t const now = size_now();
    if (now != size_) {
      fail(format_code::size_changed,
           path_ + ": had " + std::to_string(size_) + " bytes when it was opened, has " + std::to_string(now),
           "wait until nothing writes to it any more");
    }
  }

 private:
  [[nodiscard]] std::uint64_t size_now() const {
    struct stat facts {};
    if (::fstat(descriptor_, &facts) != 0) fail_io("inspect", path_, errno);
    if (!S_ISREG(facts.st_mode)) fail(format_code::not_regular, path_ + ": not a regular file");
    return static_cast<std::uint64_t>(facts.st_size);
  }

  std::string path_;
  std::uint64_t size_ = 0;
  int descriptor_ = -1;
};

}  // namespace checkpoint
}  // namespace heddle::inline HEDDLE_ABI
