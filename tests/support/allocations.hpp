// SPDX-License-Identifier: Apache-2.0
// How often this thread has called operator new, and calls that fail on purpose; tests/property/allocations.cpp
// replaces it for the whole program.
#pragma once

namespace support {

[[nodiscard]] long allocations();

/// Whose calls are counted and refused.
enum class refuse_to { this_thread, everybody };
/// From now on call number `first`, counted from 0, finds no memory, and the `count` - 1 behind it. What was asked for
/// before ends.
void refuse_allocations(refuse_to whom, long first, long count);
/// All calls find memory again.
void refuse_no_allocation();
/// Calls of the whole program that were refused until now.
[[nodiscard]] long refused_allocations();

}  // namespace support
