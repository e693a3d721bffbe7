// SPDX-License-Identifier: Apache-2.0
// Starts hf_forward as a user does, and makes model folders that differ from a stored one.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

namespace process {

struct result {
  int code = -1;
  std::string out, err;
  [[nodiscard]] std::vector<std::string> lines() const;  ///< of stderr
};

/// Runs hf_forward with these arguments.
[[nodiscard]] result hf_forward(std::string const& arguments);
/// Runs it as `ranks` processes; lines of the launcher itself are taken out of `err`. `code` is the launcher's.
[[nodiscard]] result under_mpirun(int ranks, std::string const& arguments);
/// Whether there is a launcher; says that the test is skipped where there is none.
[[nodiscard]] bool has_mpi();

/// A folder that is gone at the end of its scope.
class scratch {
 public:
  scratch();
  scratch(scratch const&) = delete;
  scratch& operator=(scratch const&) = delete;
  ~scratch();
  [[nodiscard]] std::filesystem::path const& path() const { return path_; }
  [[nodiscard]] std::string file(std::string const& name) const { return (path_ / name).string(); }
  /// A copy of a model of tests/golden, free to be broken; the folder's path.
  [[nodiscard]] std::string copy_of(std::string const& model) const;

 private:
  std::filesystem::path path_;
};

[[nodiscard]] std::string text_of_file(std::filesystem::path const& path);
void write_file(std::filesystem::path const& path, std::string const& text);
/// Replaces the first `from` in a file; false where there is none.
[[nodiscard]] bool replace_in(std::filesystem::path const& path, std::string const& from, std::string const& to);

}  // namespace process
