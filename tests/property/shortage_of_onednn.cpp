// SPDX-License-Identifier: Apache-2.0
// The same on oneDNN. What oneDNN allocates inside of its library is spared: some of its shortages end the process. How
// it says the others is in tests/unit/host/onednn_matmul.cpp.
#if defined(HEDDLE_WITH_ONEDNN)
#include "../support/shortage_trial.hpp"

#include <heddle/dispatcher/all_to_all.hpp>
#include <heddle/host/onednn_gemm.hpp>

using namespace heddle;
using namespace support;

TEST_CASE("products of oneDNN") {
  spare_libraries(true);
  using layer = dispatched_layer<all_to_all_dispatcher<>, weight_at::origin>;
  check_every_allocation<layer, host::onednn_gemm<>>({{1, 1, 1, 1}, {2, 1, 2, 1}});
  spare_libraries(false);
}
#endif
