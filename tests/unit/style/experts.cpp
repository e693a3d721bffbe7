// SPDX-License-Identifier: Apache-2.0
#include <heddle/style/experts.hpp>

#include <doctest/doctest.h>
#include <heddle/compute/gate_scale.hpp>
#include <heddle/compute/permute.hpp>
#include <heddle/concepts/parallel_style.hpp>
#include <heddle/sequence/describe.hpp>
#include <heddle/sequence/parameter_gradients.hpp>
#include <heddle/style/linear.hpp>

using namespace heddle;

namespace {

struct own_selection {};
using policy = top_k<own_selection, 2>;
/// What a rank does with rows and weights that it may use in its own way.
using body = sequence<each<sequence<select_local<tp>>>, gate_scale<placement<on<tp, routed>>>, unselect_local<tp>>;

}  // namespace

TEST_CASE("grouped_gemm: says where merged parameters lie, moves nothing") {
  static_assert(parallel_style<grouped_gemm<ep>>);
  static_assert(std::same_as<grouped_gemm<ep>::weight, placement<on<ep, sharded<experts>>>> &&
                std::same_as<grouped_gemm<ep>::bias, grouped_gemm<ep>::weight>);
  CHECK(describe<grouped_gemm<ep>::forward>() == "");
}

TEST_CASE("both: two cuts of one parameter, the outer one first") {
  using style = both<grouped_gemm<ep>, packed_colwise<etp>>;
  static_assert(parallel_style<style>);
  static_assert(
      std::same_as<style::weight, placement<on<ep, sharded<experts>>, on<etp, sharded<out_features, two_segments>>>>);
  static_assert(std::same_as<style::bias, style::weight>);
  using second = both<grouped_gemm<ep>, rowwise<etp>>;
  static_assert(std::same_as<second::bias, placement<on<ep, sharded<experts>>, on<etp, replicated>>>);
}

TEST_CASE("ep_router: a replicated router, its choices masked; the mask's gradient is summed before the choice's") {
  using style = ep_router<ep, policy>;
  static_assert(parallel_style<style>);
  CHECK(describe<style::forward>() == "gemm add_bias top_k copy<ep> mask<ep>");
  CHECK(describe<style::backward>() == "mask_grad<ep> all_reduce<ep> top_k_grad bias_grad dgrad");
  static_assert(std::same_as<style::forward::from, placement<on<ep, replicated>>> &&
                std::same_as<style::forward::to, placement<on<ep, varying>>>);
  static_assert(std::same_as<parameter_gradients_t<style::forward>, type_list<placement<>, placement<>>>);
}

TEST_CASE("moe_tp_experts: behind a plain router, and behind an ep_router whose weights are varying already") {
  using plain = moe_tp_experts<tp, body>;
  static_assert(parallel_style<plain>);
  CHECK(describe<plain::forward>() ==
        "on_port<0>(copy<tp>) on_port<1>(copy<tp>) each(select<tp>) gate_scale unselect<tp> all_reduce<tp>");
  CHECK(describe<plain::backward>() ==
        "copy<tp> select<tp> gate_scale_grad each(unselect<tp>) on_port<1>(all_reduce<tp>) on_port<0>(all_reduce<tp>)");
  static_assert(
      std::same_as<plain::forward::from, ports<placement<on<tp, replicated>>, placement<on<tp, replicated>>>>);
  static_assert(std::same_as<plain::forward::to, placement<on<tp, replicated>>>);
  using behind = moe_tp_experts<tp, body, varying>;
  CHECK(describe<behind::forward>() ==
        "on_port<0>(copy<tp>) on_port<1>() each(select<tp>) gate_scale unselect<tp> all_reduce<tp>");
  CHECK(describe<behind::backward>() ==
        "copy<tp> select<tp> gate_scale_grad each(unselect<tp>) on_port<1>() on_port<0>(all_reduce<tp>)");
  static_assert(std::same_as<behind::forward::from, ports<placement<on<tp, replicated>>, placement<on<tp, varying>>>>);
  static_assert(std::same_as<behind::backward::to, ports<placement<on<tp, replicated>>, placement<on<tp, partial>>>>);
}

TEST_CASE("ep_router and moe_tp_experts: one layer, each gradient summed once") {
  using whole_layer =
      concat_t<sequence<fork<sequence<>, ep_router<tp, policy>::forward>>, moe_tp_experts<tp, body, varying>::forward>;
  static_assert(std::same_as<whole_layer::from, placement<on<tp, replicated>>> &&
                std::same_as<whole_layer::to, placement<on<tp, replicated>>>);
  CHECK(describe<conjugate_t<whole_layer>>() ==
        "copy<tp> select<tp> gate_scale_grad each(unselect<tp>) on_port<1>() on_port<0>(all_reduce<tp>) "
        "join{ | mask_grad<tp> all_reduce<tp> top_k_grad bias_grad dgrad}");
}

TEST_CASE("moe_identity_expert: divided by the size of the group that sums") {
  using style = moe_identity_expert<tp>;
  static_assert(parallel_style<style>);
  CHECK(describe<style::forward>() == "spread<tp>");
  CHECK(describe<style::backward>() == "spread<tp>");
  static_assert(std::same_as<style::forward::from, placement<on<tp, varying>>> &&
                std::same_as<style::forward::to, placement<on<tp, partial>>>);
}
