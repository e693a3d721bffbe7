// SPDX-License-Identifier: Apache-2.0
#include <heddle/expert/parts.hpp>

#include <doctest/doctest.h>
#include <heddle/compute/activation.hpp>
#include <heddle/sequence/describe.hpp>
#include <heddle/sequence/parameter_gradients.hpp>

using namespace heddle;

namespace {

constexpr expert_options bare{};

template <class Mode, expert_options Options>
using made = detail::expert_parts<Mode, Options, ep, etp, ceil_chunk, ceil_chunk,
                                  activate<relu, placement<on<etp, sharded<hidden>>>>>;
template <class Parts>
using all_of = concat_t<typename Parts::enter, typename Parts::first, typename Parts::activate, typename Parts::second,
                        typename Parts::leave>;

}  // namespace

TEST_CASE("an expert's pieces, bare and with all there is") {
  CHECK(describe<all_of<made<grouped, bare>>>() == "grouped_gemm relu grouped_gemm");
  CHECK(describe<all_of<made<aligned<8>, expert_options{.bias = true}>>>() ==
        "pad<ep> aligned_gemm add_bias relu aligned_gemm add_bias unpad<ep>");
  static_assert(!made<grouped, bare>::biased && !made<grouped, bare>::recomputes);
  static_assert(made<grouped, expert_options{.recompute = true}>::recomputes);
  static_assert(std::same_as<made<sequential, bare>::enter, sequence<>>);
}

TEST_CASE("only the second bias is still a sum, over the tensor group") {
  using parts = made<grouped, expert_options{.bias = true}>;
  static_assert(std::same_as<parameter_gradients_t<all_of<parts>>,
                             type_list<placement<>, placement<>, placement<>, placement<on<etp, partial>>>>);
  using over_edp = placement<on<edp, partial>>;
  static_assert(std::same_as<parameter_gradients_t<all_of<parts>, placement<on<edp, sharded<tokens, as_given>>>>,
                             type_list<over_edp, over_edp, over_edp, placement<on<edp, partial>, on<etp, partial>>>>);
}
