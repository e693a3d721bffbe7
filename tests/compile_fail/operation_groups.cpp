// expect-error: \[heddle\.operation\.groups\] .* Fix: say on both sides
// SPDX-License-Identifier: Apache-2.0
// An operation that takes a summand and does not say what it gives would leave the group in no state at all.
#include <heddle/sequence/sequence.hpp>

using namespace heddle;

struct finish_back;
#if defined(CONTROL)
struct finish : operation_base<"finish", placement<on<tp, partial>>, placement<on<tp, replicated>>, finish_back> {};
struct finish_back : operation_base<"finish_back", placement<on<tp, replicated>>, placement<on<tp, varying>>, finish> {
};
#else
struct finish : operation_base<"finish", placement<on<tp, partial>>, placement<>, finish_back> {};
struct finish_back : operation_base<"finish_back", placement<>, placement<on<tp, varying>>, finish> {};
#endif

using checked = sequence<finish>::to;
