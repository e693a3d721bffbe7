// expect-error: \[heddle\.losses\.none\] losses without a term\. Fix: name aux_loss<\.\.\.>, z_loss or both, or leave it out\.
// SPDX-License-Identifier: Apache-2.0
#include <heddle/router/losses.hpp>

#if defined(CONTROL)
inline constexpr heddle::losses<heddle::dealt_over<heddle::ep>, heddle::z_loss> judged{};
#else
inline constexpr heddle::losses<heddle::dealt_over<heddle::ep>> judged{};
#endif
