// SPDX-License-Identifier: Apache-2.0
#include <heddle/cuda/product.hpp>

#include <doctest/doctest.h>

#include <heddle/tensor/view.hpp>
#include <string>
#include <vector>

using namespace heddle;
using cuda::product;

namespace {

using numbers = std::vector<double>;

numbers some(index_t count, int seed) {
  numbers values;
  for (index_t i = 0; i < count; ++i) values.push_back(static_cast<double>((i * 37 + seed * 11) % 23 - 11));
  return values;
}
double& at(numbers& of, index_t i) { return of[static_cast<std::size_t>(i)]; }

/// What cuBLAS documents of a product by columns.
void multiply(product const& p, numbers first, numbers second, numbers& out) {
  for (index_t j = 0; j < p.n; ++j) {
    for (index_t i = 0; i < p.m; ++i) {
      double sum = p.adds ? at(out, i + j * p.out_stride) : 0;
      for (index_t l = 0; l < p.k; ++l) {
        double const a = at(first, p.first_turned ? l + i * p.first_stride : i + l * p.first_stride);
        double const b = at(second, p.second_turned ? j + l * p.second_stride : l + j * p.second_stride);
        sum += a * b;
      }
      at(out, i + j * p.out_stride) = sum;
    }
  }
}

struct sizes {
  index_t rows, out, in;
};
constexpr sizes shapes[] = {{5, 3, 7}, {1, 1, 1}, {2, 8, 1}, {4, 1, 6}, {0, 3, 2}, {3, 0, 2}, {3, 2, 0}};

}  // namespace

TEST_CASE("product: y = x w^T") {
  for (auto const [rows, out, in] : shapes) {
    auto x = some(rows * in, 1), w = some(out * in, 2);
    numbers y(static_cast<std::size_t>(rows * out), 99.0);
    multiply(cuda::forward_product(rows, out, in), w, x, y);
    for (index_t t = 0; t < rows; ++t) {
      for (index_t o = 0; o < out; ++o) {
        double expected = 0;
        for (index_t i = 0; i < in; ++i) expected += at(x, t * in + i) * at(w, o * in + i);
        CHECK(at(y, t * out + o) == expected);
      }
    }
  }
}

TEST_CASE("product: y = x w, the gradient of an input") {
  for (auto const [rows, out, in] : shapes) {
    auto x = some(rows * out, 3), w = some(out * in, 4);
    numbers y(static_cast<std::size_t>(rows * in), 99.0);
    multiply(cuda::input_gradient_product(rows, out, in), w, x, y);
    for (index_t t = 0; t < rows; ++t) {
      for (index_t i = 0; i < in; ++i) {
        double expected = 0;
        for (index_t o = 0; o < out; ++o) expected += at(x, t * out + o) * at(w, o * in + i);
        CHECK(at(y, t * in + i) == expected);
      }
    }
  }
}

TEST_CASE("product: dw += dy^T x, the gradient of a weight") {
  for (auto const [rows, out, in] : shapes) {
    auto x = some(rows * in, 5), dy = some(rows * out, 6), dw = some(out * in, 7);
    auto const before = dw;
    multiply(cuda::weight_gradient_product(rows, out, in), x, dy, dw);
    for (index_t o = 0; o < out; ++o) {
      for (index_t i = 0; i < in; ++i) {
        double expected = before[static_cast<std::size_t>(o * in + i)];
        for (index_t t = 0; t < rows; ++t) expected += at(dy, t * out + o) * at(x, t * in + i);
        CHECK(at(dw, o * in + i) == expected);
      }
    }
  }
}

TEST_CASE("product: nothing to write, something to clear, and strides that an empty matrix still has") {
  CHECK(cuda::forward_product(0, 3, 2).empty());
  CHECK(cuda::forward_product(3, 0, 2).empty());
  CHECK_FALSE(cuda::forward_product(3, 2, 0).empty());  // zeros
  CHECK(cuda::forward_product(3, 2, 0).first_stride == 1);
  CHECK(cuda::weight_gradient_product(3, 0, 2).second_stride == 1);
  CHECK(cuda::forward_product(index_t{1} << 33, 2, 3).n == index_t{1} << 33);
}

TEST_CASE("product: sizes that do not fit are refused in numbers") {
  auto const view_of = [](index_t a, index_t b) { return rows<float>{nullptr, extents<tokens, hidden>{a, b}}; };
  CHECK_NOTHROW(cuda::check_product("multiply", view_of(4, 3), view_of(4, 2), view_of(3, 2)));
  auto const text = [&](auto wide, auto narrow) {
    try {
      cuda::check_product("multiply", wide, narrow, view_of(3, 2), 5);
    } catch (error const& problem) {
      CHECK(problem.kind() == error_kind::shape);
      CHECK(problem.rank() == 5);
      return problem.text();
    }
    return std::string{};
  };
  CHECK(text(view_of(4, 3), view_of(5, 2)) == "multiply: weights [3, 2] between inputs [5, 2] and outputs [4, 3]");
  CHECK_FALSE(text(view_of(4, 2), view_of(4, 2)).empty());
  CHECK_FALSE(text(view_of(4, 3), view_of(4, 3)).empty());
}
