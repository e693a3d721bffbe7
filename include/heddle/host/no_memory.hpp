// SPDX-License-Identifier: Apache-2.0
// Memory that the system does not have is an error like every other, with words where there is memory for words.
#pragma once

#include <heddle/core/error.hpp>
#include <new>

namespace heddle::inline HEDDLE_ABI {
namespace host {

/// Throws `words()`, an `error`; where making it takes memory that is not there, one that has nothing but a kind.
template <class Words>
[[noreturn]] void throw_in_words(Words const& words, error_kind kind = error_kind::workspace) {
  try {
    throw words();
  } catch (std::bad_alloc const&) {}
  throw error(kind, {});
}

/// body(), where a std::bad_alloc becomes an `error` of `error_kind::workspace` that says what memory was for.
template <class Body>
decltype(auto) with_memory_for(char const* what, Body const& body) {
  try {
    return body();
  } catch (std::bad_alloc const&) {
    throw_in_words([&] {
      return error(error_kind::workspace, std::string{"the system has no memory for "} + what,
                   "free memory, or run fewer tokens at a time");
    });
  }
}

}  // namespace host
}  // namespace heddle::inline HEDDLE_ABI
