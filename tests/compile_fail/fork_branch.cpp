// expect-error: \[heddle\.fork\.branch\] a branch is not a sequence\. Fix: write sequence<\.\.\.>
// SPDX-License-Identifier: Apache-2.0
// Branches are sequences, also where one operation would do.
#include <heddle/collective/copy_all_reduce.hpp>
#include <heddle/sequence/combinators.hpp>

using namespace heddle;

#if defined(CONTROL)
using tried = fork<sequence<copy<tp>>, sequence<>>;
#else
using tried = fork<copy<tp>, sequence<>>;
#endif

using checked = tried::conjugate;
