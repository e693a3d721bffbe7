// SPDX-License-Identifier: Apache-2.0
// Starts moe_layer as a user does, on files made from layers of the oracle, and reads back what it writes.
#pragma once

#include "../support/moe_oracle.hpp"

#include <filesystem>
#include <heddle/core/dtype.hpp>
#include <optional>
#include <string>
#include <vector>

namespace process {

/// One tensor as a file holds it.
struct stored {
  heddle::dtype type{};
  heddle::shape_t shape;
  std::vector<std::byte> bytes;
};

/// An input file, before it is written: free to be broken.
struct input {
  std::map<std::string, stored> tensors;
  std::optional<std::string> config;

  /// The tensors of `of` as `type` (F32 or F64), with its settings.
  input(oracle::layer const& of, heddle::dtype type);
  void write(std::string const& path) const;
};

/// `of` with its values as float holds them, for runs in F32.
[[nodiscard]] oracle::layer in_float(oracle::layer of);

struct result {
  int code = -1;
  std::string out, err;
  [[nodiscard]] std::vector<std::string> lines() const;  ///< of stderr
};

/// Runs moe_layer with these arguments.
[[nodiscard]] result moe_layer(std::string const& arguments);
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

 private:
  std::filesystem::path path_;
};

[[nodiscard]] std::string text_of_file(std::filesystem::path const& path);
void write_file(std::filesystem::path const& path, std::string const& text);

}  // namespace process
