// SPDX-License-Identifier: Apache-2.0
#include <heddle/style/mla.hpp>

#include <doctest/doctest.h>
#include <heddle/concepts/parallel_style.hpp>
#include <heddle/sequence/describe.hpp>
#include <heddle/sequence/parameter_gradients.hpp>

using namespace heddle;

TEST_CASE("mla_kv_a_proj: the latent part stays replicated, the rope part is used differently from here") {
  using style = mla_kv_a_proj<tp>;
  static_assert(parallel_style<style>);
  CHECK(describe<style::forward>() == "gemm add_bias slice on_port<1>(copy<tp>)");
  CHECK(describe<style::backward>() == "on_port<1>(all_reduce<tp>) concat bias_grad dgrad");
  static_assert(std::same_as<style::forward::from, placement<on<tp, replicated>>>);
  static_assert(std::same_as<style::forward::to, ports<placement<on<tp, replicated>>, placement<on<tp, varying>>>>);
  static_assert(std::same_as<style::backward::from, ports<placement<on<tp, replicated>>, placement<on<tp, partial>>>>);
  static_assert(std::same_as<conjugate_t<style::backward>, style::forward>);
}

TEST_CASE("mla_kv_a_proj: the all_reduce makes both gradients whole before they meet the weight") {
  static_assert(std::same_as<parameter_gradients_t<mla_kv_a_proj<tp>::forward>, type_list<placement<>, placement<>>>);
}
