#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# every_kernel.sh ROOT: each row kernel of include/heddle/kernel is named in a tests/cuda/kernels_*.cu, so that none is
# first compiled for a GPU by a user.
set -eu
cd "$1"
missing=0
found=0
for name in $(awk '/^struct /{name = $2} /template <team Team>/{getline; if (/operator\(\)/) print name}' include/heddle/kernel/*.hpp); do
  found=$((found + 1))
  if ! grep -q "kernel::$name<" tests/cuda/kernels_*.cu; then
    echo "kernel::$name is compiled for no GPU: name it in a tests/cuda/kernels_*.cu"
    missing=1
  fi
done
[ $found -gt 40 ] || { echo "only $found kernels were found: has their form changed?"; exit 1; }
exit $missing
