// expect-error: \[heddle\.sequence\.link\]
// SPDX-License-Identifier: Apache-2.0
// Copies are summed at home, not where their experts are.
#include <heddle/collective/all_to_all.hpp>
#include <heddle/compute/permute.hpp>
#include <heddle/sequence/sequence.hpp>

using namespace heddle;

#if defined(CONTROL)
using round_trip = sequence<permute<ep>, all_to_all<ep>, all_to_all_back<ep>, unpermute<ep>>;
#else
using round_trip = sequence<permute<ep>, all_to_all<ep>, unpermute<ep>>;
#endif

static_assert(round_trip::size > 0);
