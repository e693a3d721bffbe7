// expect-error: arrives_as<heddle.*on<.*tp, .*varying>, heddle.*on<.*tp, .*partial> *>
// SPDX-License-Identifier: Apache-2.0
// The message shows what the value is and what the operation takes.
#include <heddle/collective/copy_all_reduce.hpp>
#include <heddle/sequence/sequence.hpp>

using namespace heddle;

#if defined(CONTROL)
using tried = sequence<copy<tp>>;
#else
using tried = sequence<copy<tp>, all_reduce<tp>>;
#endif

using checked = tried::to;
