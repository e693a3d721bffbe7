// expect-error: \[heddle\.beside\.nested\] a branch for the second lane has another one in it
// SPDX-License-Identifier: Apache-2.0
// Wherever in the branch it is: here behind a fork, in a bundle.
#include <heddle/compute/token_gate.hpp>
#include <heddle/sequence/combinators.hpp>

using namespace heddle;

#if defined(CONTROL)
using inner = sequence<mask_padding<>>;
#else
using inner = sequence<beside<sequence<mask_padding<>>>>;
#endif
using tried = sequence<beside<sequence<fork<sequence<>, inner>, on_port<1, inner>, join<sequence<>, sequence<>>>>>;

using checked = tried::conjugate;
