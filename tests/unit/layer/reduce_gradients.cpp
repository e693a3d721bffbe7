// SPDX-License-Identifier: Apache-2.0
#include <heddle/layer/reduce_gradients.hpp>

#include "numbers.hpp"

#include <doctest/doctest.h>
#include <heddle/style/embedding.hpp>
#include <heddle/style/linear.hpp>
#include <heddle/style/norm.hpp>

using namespace heddle;
using namespace numbers;
using support::matrix_of;

namespace {

template <class Group>
using dealt = on<Group, sharded<tokens, as_given>>;
using data_grid = mesh<tp, cp, dp>;
template <class Style, class Start>
using reduction = detail::reduction_of<Style, Start>;

/// A replicated style of one number, whose gradient on every rank and micro-batch is 1.
struct one_number {
  list const w{5}, x{1}, dy{1};
  linear<float> const weights{matrix_of(w, 1, 1), 1, 1};

  template <class Tools, class Gradients>
  void micro_batch(Tools& tools, Gradients const& gradients) const {
    auto const [y, saved] =
        forward<replicated_linear>(tools.execution, weights, activation<float const>{support::rows_of(x, 1, 1), 1});
    static_cast<void>(backward<replicated_linear>(tools.execution, weights, saved,
                                                  activation<float const>{support::rows_of(dy, 1, 1), 1}, gradients));
  }
};

struct gather_tokens {
  static constexpr fixed_string name = "gather_tokens";
  using weight = placement<>;
  using bias = placement<>;
  using forward = sequence<unsplit<tp, tokens>>;
  using backward = conjugate_t<forward>;
};

}  // namespace

TEST_CASE("reduce_gradients: three micro-batches on four ranks are 12, not 84") {
  one_number const one;
  support::on_ranks<dp>(mesh<dp>{4}, 1, [&](auto& tools) {
    auto const gradients = zero_gradients(tools.execution, one.weights);
    for (int batch = 0; batch < 3; ++batch) one.micro_batch(tools, gradients);
    CHECK(gradients.weight(0, 0) == 3);
    reduce_gradients<sum, replicated_linear, placement<dealt<dp>>>(tools.execution, gradients);
    CHECK(gradients.weight(0, 0) == 12);
  });
}

TEST_CASE("reduce_gradients: without a start placement nothing is known to be dealt, and nothing is reduced") {
  one_number const one;
  support::on_ranks<dp>(mesh<dp>{4}, 1, [&](auto& tools) {
    auto const gradients = zero_gradients(tools.execution, one.weights);
    one.micro_batch(tools, gradients);
    index_t const sent = tools.groups.template get<dp>().bytes_sent();
    reduce_gradients<sum, replicated_linear>(tools.execution, gradients);
    CHECK(gradients.weight(0, 0) == 1);
    CHECK(tools.groups.template get<dp>().bytes_sent() == sent);
  });
}

TEST_CASE("reduce_gradients: the mean is over the groups that deal tokens") {
  one_number const one;
  support::on_ranks<tp, cp, dp>(data_grid{1, 2, 2}, 1, [&](auto& tools) {
    auto const after = [&]<class Reduction>(Reduction) {
      auto const gradients = zero_gradients(tools.execution, one.weights);
      one.micro_batch(tools, gradients);
      one.micro_batch(tools, gradients);
      reduce_gradients<Reduction, replicated_linear, placement<dealt<dp>, dealt<cp>>>(tools.execution, gradients);
      return gradients.weight(0, 0);
    };
    CHECK(after(sum{}) == 8);
    CHECK(after(mean{}) == 2);
    CHECK(after(mean_over<dp>{}) == 4);
    CHECK(after(mean_over<>{}) == 8);
  });
}

TEST_CASE("reduce_gradients: data groups are those of the input, whatever works at one replica's tokens") {
  using both = placement<dealt<dp>, dealt<cp>>;
  static_assert(std::same_as<reduction<colwise<tp>, both>::data_groups, type_list<dp, cp>>);
  static_assert(std::same_as<reduction<colwise<tp, sharded<tokens>>, both>::data_groups, type_list<dp, cp>>);
  static_assert(std::same_as<reduction<sequence_parallel<tp>, placement<dealt<cp>>>::data_groups, type_list<cp>>);
  static_assert(std::same_as<reduction<colwise<tp>, placement<>>::data_groups, type_list<>>);
  struct hosts : group<"hosts", 15> {};
  static_assert(std::same_as<reduction<colwise<tp>, placement<dealt<hosts>, dealt<dp>>>::data_groups,  //
                             type_list<hosts, dp>>);
}

TEST_CASE("reduce_gradients: a parameter that two styles share is reduced once") {
  // y = W (W x): both products add to one gradient.
  using twice = layer<replicated_linear, replicated_linear>;
  list const w{2}, x{3}, dy{1};
  linear<float> const weights{matrix_of(w, 1, 1), 1, 1};
  std::tuple const tied{weights, weights};
  support::on_ranks<dp>(mesh<dp>{4}, 1, [&](auto& tools) {
    auto const gradient = zero_gradients(tools.execution, weights);
    std::tuple const gradients{gradient, gradient};
    auto const [y, saved] =
        forward<twice>(tools.execution, tied, activation<float const>{support::rows_of(x, 1, 1), 1});
    static_cast<void>(backward<twice>(tools.execution, tied, saved,
                                      activation<float const>{support::rows_of(dy, 1, 1), 1}, gradients));
    CHECK(gradient.weight(0, 0) == 12);  // d(w w x) = 2 w x
    reduce_gradients<mean_over<dp>, twice, placement<dealt<dp>>>(tools.execution, gradients);
    CHECK(gradient.weight(0, 0) == 12);
    reduce_gradients<sum, twice, placement<dealt<dp>>>(tools.execution, gradients);
    CHECK(gradient.weight(0, 0) == 48);
  });
}

TEST_CASE("reduce_gradients: styles that make a shared gradient a sum over different groups are refused") {
  // The first norm's summands lie on parts of the tokens; what the second has is its whole gradient.
  using equal = layer<sequence_parallel<tp>, sequence_parallel<tp>>;
  using mixed = layer<sequence_parallel<tp>, gather_tokens, replicated_norm>;
  list const w{1, 1};
  norm_weight<float> const weights{support::vector_of(w)};
  support::on_ranks<tp>(mesh<tp>{2}, 1, [&](auto& tools) {
    auto const gradient = zero_gradients(tools.execution, weights);
    std::tuple const shared{gradient, gradient};
    reduce_gradients<sum, equal>(tools.execution, shared);
    CHECK_THROWS_AS((reduce_gradients<sum, mixed>(tools.execution, shared)), error);
  });
}

TEST_CASE("reduce_gradients: absent and empty gradients are left out") {
  linear<float> const weights{{nullptr, extents<out_features, in_features>{0, 3}}, 0, 3};
  support::on_ranks<dp>(mesh<dp>{2}, 1, [&](auto& tools) {
    auto const gradients = zero_gradients(tools.execution, weights);
    reduce_gradients<mean, replicated_linear, placement<dealt<dp>>>(tools.execution, gradients);
    CHECK(gradients.bias.data() == nullptr);
  });
}
