// SPDX-License-Identifier: Apache-2.0
#include "umbrellas.hpp"

heddle::mesh<heddle::tp, heddle::dp> grid_of_b();
char const* message_of_b();

int main() {
  bool const same_grid = grid_of_b() == heddle::mesh<heddle::tp, heddle::dp>{2, 4};
  try {
    static_cast<void>(message_of_b());
  } catch (heddle::error const& caught) {  // thrown by b, known here: one type in both
    return same_grid && caught.kind() == heddle::error_kind::shape ? 0 : 1;
  }
  return 1;
}
