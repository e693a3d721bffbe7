// SPDX-License-Identifier: Apache-2.0
// Rows stored straight into the memory of the ranks that work on them, at their final places, and back. Ranks tell each
// other their counts first, also by stores, so nobody waits for a host to read any.
#pragma once

#include <heddle/sequence/operation.hpp>

namespace heddle::inline HEDDLE_ABI {

/// What happens where a caller gives less room than a step needs.
enum class on_overflow {
  error,   ///< every rank throws, and names the rank and its expert, before any row moves
  report,  ///< rows whose places lie beyond the room are left out, the same ones each time, and the report counts them
};

template <class ExpertParallel, class ExpertTensor, on_overflow Overflow = on_overflow::error,
          class Copies = sharded<tokens, as_given>, int Rows = 1>
struct direct_send;
template <class ExpertParallel, class ExpertTensor, on_overflow Overflow = on_overflow::error,
          class Copies = sharded<tokens, as_given>, int Rows = 1>
struct direct_return;

/// Bucketed rows go to the ranks of their experts and lie there by (expert, source, position). One row goes to every
/// rank of `ExpertTensor`; where copies have been made for each of them, `Copies` is `bucketed`. The rows of every
/// expert begin at a multiple of `Rows`; zeros lie between one expert and the next, which nobody sends.
template <class ExpertParallel, class ExpertTensor, on_overflow Overflow, class Copies, int Rows>
struct direct_send : operation_base<"direct_send", placement<on<ExpertParallel, bucketed>, on<ExpertTensor, Copies>>,
                                    placement<on<ExpertParallel, routed>, on<ExpertTensor, varying>>,
                                    direct_return<ExpertParallel, ExpertTensor, Overflow, Copies, Rows>, ExpertParallel,
                                    ExpertTensor> {
  static_assert(Rows > 0, "[heddle.direct.rows] an alignment of no rows. Fix: align to one row or more.");
  static constexpr bool communicates = true;
};

/// The way home by the same places: what the ranks of `ExpertTensor` made of one row is summed there in ascending
/// order, or stays apart where there are copies for each.
template <class ExpertParallel, class ExpertTensor, on_overflow Overflow, class Copies, int Rows>
struct direct_return
    : operation_base<"direct_return", placement<on<ExpertParallel, routed>, on<ExpertTensor, partial>>,
                     placement<on<ExpertParallel, bucketed>, on<ExpertTensor, Copies>>,
                     direct_send<ExpertParallel, ExpertTensor, Overflow, Copies, Rows>, ExpertParallel, ExpertTensor> {
  static constexpr bool communicates = true;
};

}  // namespace heddle::inline HEDDLE_ABI
