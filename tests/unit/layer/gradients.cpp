// SPDX-License-Identifier: Apache-2.0
#include <heddle/layer/gradients.hpp>

#include "numbers.hpp"

#include <algorithm>
#include <doctest/doctest.h>

using namespace heddle;
using support::matrices_of;
using support::matrix_of;
using support::vector_of;

namespace {

template <class View>
bool all_zero(View of) {
  return std::all_of(of.data(), of.data() + of.count(), [](auto x) { return x == 0; });
}
/// `body(execution)` with memory that is not zero.
template <class Body>
void with_execution(Body const& body) {
  support::on_ranks<tp>(mesh<tp>{1}, 1, [&](auto& tools) {
    {
      host::workspace::scope const scope{tools.scratch};
      std::fill_n(tools.execution.template allocate<float>(4096), 4096, 7.0F);
    }
    body(tools.execution);
  });
}

}  // namespace

TEST_CASE("zero_gradients: zeros of the parameter's shape, in the type that sums run in") {
  std::vector<bf16> const w(6);
  std::vector<bf16> const b(3);
  with_execution([&](auto& execution) {
    linear_gradient<bf16> const g = zero_gradients(execution, linear<bf16>{matrix_of(w, 3, 2), 3, 2, vector_of(b)});
    static_assert(std::same_as<decltype(g.weight), matrix<float>>);
    CHECK(g.weight.shape() == extents<out_features, in_features>{3, 2});
    CHECK(g.bias.count() == 3);
    CHECK((all_zero(g.weight) && all_zero(g.bias)));
    CHECK(g.bias.data() != g.weight.data());
  });
}

TEST_CASE("zero_gradients: a parameter that is not there has no gradient") {
  std::vector<float> const w(6);
  with_execution([&](auto& execution) {
    auto const g = zero_gradients(execution, linear<float>{matrix_of(w, 3, 2), 3, 2});
    CHECK(g.bias.data() == nullptr);
    CHECK(g.bias.count() == 0);
  });
}

TEST_CASE("zero_gradients: norms, tables, projections, mixtures, and a tuple of them") {
  std::vector<double> const w(24);
  with_execution([&](auto& execution) {
    CHECK(zero_gradients(execution, norm_weight<double>{vector_of(w)}).weight.count() == 24);
    auto const table = zero_gradients(execution, embedding_table<double>{matrix_of(w, 6, 4), 6, 4});
    CHECK(table.weight.shape() == extents<out_features, in_features>{6, 4});
    auto const sliced = zero_gradients(execution, sliced_linear<double>{{matrix_of(w, 4, 6), 4, 6}, 3});
    CHECK(sliced.projection.weight.count() == 24);
    moe_weights<double> layer{};
    layer.gate = {matrix_of(w, 3, 8), 3, 8};
    layer.fc1 = {matrices_of(w, 3, 4, 2), 3, 4, 2};
    layer.fc2 = {matrices_of(w, 2, 3, 4), 2, 3, 4};
    auto const all = zero_gradients(execution, layer);
    CHECK(all.gate.weight.count() == 24);
    CHECK(all.fc1.weight.shape() == extents<experts, out_features, in_features>{3, 4, 2});
    CHECK(all.fc2.weight.shape() == extents<experts, out_features, in_features>{2, 3, 4});
    CHECK((all_zero(all.fc1.weight) && all_zero(all.fc2.weight)));
    auto const both = zero_gradients(execution, std::tuple{norm_weight<double>{vector_of(w)}, layer});
    CHECK(std::get<1>(both).fc2.weight.count() == 24);
  });
}

TEST_CASE("zero_gradients: a part without elements") {
  std::vector<float> const none;
  with_execution([&](auto& execution) {
    auto const g = zero_gradients(execution, linear<float>{matrix_of(none, 0, 5), 7, 5});
    CHECK(g.weight.count() == 0);
    CHECK(g.weight.template size<in_features>() == 5);
  });
}

TEST_CASE("zero_gradients: what is stored transposed has a transposed gradient") {
  std::vector<float> const w(24);
  std::vector<float> const b(8);
  with_execution([&](auto& execution) {
    using order = in_out::matrices;
    moe_weights<float, host_memory, in_out> weights{};
    weights.fc1 = {{w.data(), order{2, 3, 4}}, 2, 4, 3, {b.data(), extents<experts, out_features>{2, 4}}};
    moe_gradients<float, host_memory, in_out> const g = zero_gradients(execution, weights);
    CHECK(g.fc1.weight.shape() == order{2, 3, 4});
    CHECK(g.fc1.bias.shape() == extents<experts, out_features>{2, 4});
    CHECK(all_zero(g.fc1.weight));
    CHECK(all_zero(g.fc1.bias));
  });
}
