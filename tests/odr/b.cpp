// SPDX-License-Identifier: Apache-2.0
#include "umbrellas.hpp"

heddle::mesh<heddle::tp, heddle::dp> grid_of_b();
char const* message_of_b();

heddle::mesh<heddle::tp, heddle::dp> grid_of_b() { return heddle::mesh<heddle::tp, heddle::dp>{2, 4}; }

char const* message_of_b() { return heddle::even::piece(7, 2, 0).size == 0 ? "" : "7 does not divide by 2"; }
