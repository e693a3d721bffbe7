// expect-error: \[heddle\.cost\.price\] an operation has no price\.
// SPDX-License-Identifier: Apache-2.0
// A user's operation in a bill: without a price of its own it is refused, and not taken to be free.
#include <heddle/plan/cost.hpp>

namespace user {

struct square : heddle::operation_base<"square", heddle::placement<>, heddle::placement<>, square> {};

#if defined(CONTROL)
constexpr auto price(square, auto& pricing, heddle::detail::priced_value x) {
  pricing.keep(x);
  return x;
}
#endif

struct style {
  using forward = heddle::sequence<square>;
};

}  // namespace user

constexpr auto bill = heddle::cost_of<user::style>(heddle::mesh<heddle::tp>{2}, 0, {.rows = 3, .width = 5});
static_assert(bill.activation_bytes == 60);
