// SPDX-License-Identifier: Apache-2.0
#include <heddle/layer/frame.hpp>

#include <doctest/doctest.h>
#include <heddle/compute/parameter.hpp>
#include <heddle/compute/role.hpp>
#include <heddle/mesh/group.hpp>
#include <heddle/tensor/axis.hpp>
#include <vector>

using namespace heddle;

namespace {

struct own_backend {
  using memory = host_memory;
  std::vector<std::vector<float>> pieces{};
  std::vector<index_t> count_room = std::vector<index_t>(16);
  int group_asked = 0;
  index_t launched = 0;

  template <class Element>
  Element* allocate(index_t count) {
    return pieces.emplace_back(static_cast<std::size_t>(count)).data();
  }
  index_t* allocate_counts(index_t) { return count_room.data(); }
  template <class Group>
  int& communicator() {
    return group_asked;
  }
  template <class Kernel>
  void launch(Kernel const&, index_t rows) {
    launched += rows;
  }
};
struct kernel_of_nothing {};

}  // namespace

TEST_CASE("frame: scratch, counts, launches and communicators are the execution's") {
  own_backend backend;
  moe_weights<float> const weights;
  step_state<> state;
  frame<own_backend, moe_weights<float>> step{backend, weights, state};
  CHECK(step.scratch<float>(5).size() == 5);
  CHECK(step.scratch_rows<float>(2, 3).size<hidden>() == 3);
  CHECK(backend.pieces.back().size() == 6);
  CHECK(step.counts(4).size() == 4);
  step.launch(kernel_of_nothing{}, 7);
  CHECK(backend.launched == 7);
  CHECK(&step.communicator<tp>() == &backend.group_asked);
  CHECK(&step.execution() == &backend);
}

TEST_CASE("frame: a role picks the parameter") {
  own_backend backend;
  moe_weights<float> const weights;
  step_state<> state;
  frame<own_backend, moe_weights<float>> const step{backend, weights, state};
  CHECK(&step.parameter<gate_role>() == &weights.gate);
  CHECK(&step.parameter<fc2_role>() == &weights.fc2);
  CHECK(&step.weights() == &weights);
}

TEST_CASE("frame: rows of a group are remembered, the last ones replace those before") {
  own_backend backend;
  int const weights = 0;
  step_state<> state;
  frame<own_backend, int> step{backend, weights, state};
  index_t const first[] = {1, 2};
  index_t const second[] = {3, 4, 5};
  CHECK(step.rows_of<tp>().empty());
  step.remember_rows<tp>(first);
  step.remember_rows<ep>(second);
  CHECK(step.rows_of<tp>().size() == 2);
  CHECK(step.rows_of<ep>()[2] == 5);
  CHECK(step.rows_of<dp>().empty());
  step.remember_rows<tp>(second);
  CHECK(step.rows_of<tp>().data() == second);
  CHECK(step.rows_of<ep>().data() == second);
}

TEST_CASE("frame: more groups than a step can remember is an error, not a lost row") {
  own_backend backend;
  int const weights = 0;
  step_state<> state;
  frame<own_backend, int> step{backend, weights, state};
  index_t const rows[] = {1};
  step.remember_rows<tp>(rows);
  step.remember_rows<dp>(rows);
  step.remember_rows<ep>(rows);
  step.remember_rows<etp>(rows);
  step.remember_rows<edp>(rows);
  step.remember_rows<cp>(rows);
  step.remember_rows<pp>(rows);
  state.routing.copies = true;  // rows of copies are others than those of tokens
  step.remember_rows<etp>(rows);
  CHECK_THROWS_AS(step.remember_rows<ep>(rows), error);
  state.routing.copies = false;
  step.remember_rows<cp>(rows);  // known groups go on
}

TEST_CASE("routing: nothing is chosen before the router ran") {
  own_backend backend;
  int const weights = 0;
  step_state<> state;
  frame<own_backend, int> const step{backend, weights, state};
  CHECK(step.routing.ids.count() == 0);
  CHECK(step.routing.experts == 0);
  CHECK(step.routing.sent.empty());
}

namespace {

/// An execution whose data lies where the host cannot write.
struct far_execution {
  std::vector<std::byte> here = std::vector<std::byte>(64);
  template <class Type>
  Type* allocate(index_t) {
    FAIL("memory of the data for an object of the host");
    return nullptr;
  }
  template <class Type>
  Type* allocate_here(index_t) {
    return reinterpret_cast<Type*>(here.data());
  }
};
/// One whose data the host writes.
struct close_execution {
  double number = 0;
  template <class Type>
  Type* allocate(index_t) {
    return &number;
  }
};

}  // namespace

TEST_CASE("frame: objects of the host lie in the data's memory only where that is the host's") {
  far_execution distant;
  CHECK(static_cast<void*>(detail::allocate_here<double>(distant, 1)) == distant.here.data());
  close_execution same;
  CHECK(detail::allocate_here<double>(same, 1) == &same.number);
}

namespace {

struct group_of_data {
  int moves = 1;
};
struct group_of_numbers {
  int tells = 2;
};
struct two_kinds {
  using memory = host_memory;
  group_of_data data;
  group_of_numbers told;
  template <class Group>
  group_of_data& communicator() {
    return data;
  }
  template <class Group>
  group_of_numbers& numbers() {
    return told;
  }
};

}  // namespace

TEST_CASE("frame: what the host knows goes its own way where the execution has one") {
  two_kinds backend;
  step_state<host_memory> state;
  int const weights = 0;
  frame<two_kinds, int> const step{backend, weights, state};
  CHECK(step.communicator<tp>().moves == 1);
  CHECK(step.numbers<tp>().tells == 2);
  own_backend plain;
  CHECK(&detail::numbers_of<tp>(plain) == &plain.communicator<tp>());
}
