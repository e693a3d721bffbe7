// SPDX-License-Identifier: Apache-2.0
// A training step between processes in which one rank finds no memory: `mpi_shortage RANK FIRST COUNT` refuses COUNT
// allocations of that rank from number FIRST on (0 for all that follow). The rank says which error it has, without
// memory for words too, and the job ends: nobody hangs. A rank has about ten in a step; what MPI allocates by
// itself is not refused.
//
// clang-format off
// run: mpirun -np 2 0 0 1 ; expect exit 77 within 8 s ; expect text "^(heddle: )?workspace" ; reject text "bad_alloc|terminate"
// run: mpirun -np 2 1 0 0 ; expect exit 77 within 8 s ; expect text "^(heddle: )?workspace" ; reject text "bad_alloc|terminate"
// run: mpirun -np 2 1 4 1 ; expect exit 77 within 8 s ; expect text "^(heddle: )?workspace" ; reject text "bad_alloc|terminate" ; expect text "the system has no memory for a product"
// run: mpirun -np 2 0 9 0 ; expect exit 77 within 8 s ; expect text "^(heddle: )?workspace" ; reject text "bad_alloc|terminate"
// run: mpirun -np 2 1 8 1 ; expect exit 77 within 8 s ; expect text "^(heddle: )?workspace" ; reject text "bad_alloc|terminate" ; expect text "no memory for all_reduce .*\[culprit rank 1\]"
// run: mpirun -np 4 3 3 1 ; expect exit 77 within 8 s ; expect text "^(heddle: )?workspace" ; reject text "bad_alloc|terminate"
// run: mpirun -np 4 0 5 1 ; expect exit 77 within 8 s ; expect text "^(heddle: )?workspace" ; reject text "bad_alloc|terminate" ; expect text "no memory for reduce_scatter .*\[culprit rank 0\]"
// run: mpirun -np 4 2 8 1 ; expect exit 77 within 8 s ; expect text "^(heddle: )?workspace" ; reject text "bad_alloc|terminate"
// run: mpirun -np 4 1 9 0 ; expect exit 77 within 8 s ; expect text "^(heddle: )?workspace" ; reject text "bad_alloc|terminate"
// run: mpirun -np 4 1 100000 0 ; expect exit 0 within 8 s ; expect text "nothing was refused"
// clang-format on
#include <climits>
#include <cstdio>
#include <cstdlib>
#include <heddle/dispatcher/all_to_all.hpp>
#include <heddle/mpi/run.hpp>

#include "../support/workspace_trial.hpp"

using namespace heddle;
using namespace support;

int main(int argc, char** argv) {
  if (argc < 4) return 2;
  int const who = std::atoi(argv[1]);
  long const first = std::atol(argv[2]);
  long const count = std::atol(argv[3]);
  mpi::options const settings{.deadline = std::chrono::seconds{4}, .check = mpi::check_mode::on};
  return mpi::run(argc, argv, settings, [&](mpi::communicator<>& world) {
    using layer = dispatched_layer<all_to_all_dispatcher<>, weight_at::origin>;
    int const ranks = world.size();
    auto const grid = split_of{ranks, 1, ranks / 2, 2}.grid();
    moe_data const data = make_moe({.tokens = 9, .width = 6, .ffn = 5, .experts = 4, .slots = 2});
    routed_part<float> part{data, grid, world.rank(), false};
    mesh_groups<mpi::communicator<>, tp, dp, etp, ep, edp, both_groups> groups{world, grid};
    host::reference_gemm gemm;
    host::workspace scratch;
    host::execution execution{gemm, groups, scratch};
    world.barrier();
    if (world.rank() == who) refuse_allocations(refuse_to::this_thread, first, count > 0 ? count : LONG_MAX);
    static_cast<void>(
        whole_step<layer, etp, ep>(execution, part.parameters.weights, part.in(data), part.state, [] { return 0U; }));
    world.barrier();
    refuse_no_allocation();
    if (world.rank() == who && refused_allocations() == 0) std::printf("nothing was refused\n");
  });
}
