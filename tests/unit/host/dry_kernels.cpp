// SPDX-License-Identifier: Apache-2.0
#include <heddle/host/dry_kernels.hpp>

#include <doctest/doctest.h>
#include <heddle/kernel/unpermute.hpp>
#include <vector>

using namespace heddle;

namespace {

using ids_list = std::vector<std::int32_t>;

/// Memory that a kernel may touch.
struct zeros {
  std::vector<double>& memory;
  template <class Element>
  Element* make(index_t count) const {
    memory.assign(static_cast<std::size_t>(count), 0);
    return static_cast<Element*>(static_cast<void*>(memory.data()));
  }
};
template <class Kernel>
void run_dry(Kernel const& kernel, index_t count) {
  std::vector<double> memory;
  auto const part = host::dry_part(kernel, zeros{memory});
  for (index_t row = 0; row < count; ++row) part(serial_team{}, row);
}

float* nowhere() { return reinterpret_cast<float*>(std::uintptr_t{1} << 46); }

}  // namespace

TEST_CASE("kernels of other data are not run") {
  auto const runs = []<class Kernel>(std::type_identity<Kernel>) {
    return requires(Kernel some, zeros made) { host::dry_part(some, made); };
  };
  CHECK(runs(std::type_identity<kernel::permute<std::int32_t>>{}));
  CHECK(!runs(std::type_identity<kernel::permute<float>>{}));
  CHECK(!runs(std::type_identity<kernel::unpermute<float>>{}));
}

TEST_CASE("ids come out as in the real step, and weights are nowhere") {
  extents<tokens, slots> const shape{2, 2};
  ids_list const ids{3, 0, -1, 2};
  slot_view<float, host_memory> const weights{nowhere(), shape};

  ids_list own(4, 9);
  run_dry(kernel::mask_experts<>{{ids.data(), shape}, weights, 2, 2, {own.data(), shape}, weights}, 2);
  CHECK(own == ids_list{3, -1, -1, 2});

  ids_list wide(8, 9);
  extents<tokens, slots> const doubled{2, 4};
  run_dry(kernel::repeat_choices<>{{ids.data(), shape}, weights, 4, 2, 2, {wide.data(), doubled}, {nowhere(), doubled}},
          2);
  CHECK(wide == ids_list{5, 7, 0, 2, -1, -1, 4, 6});

  ids_list others(4, 9);
  rows<float> const none{nowhere(), extents<tokens, hidden>{2, 3}};
  run_dry(kernel::identity_experts<float>{none, {ids.data(), shape}, weights, 3, none, {others.data(), shape}}, 2);
  CHECK(others == ids_list{-1, 0, -1, 2});
}

TEST_CASE("a drop by probability leaves each expert its capacity") {
  extents<tokens, slots> const shape{3, 1};
  ids_list ids{0, 0, 1};
  ids_list const tokens_of_rows{0, 1, 2}, slots_of_rows{0, 0, 0};
  std::vector<index_t> const begins{0, 2, 3};
  std::vector<index_t> kept(2), dropped(2);
  extents<tokens> const two{2};
  run_dry(kernel::drop<kernel::drop_by::probability>{.row_to_token = {tokens_of_rows.data(), extents<tokens>{3}},
                                                     .row_to_slot = {slots_of_rows.data(), extents<tokens>{3}},
                                                     .begins = {begins.data(), extents<tokens>{3}},
                                                     .capacity = 1,
                                                     .ids = {ids.data(), shape},
                                                     .weights = {nowhere(), shape},
                                                     .kept = {kept.data(), two},
                                                     .dropped = {dropped.data(), two}},
          2);
  CHECK(ids == ids_list{0, -1, 1});
  CHECK(kept == std::vector<index_t>{1, 1});
  CHECK(dropped == std::vector<index_t>{1, 0});
}
