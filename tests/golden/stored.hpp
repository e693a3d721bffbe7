// SPDX-License-Identifier: Apache-2.0
// A file of golden values: tensors as vectors, and the settings of its cases.
#pragma once

#include <cstdlib>
#include <heddle/checkpoint/open.hpp>
#include <heddle/checkpoint/read.hpp>
#include <heddle/kernel/team.hpp>
#include <mutex>
#include <nlohmann/json.hpp>
#include <set>
#include <string>
#include <vector>

namespace golden {

using heddle::index_t;

inline std::string folder() {
  char const* const moved = std::getenv("HEDDLE_GOLDEN_DIR");
  return moved != nullptr ? moved : HEDDLE_GOLDEN_DIR;
}

/// What this program's tests have read so far, as "file:tensor".
class reads {
 public:
  static void note(std::string const& path, std::string const& name) {
    std::lock_guard const lock{all().mutex_};
    all().names_.insert(path + ":" + name);
  }
  [[nodiscard]] static bool has(std::string const& path, std::string const& name) {
    std::lock_guard const lock{all().mutex_};
    return all().names_.contains(path + ":" + name);
  }

 private:
  static reads& all() {
    static reads every;
    return every;
  }
  std::mutex mutex_;
  std::set<std::string> names_;
};

class stored {
 public:
  explicit stored(std::string const& path) : path_{path}, files_{heddle::checkpoint::open(folder() + "/" + path)} {}

  [[nodiscard]] bool has(std::string const& name) const { return files_.find(name) != nullptr; }
  [[nodiscard]] heddle::shape_t const& shape(std::string const& name) const { return files_.at(name).shape; }
  [[nodiscard]] index_t height(std::string const& name) const { return shape(name).at(0); }
  [[nodiscard]] index_t width(std::string const& name) const { return shape(name).at(1); }
  template <class T = float>
  [[nodiscard]] std::vector<T> all(std::string const& name) const {
    reads::note(path_, name);
    heddle::box const where = heddle::box::all(shape(name));
    std::vector<T> values(static_cast<std::size_t>(where.count()));
    heddle::checkpoint::read<T>(files_, name, where, values);
    return values;
  }
  /// The entry of the metadata, as JSON.
  [[nodiscard]] nlohmann::json config(std::string const& entry = "config") const {
    return nlohmann::json::parse(files_.metadata().at(entry));
  }
  /// The cases whose names begin so.
  [[nodiscard]] std::vector<std::string> cases(std::string const& begin) const {
    std::vector<std::string> found;
    for (auto const& [key, value] : files_.metadata()) {
      if (key.starts_with("config." + begin)) found.push_back(key.substr(7));
    }
    return found;
  }
  /// The tensors whose numbers no test has read, when all tests of the file have run.
  [[nodiscard]] std::string unread() const {
    std::string found;
    for (std::string_view const name : files_.names())
      if (!reads::has(path_, std::string{name})) found += std::string{name} + " ";
    return found;
  }

 private:
  std::string path_;
  heddle::checkpoint::archive files_;
};

template <class T>
heddle::rows<T> rows_of(std::vector<std::remove_const_t<T>>& values, index_t width) {
  return {values.data(), heddle::extents<heddle::tokens, heddle::hidden>{
                             width == 0 ? 0 : static_cast<index_t>(values.size()) / width, width}};
}
template <class T>
heddle::rows<T const> rows_of(std::vector<T> const& values, index_t width) {
  return {values.data(), heddle::extents<heddle::tokens, heddle::hidden>{
                             width == 0 ? 0 : static_cast<index_t>(values.size()) / width, width}};
}
template <class T>
heddle::slot_view<T> slots_of(std::vector<T>& values, index_t k) {
  return {values.data(), heddle::extents<heddle::tokens, heddle::slots>{static_cast<index_t>(values.size()) / k, k}};
}
template <class T>
heddle::per_row<T> list_of(std::vector<T>& values) {
  return {values.data(), heddle::extents<heddle::tokens>{static_cast<index_t>(values.size())}};
}

/// Runs a kernel on every row, one behind the other.
template <class Kernel>
void launch(Kernel const& kernel, index_t count) {
  for (index_t row = 0; row < count; ++row) kernel(heddle::serial_team{}, row);
}

}  // namespace golden
