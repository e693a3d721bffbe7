// SPDX-License-Identifier: Apache-2.0
// The one exception type of the library, and the kinds of failure it promises.
#pragma once

#include <exception>
#include <heddle/core/config.hpp>
#include <string>
#include <string_view>

namespace heddle::inline HEDDLE_ABI {

/// What kind of failure an `error` reports.
enum class error_kind {
  argument,     ///< a value the caller passed is out of its domain
  shape,        ///< sizes that do not fit each other or the mesh
  plan,         ///< a parameter without a rule, a rule without a parameter, an ambiguous rule
  workspace,    ///< the caller's memory is too small; the text says how many bytes were needed
  io,           ///< the operating system refused a file
  format,       ///< a file that is not what it claims to be
  unsupported,  ///< valid, but outside what this build, machine or policy does
  device,       ///< a GPU refused a call or broke off; what ran on it is lost
  mismatch,     ///< ranks disagree about the collective they are in
  peer_failed,  ///< another rank threw; `culprit` names it
  peer_left,    ///< another rank destroyed its communicator
  timeout,      ///< a rank did not arrive before the deadline; `culprit` names it
  poisoned,     ///< the communicator failed earlier
};

/// The name of a kind, as it stands in the text of an error.
[[nodiscard]] constexpr std::string_view name_of(error_kind kind) {
  switch (kind) {
    case error_kind::argument: return "argument";
    case error_kind::shape: return "shape";
    case error_kind::plan: return "plan";
    case error_kind::workspace: return "workspace";
    case error_kind::io: return "io";
    case error_kind::format: return "format";
    case error_kind::unsupported: return "unsupported";
    case error_kind::device: return "device";
    case error_kind::mismatch: return "mismatch";
    case error_kind::peer_failed: return "peer_failed";
    case error_kind::peer_left: return "peer_left";
    case error_kind::timeout: return "timeout";
    case error_kind::poisoned: return "poisoned";
  }
  return "unknown";
}

/// A place in a source file. std::source_location, for compilers that do not have it yet (clang 14).
struct source_place {
  char const* file = "";
  unsigned line = 0;
  char const* function = "";
  /// The place of the caller, when used as a default argument.
  static constexpr source_place current(char const* file = __builtin_FILE(), unsigned line = __builtin_LINE(),
                                        char const* function = __builtin_FUNCTION()) {
    return {file, line, function};
  }
};

/// What went wrong, where, and what to do about it. `rank` is the rank that throws, -1 where no rank is known. An error
/// made where memory has run out keeps its kind and its numbers; `what` is then the name of the kind.
class error : public std::exception {
 public:
  /// `text` says what is wrong, with the numbers; `hint` what to do about it.
  error(error_kind kind, std::string text, std::string hint = {}, int rank = -1,
        source_place where = source_place::current())
      : kind_{kind}, rank_{rank}, text_{std::move(text)}, hint_{std::move(hint)}, where_{where} {
    compose();
  }

  /// All of it in one line: kind, text, operation, culprit, rank and hint.
  [[nodiscard]] char const* what() const noexcept override {
    return what_.empty() ? name_of(kind_).data() : what_.c_str();
  }
  [[nodiscard]] error_kind kind() const noexcept { return kind_; }
  /// The rank that threw, -1 where none is known.
  [[nodiscard]] int rank() const noexcept { return rank_; }
  [[nodiscard]] std::string const& text() const noexcept { return text_; }
  [[nodiscard]] std::string const& hint() const noexcept { return hint_; }
  [[nodiscard]] source_place where() const noexcept { return where_; }

  // Set by communicators: the rank at fault, the operation it broke and its number on that communicator.
  /// The world rank at fault, -1 where none is known.
  [[nodiscard]] int culprit() const noexcept { return culprit_; }
  /// The collective that failed; empty where the error is no communicator's.
  [[nodiscard]] std::string const& operation() const noexcept { return operation_; }
  /// The number of that collective on its communicator, -1 where there is none.
  [[nodiscard]] long sequence() const noexcept { return sequence_; }

  /// The same error with the rank at fault and the operation it broke: `throw error(...).blames(...)`.
  error&& blames(int culprit, std::string operation, long sequence) && {
    culprit_ = culprit;
    operation_.swap(operation);
    sequence_ = sequence;
    compose();
    return std::move(*this);
  }

 private:
  // Not std::string's own appends: they are templates, which every user would pay for.
  void add(std::string_view part) { what_.append(part.data(), part.size()); }
  void compose() {
    try {
      what_.clear();
      add("heddle: "), add(name_of(kind_)), add(": "), add(text_);
      if (!operation_.empty()) add(" ["), add(operation_), add(" #"), add(std::to_string(sequence_)), add("]");
      if (culprit_ >= 0) add(" [culprit rank "), add(std::to_string(culprit_)), add("]");
      if (rank_ >= 0) add(" [rank "), add(std::to_string(rank_)), add("]");
      if (!hint_.empty()) add(" Fix: "), add(hint_);
    } catch (std::exception const&) {  // what is thrown stays what it is
      what_.clear();
    }
  }

  error_kind kind_;
  int rank_ = -1;
  int culprit_ = -1;
  long sequence_ = -1;
  std::string text_, hint_, operation_, what_;
  source_place where_;
};

}  // namespace heddle::inline HEDDLE_ABI
