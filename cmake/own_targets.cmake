# SPDX-License-Identifier: Apache-2.0
# heddle_own: what the tests, benches and examples of this repository are compiled with, and nobody else: warnings as
# errors, where the shipped data lies, and in a release build of the top level the instructions of this machine.
set(CMAKE_CXX_EXTENSIONS OFF)
add_library(heddle_own INTERFACE)
target_compile_features(heddle_own INTERFACE cxx_std_20)
# g++ 12 sees an overlapping copy in "text" + std::to_string(number) where there is none (GCC bug 105329).
target_compile_options(heddle_own INTERFACE -Wall -Wextra -Wconversion -Wshadow -Werror
  $<$<AND:$<CXX_COMPILER_ID:GNU>,$<VERSION_LESS:$<CXX_COMPILER_VERSION>,13>>:-Wno-restrict>)
target_compile_definitions(heddle_own INTERFACE "HEDDLE_GOLDEN_DIR=\"${PROJECT_SOURCE_DIR}/tests/golden\""
  $<$<BOOL:${heddle_ONEDNN_FOUND}>:HEDDLE_WITH_ONEDNN=1> $<$<BOOL:${heddle_mpi_FOUND}>:HEDDLE_WITH_MPI=1>)
if(PROJECT_IS_TOP_LEVEL)
  target_compile_options(heddle_own INTERFACE $<$<CONFIG:Release>:-march=native>)
endif()
target_link_libraries(heddle_own INTERFACE heddle::heddle)

# heddle_own_executable(<name> <sources>... [LINK <targets>...]) makes an executable linked with heddle::host.
function(heddle_own_executable name)
  cmake_parse_arguments(PARSE_ARGV 1 arg "" "" "LINK")
  add_executable(${name} ${arg_UNPARSED_ARGUMENTS})
  target_link_libraries(${name} PRIVATE heddle_own heddle::host ${arg_LINK})
endfunction()

# What an OpenMPI job of a test needs from its environment: a test may run as root, on fewer cores than ranks, and in a
# container that forbids process_vm_readv. OpenMPI leaves memory behind in modules that are unloaded before the leak
# sanitizer could name them, so leaks are looked for in the programs without MPI; and a job that is to die of SIGSEGV must
# not be saved by a sanitizer.
set(heddle_mpi_environment OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1 OMPI_MCA_rmaps_base_oversubscribe=1
  OMPI_MCA_hwloc_base_binding_policy=none OMPI_MCA_btl_vader_single_copy_mechanism=none OMPI_MCA_mpi_yield_when_idle=1
  ASAN_OPTIONS=detect_leaks=0:handle_segv=0)

# heddle_add_runs(<target> <prefix> <label> <file> <marker>) makes one CTest entry of each line of <file> that starts
# with <marker>; cmake/expect.sh says what such a line may hold.
function(heddle_add_runs target prefix label file marker)
  set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${file})
  file(READ ${file} text)
  string(REPLACE ";" "," text "${text}")  # a semicolon would end a list element
  string(REGEX MATCHALL "(^|\n)${marker}[^\n]*" lines "${text}")
  set(number 0)
  foreach(line IN LISTS lines)
    math(EXPR number "${number} + 1")
    if(line MATCHES "mpirun" AND NOT heddle_mpi_FOUND)
      continue()
    endif()
    set(test ${prefix}.${number})
    add_test(NAME ${test} COMMAND sh ${PROJECT_SOURCE_DIR}/cmake/expect.sh ${file} ${number} "${marker}" $<TARGET_FILE:${target}>)
    set_tests_properties(${test} PROPERTIES LABELS ${label} TIMEOUT 150 RUN_SERIAL TRUE)
    set_property(TEST ${test} PROPERTY ENVIRONMENT ${heddle_mpi_environment} MPIRUN=${MPIEXEC_EXECUTABLE}
      HEDDLE_GOLDEN_DIR=${PROJECT_SOURCE_DIR}/tests/golden)
  endforeach()
endfunction()
