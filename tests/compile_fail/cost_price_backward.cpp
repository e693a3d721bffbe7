// expect-error: \[heddle\.cost\.price\] an operation has no price\.
// SPDX-License-Identifier: Apache-2.0
// The conjugate needs a price too where the backward pass is asked for.
#include <heddle/plan/backward_cost.hpp>

namespace user {

struct thrice;
struct squeeze : heddle::operation_base<"squeeze", heddle::placement<>, heddle::placement<>, thrice> {};
struct thrice : heddle::operation_base<"thrice", heddle::placement<>, heddle::placement<>, squeeze> {};

constexpr auto price(squeeze, auto&, heddle::detail::priced_value x) { return x; }
#if defined(CONTROL)
constexpr auto price(thrice, auto&, heddle::detail::priced_value x) { return x; }
#endif

struct style {
  using forward = heddle::sequence<squeeze>;
};

}  // namespace user

constexpr auto bill = heddle::backward_cost_of<user::style>(heddle::mesh<heddle::tp>{2}, 0, {.rows = 3, .width = 5});
