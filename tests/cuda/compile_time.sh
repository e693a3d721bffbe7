#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# compile_time.sh INCLUDE_DIR NVCC [FLAGS]: what heddle.cuh costs one translation unit for one architecture. 8 s of processor
# time are its budget. A machine that is slow or busy takes longer for everything, so a time above that is held against an
# empty file of the same run: 8 times as much is what the budget is there for a machine that needs 1 s for it.
set -eu
include=$1
shift
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
printf '#include <heddle/heddle.cuh>\n' >"$work/heddle.cu"
printf '#include <cuda_runtime.h>\n' >"$work/empty.cu"

# The second line that `times` prints is the user and system time of the children: the compiler.
seconds() {
  # shellcheck disable=SC2016
  sh -c '"$@" && times' sh "$@" | sed -n 2p |
    awk '{ for (i = 1; i <= 2; ++i) { split($i, part, /[ms]/); sum += 60 * part[1] + part[2] } print sum }'
}
for attempt in first second; do  # a busy machine can spoil one
  empty=$(seconds "$@" -std=c++20 -arch=sm_90a "-I$include" -c "$work/empty.cu" -o "$work/object")
  full=$(seconds "$@" -std=c++20 -arch=sm_90a "-I$include" -c "$work/heddle.cu" -o "$work/object")
  echo "heddle.cuh: $full s of 8 s, an empty file $empty s ($attempt)"
  if awk "BEGIN { exit !($full > 0 && ($full <= 8 || $full <= 8 * $empty)) }"; then exit 0; fi
done
echo "FAILED: heddle.cuh costs too much to compile"
exit 1
