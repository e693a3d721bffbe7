// SPDX-License-Identifier: Apache-2.0
// A mixture of experts by two dispatchers, and a multi-head latent projection, on thread ranks: no type information.
#include "../support/moe_trial.hpp"

#include <cstdio>

#if defined(__GXX_RTTI)
#error "this program is to be compiled with -fno-rtti"
#endif

using namespace heddle;
using namespace support;

int main() {
  moe_data const data = make_moe({});
  tensor const y = mixture(data.x, data.layer);
  split_of const split{4, 2, 2, 2};
  auto const gathered = run_moe<moe_layer<all_gather_dispatcher<>, grouped, weight_at::output>>(split, data);
  auto const exchanged = run_moe<moe_layer<all_to_all_dispatcher<>, sequential, weight_at::output>>(split, data);
  outcome const projected = try_mla<mla_kv_a_proj<tp>>({2, 5, 6, 4});
  bool const caught = !try_mla<mla_kv_a_proj<tp>, cut_by<colwise<tp>>>({2, 5, 6, 4}).problem.empty();  // error, thrown
  bool const good = gathered.problem.empty() && exchanged.problem.empty() && gathered.difference(y) <= 2e-5 &&
                    exchanged.difference(y) <= 2e-5 && projected.good() && caught;
  std::puts(good ? "as with type information" : "wrong without type information");
  return good ? 0 : 1;
}
