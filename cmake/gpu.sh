#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# sh cmake/run.sh gpu [build|test|nccl|sanitize|bench|report]...   all of them without a word
# What a GPU is needed for: builds it with nothing but CMake, a C++ compiler and the CUDA toolkit, runs it, and writes
# bench/results/<gpu>/<date>-<commit>.json and a table. Each stage ends within 8 minutes. Where there is no GPU, `build` makes
# build/gpu/programs, which a machine with one needs beside the tree: `sh cmake/run.sh gpu test` and so on go on from there.
#   HEDDLE_GPU_ARCHITECTURE  for CMAKE_CUDA_ARCHITECTURES; default: of the GPU that is there, else 90a-real
#   HEDDLE_GPU_SECONDS       limit of a stage, 460
#   HEDDLE_GPU_BUILD         where to build, build/gpu
#   HEDDLE_GPU_RESULTS       where the result goes, bench/results
set -u
root=$(CDPATH='' cd -- "$(dirname -- "$0")/.." && pwd)
build=${HEDDLE_GPU_BUILD:-$root/build/gpu}
programs=$build/programs
rows=$build/rows
limit=${HEDDLE_GPU_SECONDS:-460}
most_bytes=62914560  # 60 MiB: what may be carried to another machine
status=0

say() { printf '%s\n' "$*"; }
fail() {
  printf 'gpu: %s\n' "$*" >&2
  status=1
}
# json TEXT: as it may stand between quotes.
json() { printf '%s' "$1" | tr '\n\t' '  ' | tr -d '\000-\037' | cut -c1-400 | sed 's/\\/\\\\/g; s/"/\\"/g'; }
# row STAGE NAME OUTCOME SECONDS REASON
row() { printf '{"stage":"%s","name":"%s","outcome":"%s","seconds":%s,"reason":"%s"}\n' "$1" "$2" "$3" "$4" "$(json "$5")" >>"$rows/$1"; }

# What is there.
gpu_query() { command -v nvidia-smi >/dev/null 2>&1 && nvidia-smi --query-gpu="$1" --format=csv,noheader 2>/dev/null | head -n 1; }
gpu_name=$(gpu_query name)
gpus=0
[ -z "$gpu_name" ] || gpus=$(nvidia-smi --query-gpu=name --format=csv,noheader | wc -l | tr -d ' ')
toolkit=
nvcc=$(command -v nvcc || { [ -x /usr/local/cuda/bin/nvcc ] && echo /usr/local/cuda/bin/nvcc; })
[ -z "$nvcc" ] || toolkit=$(CDPATH='' cd -- "$(dirname -- "$(readlink -f "$nvcc")")/.." && pwd)

# NCCL of the toolkit or the system is what CMake finds by itself; this is that of an installed PyTorch.
torch_nccl() {
  for python in python3 python; do
    command -v $python >/dev/null 2>&1 || continue
    $python -c 'import importlib.util as u
spec = u.find_spec("nvidia.nccl") if u.find_spec("nvidia") else None
print(list(spec.submodule_search_locations)[0] if spec else "")' 2>/dev/null && return
  done
}
nccl_folder=$(torch_nccl)
# Programs find the libraries of this machine, not those of the one that built them.
libraries=
for folder in "$toolkit/lib64" "$toolkit/lib" "$toolkit/targets/x86_64-linux/lib" /usr/local/cuda/lib64 \
  "${nccl_folder:-/nonexistent}/lib" "${nccl_folder:-/nonexistent}"/../*/lib; do
  [ -d "$folder" ] && libraries="$libraries$folder:"
done
export LD_LIBRARY_PATH="$libraries${LD_LIBRARY_PATH:-}"

commit() {
  if git -C "$root" rev-parse --short=10 HEAD 2>/dev/null; then return; fi
  sed -n 's/^commit //p' "$programs/about" 2>/dev/null
}

# Each command gets what is left of its stage, and `one` seconds at most.
begin_stage() {
  stage=$1
  stage_end=$(($(date +%s) + limit))
  mkdir -p "$rows"
  : >"$rows/$stage"
  say "=== $stage"
}
left_of_stage() { echo $((stage_end - $(date +%s))); }
# run_one NAME SECONDS COMMAND...: prints what it says, writes a row. 77 is "skipped", with the reason in a line.
run_one() {
  name=$1 one=$2
  shift 2
  left=$(left_of_stage)
  [ "$left" -lt "$one" ] && one=$left
  if [ "$one" -le 0 ]; then
    row "$stage" "$name" "did not run" 0 "the stage's $limit s were over"
    fail "$stage: $name did not run: the stage's $limit s were over"
    return
  fi
  begin=$(date +%s)
  timeout -k 5 "$one" "$@" >"$rows/said" 2>&1 </dev/null
  code=$?
  took=$(($(date +%s) - begin))
  case $code in
    0) outcome=passed reason= ;;
    77) outcome=skipped reason=$(sed -n 's/^skipped: *//p' "$rows/said" | head -n 1) ;;
    124 | 137) outcome=late reason="not done in $one s" ;;
    3) outcome=failed reason="no test case was found" ;;
    *) outcome=failed reason=$(grep -m 1 -E 'FAILED|WRONG|ERROR|rror:|failed' "$rows/said" || tail -n 1 "$rows/said") ;;
  esac
  printf '%-34s %-8s %4s s  %s\n' "$name" "$outcome" "$took" "$reason"
  row "$stage" "$name" "$outcome" "$took" "$reason"
  case $outcome in
    failed | late)
      tail -n 40 "$rows/said" | sed 's/^/    /'
      fail "$stage: $name: $outcome"
      ;;
  esac
}
# count STAGE OUTCOME
count() { grep -c "\"outcome\":\"$2\"" "$rows/$1" 2>/dev/null || true; }
end_stage() {
  say "--- $stage: $(count "$stage" passed) passed, $(count "$stage" failed) failed, $(count "$stage" late) late, $(count "$stage" 'did not run') did not run, $(count "$stage" skipped) skipped"
  sed -n 's/.*"outcome":"skipped".*"reason":"\(.*\)"}$/\1/p' "$rows/$stage" | sort | uniq -c | sed 's/^ *\([0-9]*\) */    \1 skipped: /'
}
# None of that kind is an error, never a run that passed.
require_programs() {
  for program in "$programs/$1"/*; do [ -x "$program" ] && return 0; done
  fail "$stage: no program in $programs/$1: sh cmake/run.sh gpu build"
  return 1
}

gpu_build() {
  begin_stage build
  if [ -z "$nvcc" ]; then
    fail "build: no nvcc: install the CUDA toolkit, or put its bin folder into PATH"
    return
  fi
  architecture=${HEDDLE_GPU_ARCHITECTURE:-}
  if [ -z "$architecture" ]; then
    capability=$(gpu_query compute_cap | tr -d '.')
    case $capability in
      '') architecture=90a-real ;;
      90) architecture=90a-real ;;
      *) architecture=$capability-real ;;
    esac
  fi
  set -- "-DCMAKE_CUDA_ARCHITECTURES=$architecture" "-DCMAKE_CUDA_COMPILER=$nvcc"
  if [ -n "$nccl_folder" ] && [ ! -e "$toolkit/include/nccl.h" ] && [ ! -e /usr/include/nccl.h ]; then
    library=$(ls "$nccl_folder"/lib/libnccl.so* 2>/dev/null | head -n 1)
    [ -z "$library" ] || set -- "$@" "-DHEDDLE_NCCL_INCLUDE_DIR=$nccl_folder/include" "-DHEDDLE_NCCL_LIBRARY=$library"
  fi
  say "for $architecture, by $("$nvcc" --version | sed -n 's/.*release \([0-9.]*\),.*/CUDA \1/p')"
  if ! (cd "$root" && cmake --preset gpu -B "$build" "$@") >"$rows/configured" 2>&1; then
    cat "$rows/configured"
    fail "build: CMake could not configure"
    return
  fi
  grep -E 'heddle: .*(NCCL|cuBLAS)' "$rows/configured"
  timeout -k 5 "$(left_of_stage)" cmake --build "$build" --parallel "${HEDDLE_GPU_JOBS:-$(nproc)}" --target heddle_gpu_programs
  code=$?
  if [ $code -eq 124 ]; then
    fail "build: not done in $limit s; what is there is kept: sh cmake/run.sh gpu build goes on"
    return
  elif [ $code -ne 0 ]; then
    fail "build: a program did not compile"
    return
  fi
  dirty=
  [ -z "$(git -C "$root" status --porcelain --untracked-files=no 2>/dev/null)" ] || dirty=+changes
  nccl_version=$(sed -n 's/^HEDDLE_NCCL_INCLUDE_DIR:PATH=//p' "$build/CMakeCache.txt")
  {
    say "commit $(commit)$dirty"
    say "cuda $("$nvcc" --version | sed -n 's/.*release \([0-9.]*\),.*/\1/p')"
    say "architecture $architecture"
    say "nccl $(sed -n 's/^#define NCCL_\(MAJOR\|MINOR\|PATCH\) *\([0-9]*\).*/\2/p' "$nccl_version/nccl.h" 2>/dev/null | paste -sd . -)"
    say "built $(date -u +%Y-%m-%dT%H:%M:%SZ)"
  } >"$programs/about"
  bytes=$(du -sb "$programs" | cut -f 1)
  say "--- build: $(find "$programs" -type f -perm -u+x | wc -l) programs, $((bytes / 1048576)) MiB in $programs"
  [ "$bytes" -le $most_bytes ] || fail "build: $bytes bytes are more than $most_bytes, too many to carry"
}

gpu_test() {
  begin_stage test
  require_programs tests || return
  for program in "$programs"/tests/cuda_*; do
    name=$(basename "$program")
    case $name in cuda_nccl_*) continue ;; esac  # a stage of their own
    run_one "$name" "$limit" "$program"
  done
  end_stage
  [ "$gpus" -eq 0 ] || [ "$(count test passed)" -gt 0 ] || fail "test: there is a GPU, and no program ran on it"
}

gpu_nccl() {
  begin_stage nccl
  if [ ! -x "$programs/tests/cuda_nccl_one_rank" ]; then
    row nccl cuda_nccl skipped 0 "built without NCCL: none in the toolkit, the system or an installed PyTorch"
    end_stage
    return
  fi
  if ldd "$programs/tests/cuda_nccl_one_rank" 2>/dev/null | grep -q 'libnccl.*not found'; then
    row nccl cuda_nccl skipped 0 "no libnccl.so.2 in the toolkit, the system or an installed PyTorch of this machine"
    end_stage
    return
  fi
  run_one cuda_nccl_one_rank 120 "$programs/tests/cuda_nccl_one_rank"
  if [ "$gpus" -gt 1 ]; then
    ranks=$gpus
    [ "$ranks" -le 8 ] || ranks=8
    run_one "cuda_nccl_ranks, $ranks GPUs" 120 sh "$root/cmake/gpu.sh" ranks "$ranks" "$programs/tests/cuda_nccl_ranks"
  else
    # Whether NCCL lets two ranks share a GPU is a finding, not a test of ours: its outcome is recorded either way.
    before=$status
    run_one "cuda_nccl_ranks, 2 on one GPU" 120 env NCCL_MULTI_RANK_GPU_ENABLE=1 NCCL_NVLS_ENABLE=0 HEDDLE_ONE_GPU=1 \
      sh "$root/cmake/gpu.sh" ranks 2 "$programs/tests/cuda_nccl_ranks"
    status=$before
  fi
  end_stage
}
# ranks N PROGRAM: as torchrun would start them; the first bad exit code is that of the job.
start_ranks() {
  size=$1 program=$2
  port=$((20000 + $$ % 20000))
  said=$(mktemp -d)
  rank=0
  children=
  while [ "$rank" -lt "$size" ]; do
    local_rank=$rank
    [ -z "${HEDDLE_ONE_GPU:-}" ] || local_rank=0
    RANK=$rank WORLD_SIZE=$size LOCAL_RANK=$local_rank MASTER_ADDR=127.0.0.1 MASTER_PORT=$port "$program" >"$said/$rank" 2>&1 &
    children="$children $!"
    rank=$((rank + 1))
  done
  result=0
  for child in $children; do
    wait "$child"
    code=$?
    [ $result -ne 0 ] || result=$code
  done
  cat "$said"/*
  rm -rf "$said"
  exit $result
}

gpu_sanitize() {
  begin_stage sanitize
  require_programs tests || return
  sanitizer=$(command -v compute-sanitizer || ls "$toolkit/bin/compute-sanitizer" "$toolkit/compute-sanitizer/compute-sanitizer" 2>/dev/null | head -n 1)
  if [ -z "$sanitizer" ]; then
    row sanitize compute-sanitizer skipped 0 "no compute-sanitizer in PATH or the CUDA toolkit"
    end_stage
    return
  fi
  # A small program of each family; those of NCCL wait for others, which a sanitizer makes late.
  for name in execution index_build router grouped_gemm direct graph virtual_ranks moe; do
    program=$programs/tests/cuda_$name
    [ -x "$program" ] || continue
    for tool in memcheck racecheck synccheck; do
      case "$tool $name" in racecheck\ moe | synccheck\ moe | racecheck\ virtual_ranks) continue ;; esac  # too long
      # Calls that the runtime refuses are no errors of a kernel: tests make them on purpose.
      run_one "$tool $name" 90 "$sanitizer" --tool "$tool" --report-api-errors no --error-exitcode 9 --print-limit 20 "$program"
    done
  done
  end_stage
}

gpu_bench() {
  begin_stage bench
  require_programs bench || return
  for program in "$programs"/bench/*; do
    name=$(basename "$program")
    run_one "$name" 200 "$program"
    grep '^{"case"' "$rows/said" | sed 's/^{/{"stage":"bench",/' >>"$rows/bench"
  done
  end_stage
}

# A result is of a GPU: without one there is no file.
gpu_report() {
  say "=== report"
  say
  printf '%-34s %-12s %10s %10s %9s  %s\n' case shape ms "floor ms" "of floor" "beside it"
  cat "$rows"/bench 2>/dev/null | awk '
    function value(key,   at, rest) {
      at = index($0, "\"" key "\":"); if (!at) return ""
      rest = substr($0, at + length(key) + 3)
      if (substr(rest, 1, 1) == "\"") { rest = substr(rest, 2); return substr(rest, 1, index(rest, "\"") - 1) }
      match(rest, /^[-+0-9.eE]+/); return substr(rest, 1, RLENGTH)
    }
    /"case":/ { printf "%-34s %-12s %10s %10s %9s  %s%s\n", value("case"), value("shape"), value("ms"), value("floor_ms"),
      value("of_floor"), value("beside"), value("right") == "0" ? "  WRONG" : "" }'
  say
  for stage in test nccl sanitize bench; do [ -f "$rows/$stage" ] && end_stage; done
  if [ -z "$gpu_name" ]; then
    say "no GPU: nothing ran on one, so no result file is written"
    return
  fi
  [ -s "$rows/test" ] || [ -s "$rows/bench" ] || { fail "report: nothing has run"; return; }
  about() { sed -n "s/^$1 //p" "$programs/about" 2>/dev/null; }
  folder=${HEDDLE_GPU_RESULTS:-$root/bench/results}/$(printf '%s' "$gpu_name" | tr 'A-Z' 'a-z' | tr -cs 'a-z0-9\n' '-' | sed 's/-*$//')
  file=$folder/$(date -u +%Y-%m-%d)-$(about commit | tr -cd 'a-z0-9+').json
  mkdir -p "$folder"
  {
    printf '{"gpu":"%s","gpus":%s,"driver":"%s","cuda":"%s","architecture":"%s","nccl":"%s","commit":"%s","built":"%s",\n' \
      "$(json "$gpu_name")" "$gpus" "$(json "$(gpu_query driver_version)")" "$(about cuda)" "$(about architecture)" "$(about nccl)" \
      "$(about commit)" "$(about built)"
    printf ' "date":"%s","command":"%s",\n "rows":[\n' "$(date -u +%Y-%m-%dT%H:%M:%SZ)" "$(json "$command")"
    cat "$rows/test" "$rows/nccl" "$rows/sanitize" "$rows/bench" 2>/dev/null | sed '$!s/$/,/; s/^/  /'
    printf ' ]}\n'
  } >"$file"
  say "--- written: $file"
}

command="sh cmake/run.sh gpu $*"
if [ "${1:-}" = ranks ]; then
  shift
  start_ranks "$@"
fi
[ $# -gt 0 ] || set -- build test nccl sanitize bench report
for word in "$@"; do
  case $word in
    build | test | nccl | sanitize | bench | report) ;;
    *)
      echo "gpu: '$word' is no stage: build, test, nccl, sanitize, bench, report" >&2
      exit 2
      ;;
  esac
done
for word in "$@"; do
  "gpu_$word"
  [ "$word" != build ] || [ $status -eq 0 ] || exit $status
done
exit $status
