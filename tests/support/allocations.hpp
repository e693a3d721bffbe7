// SPDX-License-Identifier: Apache-2.0
// How often this thread has called operator new; tests/property/allocations.cpp replaces it for the whole program.
#pragma once

namespace support {

[[nodiscard]] long allocations();

}  // namespace support
