// SPDX-License-Identifier: Apache-2.0
#include <heddle/layer/owned_counts.hpp>

#include "numbers.hpp"

#include <doctest/doctest.h>

using namespace heddle;
using namespace numbers;

namespace {

using list_of_counts = std::vector<index_t>;

list_of_counts read(std::span<index_t const> numbers) { return {numbers.begin(), numbers.end()}; }
template <class Memory>
list_of_counts read(per_row<index_t const, Memory> numbers) {
  return {numbers.data(), numbers.data() + numbers.count()};
}

/// An execution whose device is the host's memory by another name. It counts how often it is asked for numbers.
struct far_away {
  using memory = device_memory;
  std::vector<std::vector<index_t>> pieces{};
  int fetches = 0, launches = 0;

  template <class Element>
  Element* allocate(index_t count) {
    static_assert(std::same_as<Element, index_t>);
    return pieces.emplace_back(static_cast<std::size_t>(count + 1), -7).data();
  }
  template <class Element>
  Element* allocate_here(index_t count) {
    return reinterpret_cast<Element*>(allocate<index_t>(count));
  }
  index_t* allocate_counts(index_t count) { return allocate<index_t>(count); }
  template <class X, class W, class Y>
  void multiply(X, W, Y) {}
  template <class... Lists>
  counts<memory> order_by_expert(Lists...) {
    return {};
  }
  template <class Element>
  void fill_zero(Element*, index_t) {}
  per_row<index_t const, memory> visible(std::span<index_t const> counts) {
    index_t* const there = allocate<index_t>(static_cast<index_t>(counts.size()));
    for (std::size_t i = 0; i < counts.size(); ++i) there[i] = counts[i];
    return {there, extents<tokens>{static_cast<index_t>(counts.size())}};
  }
  template <class Kernel>
  void launch(Kernel const& kernel, index_t rows) {
    ++launches;
    for (index_t row = 0; row < rows; ++row) kernel(serial_team{}, row);
  }
  void fetch(host_sync, per_row<index_t const, memory> from, std::span<index_t> into) {
    ++fetches;
    for (std::size_t i = 0; i < into.size(); ++i) into[i] = from.data()[i];
  }
};

struct step {
  far_away backend{};
  std::tuple<> weights{};
  step_state<device_memory> state{};
  heddle::frame<far_away, std::tuple<>> frame{backend, weights, state};
};

}  // namespace

TEST_CASE("on the host, counts are the numbers themselves, wherever they are asked for") {
  in_frames<ep>(mesh<ep>{1}, std::tuple<>{}, [](auto& frame, int) {
    list_of_counts const rows{3, 0, 2};
    counts<host_memory> const here = detail::counts_of_host(frame, rows);
    CHECK(here.data() == rows.data());
    CHECK(detail::visible(frame, here).data() == rows.data());
    CHECK(read(detail::visible_begins(frame, here)) == list_of_counts{0, 3, 3, 5});
    CHECK(detail::height_of(here) == 5);
    CHECK(detail::read_counts(frame.execution(), here).data() == rows.data());
    auto const written = detail::counts_to_write(frame, 2, 9);
    written.where(1) = 4;
    CHECK(written.read[1] == 4);
  });
}

TEST_CASE("what the host has counted goes to a device with its begins, and comes back without a fetch") {
  step on;
  list_of_counts const rows{3, 0, 2};
  auto const there = detail::counts_of_host(on.frame, rows);
  CHECK(read(detail::visible(on.frame, there)) == rows);
  CHECK(read(detail::visible_begins(on.frame, there)) == list_of_counts{0, 3, 3, 5});
  CHECK(detail::height_of(there) == 5);
  CHECK(read(detail::read_counts(on.backend, there)) == rows);
  CHECK(on.backend.fetches == 0);
  CHECK(on.backend.launches == 0);
}

TEST_CASE("what kernels count has a bound for a height, begins by a kernel, and comes back by a fetch") {
  step on;
  auto const written = detail::counts_to_write(on.frame, 3, 11);
  written.where(0) = 5, written.where(1) = 0, written.where(2) = 3;
  CHECK(detail::height_of(written.read) == 11);
  CHECK(read(detail::visible_begins(on.frame, written.read)) == list_of_counts{0, 5, 5, 8});
  CHECK(on.backend.launches == 1);
  CHECK(on.backend.fetches == 0);
  CHECK(read(detail::read_counts(on.backend, written.read)) == list_of_counts{5, 0, 3});
  CHECK(on.backend.fetches == 1);
  auto const aligned = detail::aligned_counts(on.frame, written.read, 4);
  CHECK(read(aligned.visible()) == list_of_counts{8, 0, 4});
  CHECK(read(aligned.begins()) == list_of_counts{0, 8, 8, 12});
  CHECK(detail::height_of(aligned) == 20);  // 11 rows with gaps of 3 behind three experts
  CHECK(detail::height_of(detail::aligned_counts(on.frame, detail::counts_to_write(on.frame, 3, 1).read, 4)) == 4);
}
