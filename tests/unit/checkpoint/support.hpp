// SPDX-License-Identifier: Apache-2.0
// What the checkpoint tests share: folders that go away, files made from text, headers made from parts.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <heddle/checkpoint/header.hpp>
#include <iterator>
#include <span>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace checkpoint_test {

/// An empty folder that goes with the object.
class folder {
 public:
  folder() {
    std::string name = (std::filesystem::temp_directory_path() / "heddle-test-XXXXXX").string();
    if (::mkdtemp(name.data()) == nullptr) throw std::runtime_error("no temporary folder");
    path_ = name;
  }
  folder(folder const&) = delete;
  folder& operator=(folder const&) = delete;
  ~folder() { std::filesystem::remove_all(path_); }
  [[nodiscard]] std::string path() const { return path_; }
  [[nodiscard]] std::string operator/(std::string const& name) const { return path_ + "/" + name; }
  [[nodiscard]] std::size_t files() const {
    return static_cast<std::size_t>(std::distance(std::filesystem::directory_iterator(path_), {}));
  }

 private:
  std::string path_;
};

inline void put(std::string const& path, std::string const& bytes) {
  std::ofstream out(path, std::ios::binary);
  out.write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
  if (!out) throw std::runtime_error("cannot write " + path);
}
inline std::string get(std::string const& path) {
  std::ifstream in(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>()};
}

inline std::span<std::byte const> bytes_of(std::string_view text) {
  return std::as_bytes(std::span{text.data(), text.size()});
}

/// 8 bytes, little-endian.
inline std::string number(std::uint64_t value) {
  std::string bytes;
  for (int i = 0; i < 8; ++i) bytes += static_cast<char>(value >> 8 * i & 0xffU);
  return bytes;
}
/// A file: the length of `json`, `json`, `data` bytes of zero.
inline std::string image(std::string const& json, std::size_t data = 0) {
  return number(json.size()) + json + std::string(data, '\0');
}
/// "name":{...}
inline std::string entry(std::string const& name, std::string const& dtype, std::string const& shape,
                         std::string const& offsets) {
  return "\"" + name + "\":{\"dtype\":\"" + dtype + "\",\"shape\":" + shape + ",\"data_offsets\":" + offsets + "}";
}

/// The code of the error that `action` throws; `none` where it throws nothing or another kind of error.
template <class Action>
heddle::checkpoint::format_code code_from(Action&& action) {
  try {
    action();
  } catch (heddle::error const& failure) {
    return heddle::checkpoint::code_of(failure);
  }
  return heddle::checkpoint::format_code::none;
}
/// The kind of the error that `action` throws, as text; "none" where it throws nothing.
template <class Action>
std::string kind_from(Action&& action) {
  try {
    action();
  } catch (heddle::error const& failure) {
    return std::string{heddle::name_of(failure.kind())};
  }
  return "none";
}

}  // namespace checkpoint_test

namespace heddle::inline HEDDLE_ABI {
namespace checkpoint {
// Found by the test framework: codes show by name.
inline std::ostream& operator<<(std::ostream& out, format_code code) { return out << std::string{name_of(code)}; }
}  // namespace checkpoint
}  // namespace heddle::inline HEDDLE_ABI
