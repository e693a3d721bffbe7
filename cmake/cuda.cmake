# SPDX-License-Identifier: Apache-2.0
# With HEDDLE_ENABLE_CUDA: what this repository compiles with nvcc. Architectures are the builder's, or that of the H100;
# row kernels and headers are compiled for the A100 as well, and for the B200 by a toolkit that knows it.
if(NOT CMAKE_CUDA_COMPILER AND NOT DEFINED ENV{CUDACXX})
  find_program(HEDDLE_NVCC nvcc)
  if(NOT HEDDLE_NVCC)
    message(FATAL_ERROR "HEDDLE_ENABLE_CUDA is on and there is no nvcc: install the CUDA toolkit, set CUDACXX, or turn the option off.")
  endif()
endif()
set(heddle_every_architecture ${CMAKE_CUDA_ARCHITECTURES})
if(NOT DEFINED CMAKE_CUDA_ARCHITECTURES)
  set(CMAKE_CUDA_ARCHITECTURES 90a-real)
endif()
enable_language(CUDA)
if(NOT DEFINED heddle_every_architecture)
  set(heddle_every_architecture 80-real 90a-real)
  if(CMAKE_CUDA_COMPILER_VERSION VERSION_GREATER_EQUAL 12.8)
    list(APPEND heddle_every_architecture 100-real)
  endif()
endif()

# heddle_cuda_options(<target>): warnings as errors on both sides. The standard is a flag, since CMake 3.25 does not know
# that nvcc has C++20. Host code is not tuned to this machine: objects are carried to the one with the GPU. What ptxas
# says of each kernel is kept beside its object, for the test cuda.ptxas.
# g++ 12 warns falsely of overlapping copies in strings, see own_targets.cmake.
set(heddle_not_restrict "")
if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU" AND CMAKE_CXX_COMPILER_VERSION VERSION_LESS 13)
  set(heddle_not_restrict ",-Wno-restrict")
endif()
function(heddle_cuda_options target)
  target_link_libraries(${target} PRIVATE heddle::cuda)
  target_compile_options(${target} PRIVATE $<$<COMPILE_LANGUAGE:CUDA>:-std=c++20 -Xptxas=-v -Werror=all-warnings -Xcompiler=-Wall,-Wextra,-Werror${heddle_not_restrict}>
    $<$<COMPILE_LANGUAGE:CXX>:-Wall -Wextra -Wconversion -Wshadow -Werror>)
  set(launcher sh ${PROJECT_SOURCE_DIR}/cmake/ptxas.sh keep ${CMAKE_CUDA_COMPILER_LAUNCHER})
  set_target_properties(${target} PROPERTIES CUDA_COMPILER_LAUNCHER "${launcher}")
endfunction()

file(CONFIGURE OUTPUT ${PROJECT_BINARY_DIR}/heddle_headers.cu CONTENT "#include <heddle/heddle.cuh>\n")
add_library(heddle_nvcc_headers OBJECT ${PROJECT_BINARY_DIR}/heddle_headers.cu)
set_target_properties(heddle_nvcc_headers PROPERTIES CUDA_ARCHITECTURES "${heddle_every_architecture}")
heddle_cuda_options(heddle_nvcc_headers)

# A .cu of a user has the host's backend too, where tests and examples compare.
file(CONFIGURE OUTPUT ${PROJECT_BINARY_DIR}/heddle_host.cu CONTENT "#include <heddle/host.hpp>\n#include <heddle/heddle.cuh>\n")
add_library(heddle_nvcc_host OBJECT ${PROJECT_BINARY_DIR}/heddle_host.cu)
heddle_cuda_options(heddle_nvcc_host)
target_link_libraries(heddle_nvcc_host PRIVATE heddle::host)
