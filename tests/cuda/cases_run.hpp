// SPDX-License-Identifier: Apache-2.0
// Whether test cases are running. Before main and behind it nothing may be asked of the CUDA runtime, and objects with
// static storage allocate and free in both.
#pragma once

#include <atomic>

inline constinit std::atomic<bool> cases_run = false;

/// They run while it lives.
struct running_cases {
  running_cases() { cases_run = true; }
  running_cases(running_cases const&) = delete;
  running_cases& operator=(running_cases const&) = delete;
  ~running_cases() { cases_run = false; }
};
