// expect-error: arrives_as<.*routed>, .*bucketed> *>
// SPDX-License-Identifier: Apache-2.0
// Rows that were sent to their experts come home by the conjugate exchange, not by the same one again.
#include <heddle/dispatcher/all_to_all.hpp>

using namespace heddle;

#if defined(CONTROL)
using tried = sequence<permute<ep>, all_to_all<ep>, all_to_all_back<ep>, unpermute<ep>>;
#else
using tried = sequence<permute<ep>, all_to_all<ep>, all_to_all<ep>, unpermute<ep>>;
#endif

using checked = tried::to;
