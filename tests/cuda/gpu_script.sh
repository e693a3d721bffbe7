#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# cmake/gpu.sh with programs and a GPU that are made up: what it counts, what it calls an error, and the file it writes.
# Usage: gpu_script.sh SOURCE_DIR
set -u
script=$1/cmake/gpu.sh
work=$(mktemp -d) || exit 1
trap 'rm -rf "$work"' EXIT
wrong=0
expect() {  # expect WHAT COMMAND...
  what=$1
  shift
  "$@" >/dev/null 2>&1 && return
  echo "WRONG: $what"
  sed 's/^/    /' "$work/out"
  wrong=1
}
has() { grep -qF -- "$1" "$work/out"; }
program() {  # program PATH LINES...
  mkdir -p "$(dirname "$work/build/programs/$1")"
  path=$work/build/programs/$1
  shift
  printf '#!/bin/sh\n' >"$path"
  printf '%s\n' "$@" >>"$path"
  chmod +x "$path"
}
run() {  # run CODE STAGES...: the script must end with that code
  code=$1
  shift
  HEDDLE_GPU_BUILD=$work/build HEDDLE_GPU_RESULTS=$work/results HEDDLE_GPU_SECONDS=${seconds:-20} PATH="$work/bin:$PATH" \
    sh "$script" "$@" >"$work/out" 2>&1
  found=$?
  expect "$*: code $found, $code is due" [ "$found" -eq "$code" ]
}
mkdir -p "$work/bin"
printf '#!/bin/sh\nexit 9\n' >"$work/bin/nvidia-smi"
chmod +x "$work/bin/nvidia-smi"

run 2 tests
expect "an unknown stage is named" has "'tests' is no stage"
run 1 test
expect "no program is an error" has "no program in"

program tests/cuda_a 'echo "skipped: no GPU here"; exit 77'
program tests/cuda_b 'echo "skipped: no GPU here"; exit 77'
run 0 test report
expect "skipped programs are counted" has "0 passed, 0 failed, 0 late, 0 did not run, 2 skipped"
expect "and their reason said" has "2 skipped: no GPU here"
expect "no file without a GPU" [ ! -e "$work/results" ]

printf '#!/bin/sh\ncase $1 in *name*) echo "NVIDIA H\\"200" ;; *driver*) echo 580.1 ;; *) echo 9.0 ;; esac\n' >"$work/bin/nvidia-smi"
run 1 test
expect "a GPU that nothing ran on is an error" has "no program ran on it"
program tests/cuda_a 'echo fine'
program tests/cuda_c 'echo "x.cu:5: FAILED: one == \"2\""; exit 1'
program tests/cuda_d 'exit 3'
program bench/move 'echo "{\"case\":\"permute\",\"shape\":\"4x4\",\"ms\":0.5,\"floor_ms\":0.25,\"of_floor\":0.5,\"beside\":\"none\",\"right\":1}"'
run 1 test bench report
expect "what failed is counted" has "1 passed, 2 failed, 0 late, 0 did not run, 1 skipped"
expect "and shown" has 'x.cu:5: FAILED: one == "2"'
expect "a run without a case failed" has "no test case was found"
expect "a bench is in the table" has "permute                            4x4                 0.5       0.25       0.5"
file=$(ls "$work"/results/nvidia-h-200/*.json 2>/dev/null)
expect "a file is written" [ -n "$file" ]
if command -v python3 >/dev/null; then
  expect "the file is JSON with every row" python3 -c '
import json, sys
all = json.load(open(sys.argv[1]))
rows = all["rows"]
assert all["gpu"] == "NVIDIA H\"200" and all["driver"] == "580.1", all
assert [r["outcome"] for r in rows if r["stage"] == "test"] == ["passed", "skipped", "failed", "failed"], rows
assert [r["ms"] for r in rows if "case" in r] == [0.5], rows
assert "one == \"2\"" in rows[2]["reason"], rows' "$file"
fi
printf '#!/bin/sh\necho "Cuda compilation tools, release 13.9, V13.9.1"\n' >"$work/bin/nvcc"
cat >"$work/bin/cmake" <<END
#!/bin/sh
echo "\$*" >>"$work/calls"
case \$1 in
  --build) head -c \${BYTES:-1000} /dev/zero >"$work/build/programs/bench/data" ;;
  *) mkdir -p "$work/build" && echo "HEDDLE_NCCL_INCLUDE_DIR:PATH=$work" >"$work/build/CMakeCache.txt" ;;
esac
END
printf '#define NCCL_MAJOR 2\n#define NCCL_MINOR 30\n#define NCCL_PATCH 7\n' >"$work/nccl.h"
chmod +x "$work/bin/nvcc" "$work/bin/cmake"
run 0 build
expect "it is built for the GPU that is there" grep -q -- "--preset gpu.*CMAKE_CUDA_ARCHITECTURES=90a-real" "$work/calls"
expect "what it was built by goes with it" grep -qx "cuda 13.9" "$work/build/programs/about"
expect "and NCCL" grep -qx "nccl 2.30.7" "$work/build/programs/about"
expect "and the commit" grep -Eqx "commit [0-9a-f]{10}([+]changes)?|commit " "$work/build/programs/about"
BYTES=63000000
export BYTES
run 1 build
expect "too much to carry is an error" has "too many to carry"
unset BYTES
HEDDLE_GPU_ARCHITECTURE=80-real
export HEDDLE_GPU_ARCHITECTURE
run 0 build
expect "an architecture can be asked for" grep -qx "architecture 80-real" "$work/build/programs/about"
program tests/cuda_a 'sleep 30'
seconds=2
run 1 test
expect "a stage ends in time" has "1 late, 3 did not run"
[ $wrong -eq 0 ] && echo "cmake/gpu.sh does what it says"
exit $wrong
