// expect-error: \[heddle\.abreast\.branch\] a branch is not a sequence\.
// SPDX-License-Identifier: Apache-2.0
#include <heddle/collective/copy_all_reduce.hpp>
#include <heddle/sequence/abreast.hpp>

using namespace heddle;

#if defined(CONTROL)
using tried = abreast<sequence<copy<tp>>, sequence<>>;
#else
using tried = abreast<copy<tp>, sequence<>>;
#endif

using checked = tried::conjugate;
