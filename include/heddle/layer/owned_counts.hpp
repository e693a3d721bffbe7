// SPDX-License-Identifier: Apache-2.0
// Counts of a step by their owner: those of the host go to kernels, those of kernels come to the host by a fetch, which
// asks for the token. On host memory both are the same numbers.
#pragma once

#include <heddle/kernel/align_groups.hpp>
#include <heddle/layer/frame.hpp>

namespace heddle::inline HEDDLE_ABI {

namespace detail {

template <class Memory>
inline constexpr bool of_host = std::is_same_v<Memory, host_memory>;

/// Numbers that a kernel is to write, and what they are behind it.
template <class Memory>
struct written_counts {
  per_row<index_t, Memory> where;
  counts<Memory> read;
};

/// Scratch for `size` numbers that kernels count, and that sum up to `most` at the most.
template <class Frame>
[[nodiscard]] written_counts<typename Frame::memory> counts_to_write(Frame& frame, index_t size, index_t most) {
  extents<tokens> const shape{size};
  if constexpr (of_host<typename Frame::memory>) {
    auto const rows = frame.counts(static_cast<std::size_t>(size));
    return {{rows.data(), shape}, rows};
  } else {
    per_row<index_t, typename Frame::memory> const where{frame.template scratch<index_t>(size).data(), shape};
    return {where, {where, {}, most}};
  }
}

/// Rows that the host has counted, which stay where they are until the step ends.
template <class Frame>
[[nodiscard]] counts<typename Frame::memory> counts_of_host(Frame& frame, std::span<index_t const> rows) {
  if constexpr (of_host<typename Frame::memory>) {
    return rows;
  } else {
    // Rows and begins go there together.
    auto const size = static_cast<index_t>(rows.size());
    auto const all = frame.counts(2 * rows.size() + 1);
    auto const begins = all.subspan(rows.size());
    begins[0] = 0;
    for (std::size_t g = 0; g < rows.size(); ++g) {
      all[g] = rows[g];
      begins[g + 1] = begins[g] + rows[g];
    }
    auto const there = frame.execution().visible(all);
    return {{there.data(), extents<tokens>{size}},
            {there.data() + size, extents<tokens>{size + 1}},
            begins.back(),
            all.first(rows.size())};
  }
}

/// Where kernels read them.
template <class Frame>
[[nodiscard]] per_row<index_t const, typename Frame::memory> visible(Frame& frame,
                                                                     counts<typename Frame::memory> const& rows) {
  if constexpr (of_host<typename Frame::memory>) return frame.execution().visible(rows);
  else return rows.visible();
}

/// The same counts rounded up to a multiple, with where each begins: for counts that only kernels know.
template <class Frame>
[[nodiscard]] counts<device_memory> aligned_counts(Frame& frame, counts<device_memory> const& rows, index_t multiple) {
  auto const groups = static_cast<index_t>(rows.size());
  auto* const there = frame.template scratch<index_t>(2 * groups + 1).data();
  extents<tokens> const size{groups}, behind{groups + 1};
  frame.launch(
      kernel::align_groups<device_memory>{
          .counts = rows.visible(), .multiple = multiple, .sizes = {there, size}, .begins = {there + groups, behind}},
      1);
  index_t const filled = rows.most() < groups ? rows.most() : groups;
  index_t const most = (rows.most() + filled * (multiple - 1)) / multiple * multiple;
  return {{there, size}, {there + groups, behind}, most};
}

/// Where each group begins, and the end of the last, where kernels read it: [E + 1].
template <class Frame>
[[nodiscard]] per_row<index_t const, typename Frame::memory> visible_begins(
    Frame& frame, counts<typename Frame::memory> const& rows) {
  if constexpr (of_host<typename Frame::memory>) {
    auto const begins = frame.counts(rows.size() + 1);
    begins[0] = 0;
    for (std::size_t g = 0; g < rows.size(); ++g) begins[g + 1] = begins[g] + rows[g];
    return frame.execution().visible(begins);
  } else if (rows.begins().data() != nullptr) {
    return rows.begins();
  } else {
    return aligned_counts(frame, rows, 1).begins();
  }
}

/// Height of memory for all rows: their sum where the host knows it, a bound on it elsewhere.
[[nodiscard]] inline index_t height_of(counts<host_memory> const& rows) {
  index_t sum = 0;
  for (index_t const count : rows) sum += count;
  return sum;
}
[[nodiscard]] inline index_t height_of(counts<device_memory> const& rows) { return rows.most(); }

/// The numbers on the host, until the step ends. Waits for the kernels that count them, unless the host has made them.
template <class Execution>
[[nodiscard]] counts<host_memory> read_counts(Execution& execution, counts<host_memory> const& rows) {
  static_cast<void>(execution);
  return rows;
}
template <class Execution>
[[nodiscard]] counts<host_memory> read_counts(Execution& execution, counts<device_memory> const& rows) {
  host_sync const waits{execution};
  std::span<index_t> const into{rows.known() ? nullptr : execution.allocate_counts(static_cast<index_t>(rows.size())),
                                rows.known() ? 0 : rows.size()};
  return rows.read(waits, into, [&](auto const& from, std::span<index_t> to) { execution.fetch(waits, from, to); });
}

}  // namespace detail

}  // namespace heddle::inline HEDDLE_ABI
