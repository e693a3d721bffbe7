// SPDX-License-Identifier: Apache-2.0
// Whole tensors in double, filled with distinct values, and the parts of them that ranks hold.
#pragma once

#include <cstring>
#include <heddle/placement/box.hpp>
#include <heddle/tensor/view.hpp>
#include <string>
#include <utility>
#include <vector>

namespace support {

using heddle::box;
using heddle::index_t;
using heddle::shape_t;

/// A small generator that gives the same numbers everywhere.
class generator {
 public:
  explicit generator(std::uint64_t seed) : state_{seed} {}
  std::uint64_t operator()() {
    std::uint64_t z = (state_ += 0x9e3779b97f4a7c15U);
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9U;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebU;
    return z ^ (z >> 31);
  }

 private:
  std::uint64_t state_;
};

struct tensor {
  shape_t shape;
  std::vector<double> data;

  [[nodiscard]] index_t operator[](std::size_t axis) const { return shape[axis]; }
};

inline index_t count_of(shape_t const& shape) {
  index_t product = 1;
  for (index_t size : shape) product *= size;
  return product;
}

/// Distinct values, evenly spread over (-scale, scale) and shuffled, so that no element can stand in for another.
inline tensor distinct(shape_t shape, std::uint64_t seed, double scale = 1) {
  index_t const count = count_of(shape);
  tensor result{std::move(shape), {}};
  for (index_t i = 0; i < count; ++i) {
    result.data.push_back(
        static_cast<float>(scale * (2 * (static_cast<double>(i) + 0.5) / static_cast<double>(count) - 1)));
  }
  generator next{seed};
  for (std::size_t i = result.data.size(); i > 1; --i) std::swap(result.data[i - 1], result.data[next() % i]);
  return result;
}

/// The same values as `T` holds them.
template <class T>
tensor rounded(tensor x) {
  for (double& value : x.data) {
    if constexpr (std::is_same_v<T, double>) continue;
    else value = static_cast<double>(static_cast<float>(static_cast<T>(static_cast<float>(value))));
  }
  return x;
}

/// The elements that `part` owns, in storage order.
template <class T>
std::vector<T> cut(tensor const& whole, box const& part) {
  std::vector<std::size_t> offsets{0};
  for (std::size_t axis = 0; axis < part.axes.size(); ++axis) {
    std::vector<std::size_t> next;
    for (std::size_t const offset : offsets) {
      for (heddle::range const piece : part.axes[axis]) {
        for (index_t i = piece.begin; i < piece.end(); ++i) {
          next.push_back(offset * static_cast<std::size_t>(whole.shape[axis]) + static_cast<std::size_t>(i));
        }
      }
    }
    offsets = std::move(next);
  }
  std::vector<T> result;
  for (std::size_t const offset : offsets) {
    if constexpr (std::is_same_v<T, double>) result.push_back(whole.data[offset]);
    else result.push_back(static_cast<T>(static_cast<float>(whole.data[offset])));
  }
  return result;
}
template <class T>
std::vector<T> all_of(tensor const& whole) {
  return cut<T>(whole, box::all(whole.shape));
}

template <class T>
double as_double(T value) {
  if constexpr (std::is_same_v<T, double>) return value;
  else return static_cast<double>(static_cast<float>(value));
}

template <class T>
bool same_bits(std::vector<T> const& a, std::vector<T> const& b) {
  return a.size() == b.size() && (a.empty() || std::memcmp(a.data(), b.data(), a.size() * sizeof(T)) == 0);
}

inline std::string text(shape_t const& shape) {
  std::string list;
  for (index_t size : shape) list += (list.empty() ? "[" : ", ") + std::to_string(size);
  return list + "]";
}

// Views of vectors.
template <class T>
heddle::rows<T const> rows_of(std::vector<T> const& data, index_t height, index_t width) {
  return {data.data(), heddle::extents<heddle::tokens, heddle::hidden>{height, width}};
}
template <class T>
heddle::matrix<T const> matrix_of(std::vector<T> const& data, index_t out, index_t in) {
  return {data.data(), heddle::extents<heddle::out_features, heddle::in_features>{out, in}};
}
template <class T>
heddle::matrices<T const> matrices_of(std::vector<T> const& data, index_t count, index_t out, index_t in) {
  return {data.data(), heddle::extents<heddle::experts, heddle::out_features, heddle::in_features>{count, out, in}};
}
template <class T>
heddle::vector_view<T const> vector_of(std::vector<T> const& data) {
  return {data.data(), heddle::extents<heddle::hidden>{static_cast<index_t>(data.size())}};
}

}  // namespace support
