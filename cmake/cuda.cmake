# SPDX-License-Identifier: Apache-2.0
# With HEDDLE_ENABLE_CUDA: every header of layers 0 to 7 through nvcc, so that what the host tests prove can be compiled
# for a device. Target heddle_headers_cuda. Architectures are the parent's, or at top level those of the A100, H100 and B200.
if(NOT CMAKE_CUDA_COMPILER AND NOT DEFINED ENV{CUDACXX})
  find_program(HEDDLE_NVCC nvcc)
  if(NOT HEDDLE_NVCC)
    message(FATAL_ERROR "HEDDLE_ENABLE_CUDA is on and there is no nvcc: install the CUDA toolkit, set CUDACXX, or turn the option off.")
  endif()
endif()
if(PROJECT_IS_TOP_LEVEL AND NOT DEFINED CMAKE_CUDA_ARCHITECTURES)
  set(CMAKE_CUDA_ARCHITECTURES 80-real 90-real 100-real)
endif()
enable_language(CUDA)
file(CONFIGURE OUTPUT ${PROJECT_BINARY_DIR}/heddle_headers.cu CONTENT "#include <heddle/heddle.hpp>\n")
add_library(heddle_headers_cuda OBJECT ${PROJECT_BINARY_DIR}/heddle_headers.cu)
target_link_libraries(heddle_headers_cuda PRIVATE heddle::heddle)
# A flag, since CMake 3.25 does not know that nvcc has C++20.
target_compile_options(heddle_headers_cuda PRIVATE -std=c++20)
target_compile_options(heddle_headers_cuda PRIVATE -Werror=all-warnings)
