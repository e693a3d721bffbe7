// SPDX-License-Identifier: Apache-2.0
#include <heddle/style/linear.hpp>

#include <doctest/doctest.h>
#include <heddle/concepts/parallel_style.hpp>
#include <heddle/sequence/describe.hpp>
#include <heddle/sequence/parameter_gradients.hpp>

using namespace heddle;

namespace {

template <class State>
using on_tp = placement<on<tp, State>>;
template <class Style, class From, class To>
constexpr bool goes = parallel_style<Style>&& std::same_as<typename Style::forward::from, on_tp<From>>&& std::same_as<
    typename Style::forward::to, on_tp<To>>&& std::same_as<typename Style::backward::from, dual_t<on_tp<To>>>&&
    std::same_as<typename Style::backward::to, dual_t<on_tp<From>>>&&
        std::same_as<conjugate_t<typename Style::backward>, typename Style::forward>;
/// The gradients of weight and bias.
template <class Style, class Weight, class Bias>
constexpr bool needs = std::same_as<parameter_gradients_t<typename Style::forward>, type_list<Weight, Bias>>;

using nothing = placement<>;
using sum_over_tp = on_tp<partial>;

}  // namespace

TEST_CASE("colwise: whole in, features out") {
  using style = colwise<tp>;
  CHECK(describe<style::forward>() == "copy<tp> gemm add_bias");
  CHECK(describe<style::backward>() == "bias_grad dgrad all_reduce<tp>");
  static_assert(goes<style, replicated, sharded<hidden>> && needs<style, nothing, nothing>);
  static_assert(std::same_as<style::weight, on_tp<sharded<out_features>>> &&
                std::same_as<style::bias, on_tp<sharded<out_features>>>);
}

TEST_CASE("colwise from sharded tokens: sequence parallelism") {
  using style = colwise<tp, sharded<tokens>>;
  CHECK(describe<style::forward>() == "all_gather<tp, tokens> gemm add_bias");
  CHECK(describe<style::backward>() == "bias_grad dgrad reduce_scatter<tp, tokens>");
  static_assert(goes<style, sharded<tokens>, sharded<hidden>> && needs<style, nothing, nothing>);
}

TEST_CASE("colwise from rows that are used differently already: no traffic") {
  using style = colwise<tp, varying>;
  CHECK(describe<style::forward>() == "gemm add_bias");
  static_assert(goes<style, varying, sharded<hidden>>);
}

TEST_CASE("colwise_gather_output: every rank ends with all features, and no sum backwards at the gather") {
  using style = colwise_gather_output<tp>;
  CHECK(describe<style::forward>() == "copy<tp> gemm add_bias unsplit<tp, hidden>");
  CHECK(describe<style::backward>() == "split<tp, hidden> bias_grad dgrad all_reduce<tp>");
  static_assert(goes<style, replicated, replicated> && needs<style, nothing, nothing>);
}

TEST_CASE("rowwise: features in, the sum out, the bias once, behind the sum") {
  using style = rowwise<tp>;
  CHECK(describe<style::forward>() == "gemm all_reduce<tp> add_bias");
  CHECK(describe<style::backward>() == "bias_grad copy<tp> dgrad");
  static_assert(goes<style, sharded<hidden>, replicated> && needs<style, nothing, nothing>);
  static_assert(std::same_as<style::weight, on_tp<sharded<in_features>>> &&
                std::same_as<style::bias, on_tp<replicated>>);
}

TEST_CASE("rowwise to sharded tokens: its bias meets a part of the tokens, so that gradient is a sum") {
  using style = rowwise<tp, sharded<tokens>>;
  CHECK(describe<style::forward>() == "gemm reduce_scatter<tp, tokens> add_bias");
  CHECK(describe<style::backward>() == "bias_grad all_gather<tp, tokens> dgrad");
  static_assert(goes<style, sharded<hidden>, sharded<tokens>> && needs<style, nothing, sum_over_tp>);
}

TEST_CASE("rowwise_split_input: cut, multiplied, summed") {
  using style = rowwise_split_input<tp>;
  CHECK(describe<style::forward>() == "split<tp, hidden> gemm all_reduce<tp> add_bias");
  CHECK(describe<style::backward>() == "bias_grad copy<tp> dgrad unsplit<tp, hidden>");
  static_assert(goes<style, replicated, replicated> && needs<style, nothing, nothing>);
}

TEST_CASE("packed_colwise and packed_rowwise: weight, bias and features are cut segment by segment") {
  using in = packed_colwise<tp>;
  CHECK(describe<in::forward>() == "copy<tp> gemm add_bias");
  CHECK(describe<in::backward>() == "bias_grad dgrad all_reduce<tp>");
  static_assert(goes<in, replicated, sharded<hidden, two_segments>> && needs<in, nothing, nothing>);
  static_assert(std::same_as<in::bias, on_tp<sharded<out_features, two_segments>>>);
  using three = packed_colwise<tp, segmented<ceil_chunk, 4, 2, 2>, sharded<tokens>>;
  CHECK(describe<three::forward>() == "all_gather<tp, tokens> gemm add_bias");
  static_assert(goes<three, sharded<tokens>, sharded<hidden, segmented<ceil_chunk, 4, 2, 2>>>);
  using out = packed_rowwise<tp>;
  CHECK(describe<out::forward>() == "gemm all_reduce<tp> add_bias");
  CHECK(describe<out::backward>() == "bias_grad copy<tp> dgrad");
  static_assert(goes<out, sharded<hidden, two_segments>, replicated> && needs<out, nothing, nothing>);
  static_assert(std::same_as<out::weight, on_tp<sharded<in_features, two_segments>>>);
}

TEST_CASE("replicated_linear: no traffic, no reduction; behind a copy its gradient is a sum") {
  using style = replicated_linear;
  CHECK(describe<style::forward>() == "gemm add_bias");
  CHECK(describe<style::backward>() == "bias_grad dgrad");
  static_assert(parallel_style<style> && needs<style, nothing, nothing>);
  static_assert(std::same_as<parameter_gradients_t<concat_t<sequence<copy<tp>>, style::forward>>,
                             type_list<sum_over_tp, sum_over_tp>>);
}

TEST_CASE("colwise and rowwise: dp x tp; groups that a style does not name pass it") {
  using region = concat_t<colwise<tp>::forward, rowwise<tp>::forward>;
  using layer_of = concat_t<sequence<split<dp, tokens>>, region, sequence<unsplit<dp, tokens>>>;
  static_assert(std::same_as<layer_of::from, placement<on<dp, replicated>, on<tp, replicated>>> &&
                std::same_as<layer_of::to, layer_of::from>);
  using over_dp = placement<on<dp, partial>>;
  static_assert(std::same_as<parameter_gradients_t<layer_of>, type_list<over_dp, over_dp, over_dp, over_dp>>);
}
