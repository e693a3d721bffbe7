// SPDX-License-Identifier: Apache-2.0
// Every allocation of a training step fails once, and from it on all that follow: a typed error on every rank, nobody
// waits for ever, and nothing is lost (which a sanitizer sees). Norm and clipping of the gradients are part of the
// step.
#include "../support/shortage_trial.hpp"

#include <heddle/dispatcher/direct.hpp>
#include <heddle/dispatcher/flex.hpp>
#include <heddle/style/fsdp.hpp>
#include <heddle/style/shared_expert.hpp>

using namespace heddle;
using namespace support;

namespace {

std::vector<split_of> const meshes{{1, 1, 1, 1}, {2, 1, 2, 1}, {4, 1, 2, 2}};

}  // namespace

TEST_CASE("rows that are exchanged") {
  check_every_allocation<dispatched_layer<all_to_all_dispatcher<>, weight_at::origin>>(meshes);
}
TEST_CASE("rows that are sent once a rank") {
  using once = all_to_all_dispatcher<ep, etp, deduplicated>;
  check_every_allocation<dispatched_layer<once, weight_at::output>>({{2, 1, 2, 1}, {4, 1, 2, 2}});
}
TEST_CASE("rows that are stored directly") {
  check_every_allocation<dispatched_layer<direct_dispatcher<>, weight_at::output>>(meshes);
}
TEST_CASE("rows for experts of several ranks, exchanged and stored") {
  check_every_allocation<dispatched_layer<flex_dispatcher<>, weight_at::origin>>({{4, 1, 2, 2}});
  check_every_allocation<dispatched_layer<flex_dispatcher<ep, etp, by_direct<>>, weight_at::origin>>({{2, 1, 1, 2}});
}
TEST_CASE("experts that are gathered for a use") {
  using shared = fsdp_expert<glu_expert<>, edp, gather_again, by_rows_of_experts>;
  auto const share_out = [](auto& part, moe_data const&, routed_tools const& tools) {
    for (expert_linear<float>* of : {&part.parameters.weights.fc1, &part.parameters.weights.fc2}) {
      int const ranks = tools.grid.template size<edp>();
      int const own = tools.grid.template coordinate<edp>(tools.rank);
      bool const halves = of == &part.parameters.weights.fc1;  // each is cut by itself
      auto const shape = of->weight.shape();
      index_t const rows =
          halves ? 2 * ceil_chunk::piece(shape[1] / 2, ranks, own).size : ceil_chunk::piece(shape[1], ranks, own).size;
      of->weight = {of->weight.data(), {shape[0], rows, shape[2]}};  // any of them: it is their number that counts
    }
  };
  using layer = expert_parallel<route_like_mixtral, all_to_all_dispatcher<>, shared, weight_at::origin>;
  check_every_allocation<layer>({{2, 1, 1, 1}, {4, 1, 2, 1}}, false, share_out);
}
TEST_CASE("a shared expert on the second lane") {
  using layer =
      with_shared<dispatched_layer<all_to_all_dispatcher<>, weight_at::output>, shared_expert<sequence<glu<silu>>>>;
  check_every_allocation<layer>(meshes, true);
}
