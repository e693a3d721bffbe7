// SPDX-License-Identifier: Apache-2.0
// What a routed step has to tell, on the host: as it is where kernels run there, by copies that wait elsewhere. What a
// kernel has found wrong in a step nobody waited for becomes an error here.
#pragma once

#include <heddle/layer/owned_counts.hpp>

namespace heddle::inline HEDDLE_ABI {

namespace detail {

/// Numbers of a device on the host, until the step ends.
template <class Execution, class Number>
[[nodiscard]] std::span<Number> fetch_list(Execution& execution, per_row<Number const, device_memory> list) {
  if (list.count() == 0) return {};
  host_sync const waits{execution};
  auto const size = static_cast<std::size_t>(list.count());
  std::span<Number> const here{allocate_here<Number>(execution, list.count()), size};
  execution.fetch(waits, list, here);
  return here;
}

/// The same of numbers that kernels of the host have written.
template <class Execution>
[[nodiscard]] std::span<double const> list_here(Execution&, per_row<double> list) {
  return {list.data(), static_cast<std::size_t>(list.count())};
}
template <class Execution>
[[nodiscard]] std::span<double const> list_here(Execution& execution, per_row<double, device_memory> list) {
  return fetch_list(execution, per_row<double const, device_memory>{list});
}

}  // namespace detail

/// Throws `argument` where a kernel has found that a recorded choice of this step is no expert, or one expert twice.
/// Such a choice went nowhere. On the host the step itself throws.
template <class Execution>
void check_choices(Execution&, routing_report<host_memory> const&) {}
template <class Execution>
void check_choices(Execution& execution, routing_report<device_memory> const& report) {
  for (index_t const number : detail::fetch_list(execution, report.bad_choice)) {
    if (number == 0) continue;
    throw error(error_kind::argument,
                "recorded choice " + std::to_string(number - 1) +
                    ", counted token by token, is no expert, or one that "
                    "its token has already",
                "record distinct experts from 0 to the number of experts less one, -1 for none");
  }
}

/// The report on the host. Its lists live as long as the step's scratch; slopes and sums, which are the backward
/// pass's, stay where they are. An execution waits for what a device has found out, and one that captures steps does
/// not compile. Throws as `check_choices`.
template <class Execution>
[[nodiscard]] routing_report<host_memory> fetch_report(Execution&, routing_report<host_memory> const& report) {
  return report;
}
template <class Execution>
[[nodiscard]] routing_report<host_memory> fetch_report(Execution& execution,
                                                       routing_report<device_memory> const& report) {
  check_choices(execution, report);
  routing_report<host_memory> here;
  for (double const loss : detail::fetch_list(execution, report.aux)) here.aux = loss;
  for (double const loss : detail::fetch_list(execution, report.z)) here.z = loss;
  here.kept = detail::read_counts(execution, report.kept);
  here.dropped = detail::read_counts(execution, report.dropped);
  here.history = detail::fetch_list(execution, report.history);
  here.overflow = report.overflow;
  if (auto const found = detail::fetch_list(execution, report.overflow_found); found.size() >= 4) {
    here.overflow = {.needed = found[0],
                     .room = found[1],
                     .rank = static_cast<int>(found[2]),
                     .expert = found[3],
                     .dropped = found[0] > found[1] ? found.subspan(4) : std::span<index_t const>{}};
  }
  return here;
}

}  // namespace heddle::inline HEDDLE_ABI
