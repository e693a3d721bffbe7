// SPDX-License-Identifier: Apache-2.0
// The same work on threads and on processes: all that a rank finds must have the same bits on both.
#pragma once

#include "mpi_world.hpp"

#include <cstring>
#include <heddle/host/thread_world.hpp>
#include <heddle/tensor/extents.hpp>
#include <mutex>
#include <span>
#include <string>
#include <type_traits>
#include <vector>

namespace support {

/// What a rank has found, by name.
class findings {
 public:
  template <class T>
  void put(std::string name, std::span<T> values) {
    auto const bytes = std::as_bytes(values);
    parts_.push_back({std::move(name), {bytes.begin(), bytes.end()}});
  }
  template <class T>
  void put(std::string name, std::vector<T> const& values) {
    put(std::move(name), std::span<T const>{values});
  }
  template <class T>
    requires std::is_arithmetic_v<T>
  void put(std::string name, T value) { put(std::move(name), std::span<T const>{&value, 1}); }
  /// The elements of a view.
  template <class View>
    requires requires(View const& view) { view.row_size(); }
  void put(std::string name, View const& view) {
    put(std::move(name), std::span{view.data(), static_cast<std::size_t>(view.count())});
  }

  /// "" where `other` is the same, bit for bit.
  [[nodiscard]] std::string unlike(findings const& other) const {
    if (parts_.empty() || parts_.size() != other.parts_.size()) return "nothing to compare";
    for (std::size_t i = 0; i < parts_.size(); ++i) {
      auto const& [name, bytes] = parts_[i];
      if (name != other.parts_[i].name || bytes != other.parts_[i].bytes) return name + " differs";
    }
    return "";
  }

 private:
  struct part {
    std::string name;
    std::vector<std::byte> bytes;
  };
  std::vector<part> parts_;
};

/// `body(communicator)` gives `findings` on every rank of a world of this size. "" where this process finds what the
/// thread of its number does.
template <class World, class Body>
std::string unlike_threads(World& world, Body const& body) {
  std::vector<findings> expected(static_cast<std::size_t>(world.size()));
  try {
    heddle::host::thread_world threads{world.size(), {.deadline = std::chrono::seconds{30}}};
    heddle::host::run(threads, [&](heddle::host::thread_communicator& rank) {
      expected[static_cast<std::size_t>(rank.rank())] = body(rank);
    });
  } catch (std::exception const& problem) {
    return problem.what();
  }
  findings const got = body(world);
  std::string const problem = got.unlike(expected[static_cast<std::size_t>(world.rank())]);
  return problem.empty() ? "" : "rank " + std::to_string(world.rank()) + ": " + problem;
}

}  // namespace support
