// SPDX-License-Identifier: Apache-2.0
// Mutations of the linear, embedding, norm and MLA styles. Mistakes that the types refuse are in compile/.
#include "../support/style_trial.hpp"

#include "trial.hpp"

using namespace heddle;
using namespace support;
using mutations::check;

namespace {

// -- cuts

/// Weight and bias by two styles.
template <class Weight, class Bias>
struct cuts {
  static box weight(shape_t const& shape, int ranks, int rank) {
    return shard_weight<Weight>(shape, tp_mesh{ranks}, rank);
  }
  static box bias(shape_t const& shape, int ranks, int rank) { return shard_bias<Bias>(shape, tp_mesh{ranks}, rank); }
};
/// Nothing is cut.
struct uncut {
  static box weight(shape_t const& shape, int, int) { return box::all(shape); }
  static box bias(shape_t const& shape, int, int) { return box::all(shape); }
};
/// One dimension of the weight by a partition of its own.
template <std::size_t Axis, class Partition>
struct cut_axis {
  static box weight(shape_t const& shape, int ranks, int rank) {
    box part = box::all(shape);
    part.cut<Partition>(Axis, ranks, rank);
    return part;
  }
  static box bias(shape_t const& shape, int, int) { return box::all(shape); }
};
/// The pieces of ranks in reverse order.
template <class Style>
struct reversed_cut {
  static box weight(shape_t const& shape, int ranks, int rank) {
    return shard_weight<Style>(shape, tp_mesh{ranks}, ranks - 1 - rank);
  }
  static box bias(shape_t const& shape, int ranks, int rank) { return shard_bias<Style>(shape, tp_mesh{ranks}, rank); }
};

/// Rounds down and forgets the rest.
struct floor_chunk {
  [[maybe_unused]] static constexpr int segments = 1;
  [[maybe_unused]] static constexpr char const* name = "floor_chunk";
  static constexpr range piece(std::int64_t total, int parts, int index, int = 0) {
    return {total / parts * index, total / parts};
  }
};
/// The right sizes at rank * own size: wrong where the last piece is shorter.
struct rank_times_own {
  [[maybe_unused]] static constexpr int segments = 1;
  [[maybe_unused]] static constexpr char const* name = "rank_times_own";
  static constexpr range piece(std::int64_t total, int parts, int index, int = 0) {
    std::int64_t const size = ceil_chunk::piece(total, parts, index).size;
    return {size * index, size};
  }
};

// -- styles

template <class Sequence, class Like>
struct style_of {
  static constexpr fixed_string name = "mutation";
  using weight = typename Like::weight;
  using bias = typename Like::bias;
  using forward = Sequence;
};
using from_parts = placement<on<tp, sharded<hidden>>>;
using summands = placement<on<tp, partial>>;
using row_gemm = gemm<from_parts, summands, rowwise<tp>::weight>;
using rowwise_without_sum = style_of<sequence<row_gemm>, rowwise<tp>>;
using rowwise_without_bias = style_of<sequence<row_gemm, all_reduce<tp>>, rowwise<tp>>;
using rowwise_bias_twice =
    style_of<sequence<row_gemm, all_reduce<tp>, add_bias<placement<>, placement<>>, add_bias<placement<>, placement<>>>,
             rowwise<tp>>;
using colwise_bias_twice =
    style_of<concat_t<colwise<tp>::forward, sequence<add_bias<from_parts, colwise<tp>::bias>>>, colwise<tp>>;
using split_balanced =
    style_of<sequence<split<tp, hidden, balanced>,
                      gemm<placement<on<tp, sharded<hidden, balanced>>>, summands, rowwise<tp>::weight>, all_reduce<tp>,
                      add_bias<placement<>, placement<>>>,
             rowwise<tp>>;

/// Adds its bias to every summand; the types refuse add_bias there, so it takes an operation of its own.
struct careless_bias : operation_base<"careless_bias", summands, summands, careless_bias> {};
template <class Frame, class Element>
auto run(careless_bias, Frame& frame, activation<Element> x) {
  return run(add_bias<summands, placement<>>{}, frame, x);
}
using rowwise_bias_before_sum = style_of<sequence<row_gemm, careless_bias, all_reduce<tp>>, rowwise<tp>>;

/// The sum goes to rank 0 alone.
struct reduce_to_first : operation_base<"reduce_to_first", summands, placement<on<tp, replicated>>, reduce_to_first> {};
template <class Frame, class Element>
auto run(reduce_to_first, Frame& frame, activation<Element> x) {
  auto y = run(all_reduce<tp>{}, frame, x);
  for (index_t i = 0; frame.template communicator<tp>().rank() > 0 && i < y.data.count(); ++i) y.data.data()[i] = 0;
  return y;
}
using rowwise_sum_on_one_rank =
    style_of<sequence<row_gemm, reduce_to_first, add_bias<placement<>, placement<>>>, rowwise<tp>>;

using embedding_without_sum =
    style_of<sequence<embed<placement<on<tp, replicated>>, summands, embedding_rowwise<tp>::weight>>,
             embedding_rowwise<tp>>;
using wrong_offset = embedding_style<"embedding_rowwise", tp, sharded<vocab, rank_times_own>, partial, replicated>;
using columns_summed = embedding_style<"embedding_colwise", tp, sharded<hidden>, partial, replicated>;
using columns_ungathered = embedding_style<"embedding_colwise", tp, sharded<hidden>, sharded<hidden>, sharded<hidden>>;

using parallel_on_hidden = style_of<replicated_with_grad_allreduce<tp>::forward, colwise<tp>>;
using gathered_norm = style_of<concat_t<sequence<unsplit<tp, tokens>>, replicated_norm::forward>, replicated_norm>;

using mla = mla_kv_a_proj<tp>;
using mla_gemm = gemm<placement<>, placement<>, placement<>>;
using mla_bias = add_bias<placement<>, placement<>>;
using mla_rope = on_port<1, sequence<copy<tp>>>;
using mla_bias_twice = style_of<sequence<mla_gemm, mla_bias, mla_bias, slice<>, mla_rope>, mla>;
using mla_without_bias = style_of<sequence<mla_gemm, slice<>, mla_rope>, mla>;
using mla_without_copy = style_of<sequence<mla_gemm, mla_bias, slice<>>, mla>;
using mla_copy_of_latent = style_of<sequence<mla_gemm, mla_bias, slice<>, on_port<0, sequence<copy<tp>>>>, mla>;

}  // namespace

TEST_CASE("mutations of colwise styles") {
  linear_case const c{4, 5, 8, 10};
  lies const whole = lies::whole;
  lies const features = lies::by_features;
  using col = colwise<tp>;
  check("colwise", try_linear<col>(c, whole, features),
        {{"weight cut on the wrong dimension", try_linear<col, cuts<rowwise<tp>, col>>(c, whole, features)},
         {"weight not cut", try_linear<col, cuts<replicated_linear, col>>(c, whole, features)},
         {"nothing cut", try_linear<col, uncut>(c, whole, features)},
         {"bias not cut", try_linear<col, cuts<col, rowwise<tp>>>(c, whole, features)},
         {"bias added twice", try_linear<colwise_bias_twice>(c, whole, features)},
         {"pieces in the order of another mesh", try_linear<col, reversed_cut<col>>({4, 5, 8, 12}, whole, features)},
         {"weight cut into balanced pieces",
          try_linear<col, cut_axis<0, balanced>>({4, 5, 8, 10, false}, whole, features)}});
  using gathered = colwise_gather_output<tp>;
  check("colwise_gather_output", try_linear<gathered>(c, whole, whole),
        {{"no gather", try_linear<col>(c, whole, whole)},
         {"weight and bias cut as if packed",
          try_linear<gathered, cut_by<packed_colwise<tp>>>({2, 5, 8, 12}, whole, whole)},
         {"weight not cut", try_linear<gathered, uncut>(c, whole, whole)}});
  using parts = colwise<tp, sharded<tokens>>;
  check("colwise from parts of the tokens", try_linear<parts>(c, lies::by_tokens, features),
        {{"no gather of tokens", try_linear<col>(c, lies::by_tokens, features)},
         {"tokens gathered that every rank has", try_linear<parts>(c, whole, features)}});
}

TEST_CASE("mutations of rowwise styles") {
  linear_case const c{3, 5, 10, 6};
  lies const whole = lies::whole;
  lies const features = lies::by_features;
  using row = rowwise<tp>;
  check("rowwise", try_linear<row>(c, features, whole),
        {{"no all_reduce", try_linear<rowwise_without_sum>({3, 5, 10, 6, false}, features, whole)},
         {"the sum on one rank only", try_linear<rowwise_sum_on_one_rank>(c, features, whole)},
         {"bias on every summand", try_linear<rowwise_bias_before_sum>(c, features, whole)},
         {"bias added twice", try_linear<rowwise_bias_twice>(c, features, whole)},
         {"bias forgotten", try_linear<rowwise_without_bias>(c, features, whole)},
         {"bias cut", try_linear<row, cuts<row, colwise<tp>>>(c, features, whole)},
         {"weight cut on the wrong dimension", try_linear<row, cuts<colwise<tp>, row>>(c, features, whole)},
         {"pieces in the order of another mesh", try_linear<row, reversed_cut<row>>({3, 5, 12, 6}, features, whole)},
         {"nothing cut, every rank a full summand", try_linear<row, uncut>(c, whole, whole)}});
  using split_input = rowwise_split_input<tp>;
  check("rowwise_split_input", try_linear<split_input>(c, whole, whole),
        {{"no split", try_linear<row>(c, whole, whole)},
         {"input in balanced pieces, weight in ceil pieces", try_linear<split_balanced>({4, 5, 10, 6}, whole, whole)}});
  using parts = rowwise<tp, sharded<tokens>>;
  check("rowwise to parts of the tokens", try_linear<parts>(c, features, lies::by_tokens),
        {{"all_reduce for reduce_scatter", try_linear<row>(c, features, lies::by_tokens)}});
}

TEST_CASE("mutations of packed styles") {
  linear_case const c{2, 5, 8, 12};
  lies const packed = lies::by_packed_features;
  using col = packed_colwise<tp>;
  check("packed_colwise", try_linear<col>(c, lies::whole, packed),
        {{"weight cut in one piece", try_linear<col, cuts<colwise<tp>, col>>(c, lies::whole, packed)},
         {"bias cut in one piece", try_linear<col, cuts<col, colwise<tp>>>(c, lies::whole, packed)},
         {"weight and bias cut in one piece", try_linear<col, cut_by<colwise<tp>>>(c, lies::whole, packed)},
         {"the rest of a segment lost",
          try_linear<col, cut_axis<0, segmented<floor_chunk, 1, 1>>>({2, 5, 8, 14, false}, lies::whole, packed)},
         {"other proportions", try_linear<packed_colwise<tp, segmented<ceil_chunk, 5, 1>>>(c, lies::whole, packed)}});
  linear_case const r{2, 5, 12, 6};
  using row = packed_rowwise<tp>;
  check("packed_rowwise", try_linear<row>(r, packed, lies::whole),
        {{"weight cut in one piece", try_linear<row, cuts<rowwise<tp>, row>>(r, packed, lies::whole)},
         {"input cut in one piece", try_linear<row>(r, lies::by_features, lies::whole)}});
  linear_case const q{2, 5, 8, 40};
  lies const fused = lies::by_query_key_value;
  using fused_col = packed_colwise<tp, query_key_value>;
  check("packed_colwise of q|k|v", try_linear<fused_col>(q, lies::whole, fused),
        {{"cut as gate|up", try_linear<packed_colwise<tp>>(q, lies::whole, fused)},
         {"cut in one piece", try_linear<fused_col, cut_by<colwise<tp>>>(q, lies::whole, fused)}});
  linear_case const o{2, 5, 40, 6};
  using fused_row = packed_rowwise<tp, query_key_value>;
  check("packed_rowwise of q|k|v", try_linear<fused_row>(o, fused, lies::whole),
        {{"weight cut as gate|up", try_linear<fused_row, cuts<packed_rowwise<tp>, fused_row>>(o, fused, lies::whole)}});
}

TEST_CASE("mutations of embedding styles") {
  embedding_case const c{4, 9, 10, 6};
  check("embedding_rowwise", try_embedding<embedding_rowwise<tp>>(c, lies::whole),
        {{"vocabulary begins at rank * local rows",
          try_embedding<wrong_offset, cut_by<embedding_rowwise<tp>>>(c, lies::whole)},
         {"no all_reduce", try_embedding<embedding_without_sum>(c, lies::whole)},
         {"table cut by columns", try_embedding<embedding_rowwise<tp>, cut_by<embedding_colwise<tp>>>(c, lies::whole)},
         {"table not cut", try_embedding<embedding_rowwise<tp>, uncut>(c, lies::whole)}});
  check("embedding_colwise", try_embedding<embedding_colwise<tp>>(c, lies::whole),
        {{"all_reduce of columns", try_embedding<columns_summed>({2, 9, 10, 6}, lies::whole)},
         {"no gather of columns", try_embedding<columns_ungathered>(c, lies::whole)},
         {"table cut by rows", try_embedding<embedding_colwise<tp>, cut_by<embedding_rowwise<tp>>>(c, lies::whole)}});
}

TEST_CASE("mutations of norm styles") {
  check("sequence_parallel", try_norm<sequence_parallel<tp>>({2, 7, 8, 3}, lies::by_tokens, false),
        {{"parallel on the hidden axis", try_norm<parallel_on_hidden>({2, 7, 8, 3}, lies::by_features, false)},
         {"tokens gathered first", try_norm<gathered_norm>({2, 7, 8, 3}, lies::by_tokens, false)}});
  check("replicated_with_grad_allreduce",
        try_norm<replicated_with_grad_allreduce<tp>>({2, 7, 8, 3}, lies::by_features, true),
        {{"a weight of the whole row",
          try_norm<replicated_with_grad_allreduce<tp>>({2, 7, 8, 3}, lies::by_features, false)}});
}

TEST_CASE("mutations of mla_kv_a_proj") {
  mla_case const c{2, 5, 6, 4};
  mla_case const narrow{2, 5, 6, 4, true, 5};
  mla_case const parts_exchanged{2, 5, 6, 4, true, 4};
  check("mla_kv_a_proj", try_mla<mla>(c),
        {{"weight and bias cut as colwise", try_mla<mla, cut_by<colwise<tp>>>(c)},
         {"weight cut as colwise", try_mla<mla, cuts<colwise<tp>, mla>>(c)},
         {"weight cut as rowwise", try_mla<mla, cuts<rowwise<tp>, mla>>(c)},
         {"sliced one column early", try_mla<mla>(narrow)},
         {"sliced behind the width of the other part", try_mla<mla>(parts_exchanged)},
         {"bias added twice", try_mla<mla_bias_twice>(c)},
         {"bias forgotten", try_mla<mla_without_bias>(c)}});
}

namespace {

/// Whether heads that are cut may use the rope part: its gradient is then summed over tp, and that of the latent part,
/// which every rank continues in the same way, is not.
template <class Style>
outcome try_rope_gradient() {
  using asked = ports<placement<on<tp, replicated>>, placement<on<tp, partial>>>;
  bool const summed = std::same_as<typename conjugate_t<typename Style::forward>::from, asked>;
  return {0, summed ? "" : "the gradients of the two parts are not summed as they should be"};
}

}  // namespace

TEST_CASE("mutations of the gradients that meet mla_kv_a_proj") {
  check("mla_kv_a_proj", try_rope_gradient<mla>(),
        {{"no copy of the rope part", try_rope_gradient<mla_without_copy>()},
         {"a copy of the latent part instead", try_rope_gradient<mla_copy_of_latent>()},
         {"a copy on another group", try_rope_gradient<mla_kv_a_proj<etp>>()}});
}

namespace {

/// Whether the gradient of the style's only parameter is still to be summed over tp.
template <class Style>
outcome try_gradient() {
  bool const summed =
      std::same_as<parameter_gradients_t<typename Style::forward>, type_list<placement<on<tp, partial>>>>;
  return {0, summed ? "" : "the gradient is not summed over tp"};
}

}  // namespace

TEST_CASE("mutations of gradients of replicated weights") {
  check("sequence_parallel", try_gradient<sequence_parallel<tp>>(),
        {{"said to see whole activations", try_gradient<replicated_norm>()}});
  check("replicated_with_grad_allreduce", try_gradient<replicated_with_grad_allreduce<tp>>(),
        {{"on another group", try_gradient<replicated_with_grad_allreduce<etp>>()}});
}
