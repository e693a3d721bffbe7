// SPDX-License-Identifier: Apache-2.0
#include <heddle/style/embedding.hpp>

#include <doctest/doctest.h>
#include <heddle/concepts/parallel_style.hpp>
#include <heddle/sequence/describe.hpp>
#include <heddle/sequence/parameter_gradients.hpp>

using namespace heddle;

TEST_CASE("embedding_rowwise: zero rows for foreign ids, summed") {
  using style = embedding_rowwise<tp>;
  static_assert(parallel_style<style>);
  CHECK(describe<style::forward>() == "embedding all_reduce<tp>");
  CHECK(describe<style::backward>() == "copy<tp> embedding_grad");
  static_assert(std::same_as<style::forward::from, placement<on<tp, replicated>>> &&
                std::same_as<style::forward::to, placement<on<tp, replicated>>>);
  static_assert(std::same_as<style::weight, placement<on<tp, sharded<vocab>>>>);
  static_assert(std::same_as<parameter_gradients_t<style::forward>, type_list<placement<>>>);
}

TEST_CASE("embedding_rowwise: straight to sharded tokens") {
  using style = embedding_rowwise<tp, sharded<tokens>>;
  CHECK(describe<style::forward>() == "embedding reduce_scatter<tp, tokens>");
  CHECK(describe<style::backward>() == "all_gather<tp, tokens> embedding_grad");
}

TEST_CASE("embedding_colwise: columns put together at the end") {
  using style = embedding_colwise<tp>;
  static_assert(parallel_style<style>);
  CHECK(describe<style::forward>() == "embedding unsplit<tp, hidden>");
  CHECK(describe<style::backward>() == "split<tp, hidden> embedding_grad");
  static_assert(std::same_as<style::forward::to, placement<on<tp, replicated>>>);
  static_assert(std::same_as<parameter_gradients_t<style::forward>, type_list<placement<>>>);
}

TEST_CASE("embedding: ids that dp deals make the table's gradient a sum over dp") {
  using dealt = concat_t<sequence<split<dp, tokens>>, embedding_rowwise<tp>::forward>;
  static_assert(std::same_as<parameter_gradients_t<dealt>, type_list<placement<on<dp, partial>>>>);
}
