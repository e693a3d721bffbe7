// SPDX-License-Identifier: Apache-2.0
// A rank that does not come to a call of MPI which itself has no deadline: `mpi_windows CALL RANK`, where CALL is held
// up before MPI sees it. Every job must end within 2 s of its deadline of 1 s.
//
// clang-format off
// run: mpirun -np 4 split 2 ; expect exit 75 within 6 s ; expect text "timeout: waited 1000 ms in MPI_Comm_split"
// run: mpirun -np 4 allocate 1 ; expect exit 75 within 6 s ; expect text "timeout: waited 1000 ms in making a window"
// run: mpirun -np 2 free 0 ; expect exit 75 within 6 s ; expect text "timeout: waited 1000 ms in making a window"
// run: mpirun -np 3 end 2 ; expect exit 75 within 6 s ; expect text "timeout: waited 1000 ms in MPI_Win_free"
// run: mpirun -np 4 none 0 ; expect exit 0 within 8 s ; expect text "all came"
// clang-format on
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <heddle/mpi/run.hpp>
#include <string>
#include <thread>

using namespace heddle;

namespace {

std::string held_up;  // on this rank

void hold_up(char const* call) {
  if (held_up == call) std::this_thread::sleep_for(std::chrono::seconds{30});
}

}  // namespace

// MPI's profiling interface: these stand in for the calls.
extern "C" int MPI_Comm_split(MPI_Comm comm, int color, int key, MPI_Comm* part) {
  hold_up("split");
  return PMPI_Comm_split(comm, color, key, part);
}
extern "C" int MPI_Win_allocate_shared(MPI_Aint size, int unit, MPI_Info info, MPI_Comm comm, void* base,
                                       MPI_Win* window) {
  hold_up("allocate");
  return PMPI_Win_allocate_shared(size, unit, info, comm, base, window);
}
extern "C" int MPI_Win_free(MPI_Win* window) {
  hold_up("free");
  return PMPI_Win_free(window);
}

int main(int argc, char** argv) {
  if (argc < 3) return 2;
  std::string const call = argv[1];
  int const who = std::atoi(argv[2]);
  return mpi::run(argc, argv, {.deadline = std::chrono::seconds{1}}, [&](mpi::communicator<>& world) {
    bool const late = world.rank() == who;
    if (late && call != "end") held_up = call;
    auto group = world.split(0, 0);
    for (index_t const bytes : {100, 1000}) {  // the second ends the window of the first
      if (group.symmetric(bytes).bytes != bytes) throw std::runtime_error("other memory");
    }
    group.barrier();
    if (late && call == "end") held_up = "free";
    if (world.rank() == 0) std::printf("all came\n");
  });
}
