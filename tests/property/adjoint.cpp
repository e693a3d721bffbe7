// SPDX-License-Identifier: Apache-2.0
// Every pair of linear operations of the library is a pair of adjoints, exactly, on every number of ranks.
#include "../support/adjoint.hpp"

#include <doctest/doctest.h>
#include <heddle/layer/run.hpp>

using namespace heddle;
using namespace support;

namespace {

struct no_weights {
  std::tuple<> weights{};
};
constexpr auto without = [](int) { return no_weights{}; };
constexpr int worlds[] = {1, 2, 3, 4, 6, 8};

/// Rows that rank `rank` of `ranks` has of `height`: as the partition says, or some, if they are as given.
template <class Partition>
index_t height_of(index_t height, int ranks, int rank) {
  if constexpr (std::same_as<Partition, as_given>) return height == 0 ? 0 : (3 * rank + height) % 4;
  else return Partition::piece(height, ranks, rank).size;
}
/// Height or width of a value of [height, width] that lies as the first entry of its placement says.
template <class State>
struct part;
template <>
struct part<replicated> {
  static shape_t of(index_t height, index_t width, int, int) { return {height, width}; }
};
template <>
struct part<partial> : part<replicated> {};
template <>
struct part<varying> : part<replicated> {};
template <class Partition>
struct part<sharded<tokens, Partition>> {
  static shape_t of(index_t height, index_t width, int ranks, int rank) {
    return {height_of<Partition>(height, ranks, rank), width};
  }
};
template <class Partition>
struct part<sharded<hidden, Partition>> {
  static shape_t of(index_t height, index_t width, int ranks, int rank) {
    return {height, size_of_part<Partition>(width, ranks, rank)};
  }
};
template <class Entry>
struct entry_of;
template <class State>
struct entry_of<placement<on<tp, State>>> {
  using state = State;
};

/// A collective over tp on rows, of every size.
template <class Operation>
void check(index_t width, double unit = 1) {
  CAPTURE(Operation::name.view());
  for (int const ranks : worlds) {
    for (index_t const height : {7, 0, 1}) {
      CAPTURE(ranks);
      CAPTURE(height);
      CAPTURE(width);
      using from = typename Operation::from;
      CHECK(
          try_adjoint<tp>(mesh<tp>{ranks}, without,
                          [&](auto& own) {
                            auto const shape = part<typename entry_of<from>::state>::of(height, width, ranks, own.rank);
                            own.template check<sequence<Operation>>(own.template rows<from>(shape[0], shape[1], width));
                          },
                          {.empty = height == 0, .unit = unit}) == "");
    }
  }
}

using gate_and_up = segmented<ceil_chunk, 1, 1>;
using query_key_value = segmented<balanced, 4, 2, 2>;

/// The pairs over an axis, each from both sides.
template <class Axis, class Partition>
void check_cuts(index_t width) {
  check<split<tp, Axis, Partition>>(width);
  check<unsplit<tp, Axis, Partition>>(width);
  check<all_gather<tp, Axis, Partition>>(width);
  check<reduce_scatter<tp, Axis, Partition>>(width);
}

}  // namespace

TEST_CASE("adjoint: copy and all_reduce") {
  check<copy<tp>>(3);
  check<all_reduce<tp>>(3);
}

TEST_CASE("adjoint: split, unsplit, all_gather and reduce_scatter of tokens, by every partition") {
  check_cuts<tokens, ceil_chunk>(3);
  check_cuts<tokens, balanced>(5);
  check<unsplit<tp, tokens, as_given>>(4);
  check<all_gather<tp, tokens, as_given>>(4);
}

TEST_CASE("adjoint: split, unsplit, all_gather and reduce_scatter of features, by every partition") {
  check_cuts<hidden, ceil_chunk>(10);
  check_cuts<hidden, balanced>(11);
  check_cuts<hidden, even>(24);
  check_cuts<hidden, gate_and_up>(14);
  check_cuts<hidden, query_key_value>(16);
  check_cuts<hidden, units<ceil_chunk, 2>>(14);
  check_cuts<hidden, ceil_chunk>(1);
}
