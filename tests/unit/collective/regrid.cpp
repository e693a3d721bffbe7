// SPDX-License-Identifier: Apache-2.0
#include <heddle/collective/regrid.hpp>

#include <doctest/doctest.h>
#include <heddle/collective/all_gather_reduce_scatter.hpp>
#include <heddle/collective/split_unsplit.hpp>
#include <heddle/sequence/describe.hpp>

using namespace heddle;

namespace {

struct tile : group<"tile", 70> {};
struct zebra : group<"zebra", 70> {};
using given = sharded<tokens, as_given>;

}  // namespace

TEST_CASE("regrid: every group of the dense grid is folded away, every one of the expert grid cuts tokens") {
  using outside = placement<on<tp, replicated>, on<dp, given>, on<etp, folded>, on<ep, folded>, on<edp, folded>>;
  using inside = placement<on<tp, folded>, on<dp, folded>, on<etp, given>, on<ep, given>, on<edp, given>>;
  static_assert(std::same_as<regrid<>::from, outside> && std::same_as<regrid<>::to, inside>);
  static_assert(obeys_law<regrid<>> && obeys_law<regrid_back<>>);
  static_assert(regrid<>::splits && regrid_back<>::splits);
}

TEST_CASE("regrid: tokens that tp shards already are only relabelled") {
  using sequence_parallel_in = regrid<dense_mesh, expert_mesh, sharded<tokens>>;
  static_assert(obeys_law<sequence_parallel_in> && !sequence_parallel_in::splits);
  using joined = sequence<reduce_scatter<tp, tokens>, sequence_parallel_in, all_gather<etp, tokens, as_given>>;
  static_assert(
      std::same_as<joined::to,
                   placement<on<dp, folded>, on<edp, given>, on<ep, given>, on<etp, varying>, on<tp, folded>>>);
}

TEST_CASE("regrid: a pipeline stage means the same ranks in both grids and is not touched") {
  using staged = regrid<mesh<tp, cp, dp, pp>, mesh<etp, ep, edp, pp>>;
  static_assert(std::same_as<staged::from, placement<on<tp, replicated>, on<cp, given>, on<dp, given>, on<etp, folded>,
                                                     on<ep, folded>, on<edp, folded>>>);
  static_assert(obeys_law<staged>);
  static_assert(std::same_as<sequence<staged, regrid_back<mesh<tp, cp, dp, pp>, mesh<etp, ep, edp, pp>>>::to,
                             sequence<staged>::from>);
}

TEST_CASE("regrid: canonical order, where names decide between equal nesting") {
  using detail::canonical_order;
  static_assert(canonical_order<dense_mesh> && canonical_order<expert_mesh> && canonical_order<mesh<tp>> &&
                canonical_order<mesh<>>);
  static_assert(!canonical_order<mesh<dp, tp>> && !canonical_order<mesh<ep, etp, edp>>);
  static_assert(canonical_order<mesh<zebra, tile>> && !canonical_order<mesh<tile, zebra>> &&
                !canonical_order<mesh<tile, tile>>);
}

TEST_CASE("regrid: there and back is where it was, in a sequence") {
  using around = sequence<regrid<>, regrid_back<>>;
  static_assert(std::same_as<around::from, around::to>);
  static_assert(std::same_as<conjugate_t<around>, around>);
  CHECK(describe<around>() == "regrid regrid_back");
}
