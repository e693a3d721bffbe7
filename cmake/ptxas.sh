#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# What ptxas says of every kernel: registers, shared memory, stack and spills, held to tests/cuda/ptxas.golden.
#   ptxas.sh [--update]                builds everything nvcc compiles for all three architectures, in build/ptxas, and compares
#   ptxas.sh compare BUILD [--update]  the same of a build that is there: nothing is compiled
#   ptxas.sh keep COMMAND...           runs a compiler; what ptxas says goes beside the object, the rest where it went
#   ptxas.sh --self-test               proves on made-up numbers that every rule can fail
# A kernel may not spill unless a `may_spill` line of the golden file names it with a reason, and none of its numbers may
# grow by more than a tenth. Kernels that are new or gone are said and no mistake; --update takes all numbers as they are.
set -eu
self=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd)/$(basename -- "$0")
root=$(CDPATH='' cd -- "$(dirname -- "$self")/.." && pwd)
golden=${HEDDLE_PTXAS_GOLDEN:-$root/tests/cuda/ptxas.golden}

# keep COMMAND...
keep() {
  object= last=
  for word in "$@"; do
    [ "$last" != -o ] || object=$word
    last=$word
  done
  [ -n "$object" ] || exec "$@"
  said=$object.said
  result=0
  "$@" 2>"$said" || result=$?
  grep -E '^ptxas info|bytes stack frame' "$said" >"$object.ptxas" || :
  grep -vE '^ptxas info|bytes stack frame' "$said" >&2 || :
  rm -f "$said"
  return $result
}

# objects BUILD: what the build makes of .cu files now, whatever else lies there. Kernel tests that nvcc compiles are not
# among them: they have flags of their own, and their kernels are in kernels_*.cu.
objects() {
  sed -n 's/.* -o \([^ "]*\.cu\.o\)[ "].*/\1/p' "$1/compile_commands.json" | LC_ALL=C sort -u
}

# numbers BUILD: one line a kernel: architecture, source, registers, shared bytes, stack bytes, spilled bytes, name
numbers() {
  objects "$1" | while IFS= read -r object; do
    file=$1/$object.ptxas
    [ -s "$file" ] || continue
    source=$(printf '%s' "${object%.o}" | sed 's#CMakeFiles/[^/]*[.]dir/##')
    awk -v source="$source" '
      /Compiling entry function/ { split($0, part, "\047"); name = part[2]; of = part[4]; stack = 0; spill = 0; own = 1; next }
      /Function properties for/ { own = $NF == name; next }
      /bytes stack frame/ && own { stack = $1; spill = $5 + $9; next }
      /Used [0-9]+ registers/ {
        shared = 0; registers = 0
        for (i = 1; i <= NF; ++i) {
          if ($i ~ /^registers/) registers = $(i - 1)
          if ($i == "bytes" && $(i + 1) ~ /^smem/) shared = $(i - 1)
        }
        print of, source, registers, shared, stack, spill, name
      }' "$file"
  done | c++filt | awk '
    {  # without the arguments of the function, and without what every name has
      head = $1 " " $2 " " $3 " " $4 " " $5 " " $6
      name = $0
      for (i = 0; i < 6; ++i) sub(/^[^ ]+ +/, "", name)
      gsub(/\(anonymous namespace\)/, "{}", name)
      depth = 0
      for (i = 1; i <= length(name); ++i) {
        c = substr(name, i, 1)
        if (c == "<") ++depth
        if (c == ">" && substr(name, i - 1, 1) != "-") --depth
        if (c == "(" && depth == 0 && i > 1 && substr(name, i - 8, 8) != "operator") { name = substr(name, 1, i - 1); break }
      }
      sub(/^void /, "", name)
      gsub(/heddle::v[0-9_]+[a-z]*::/, "", name)
      gsub(/, device_memory/, "", name)
      gsub(/(kernel|cuda)::/, "", name)
      gsub(/ >/, ">", name)
      print head, name
    }' | LC_ALL=C sort -u
}

# compare BUILD [--update]
compare() {
  build=$1
  [ -f "$build/compile_commands.json" ] || { echo "ptxas: $build is no build folder, or has no compile_commands.json"; exit 1; }
  found=$build/ptxas.found
  numbers "$build" >"$found"
  [ -s "$found" ] || { echo "ptxas: no kernel in $build: build the target heddle_cuda_programs first"; exit 1; }
  release=$(sed -n 's/^CMAKE_CUDA_COMPILER_VERSION:[A-Z]*=//p; s/.*set(CMAKE_CUDA_COMPILER_VERSION "\([0-9]*\.[0-9]*\).*/\1/p' \
    "$build"/CMakeFiles/*/CMakeCUDACompiler.cmake 2>/dev/null | head -n 1)
  if [ "${2:-}" = --update ]; then
    {
      printf '# What ptxas says of every kernel: sh cmake/ptxas.sh --update writes this file.\n'
      printf '# architecture source registers shared stack spilled kernel; bytes. may_spill PART-OF-A-LINE: REASON\n'
      printf 'release %s\n' "$release"
      grep '^may_spill ' "$golden" 2>/dev/null || :
      # A build for fewer architectures, or of fewer programs, keeps the lines of the others that are still there.
      sources=$(cd "$root" && find tests bench examples -name '*.cu' | tr '\n' ' ')
      { [ ! -f "$golden" ] || grep -E '^sm_' "$golden" || :; } | awk -v found="$found" -v sources="$sources" '
        BEGIN {
          while ((getline line < found) > 0) { split(line, part, " "); here[part[1] " " part[2]] = 1; print line }
          count = split(sources, part, " ")
          for (i = 1; i <= count; ++i) there[part[i]] = 1
        }
        !(($1 " " $2) in here) && $2 in there' | LC_ALL=C sort -u
    } >"$golden.new"
    mv "$golden.new" "$golden"
    echo "ptxas: $(grep -c '^sm_' "$golden") kernels in $golden"
    return 0
  fi
  awk -v found="$found" -v release="$release" '
    function key(line) { name = line; for (i = 0; i < 6; ++i) sub(/^[^ ]+ +/, "", name); return $1 " " $2 " " name }
    function grows(what, old, new) {
      if (new * 10 <= old * 11) return
      printf "grew: %s from %d to %d %s: %s\n", of, old, new, what, remedy
      ++bad
    }
    BEGIN { remedy = "cure it, or say why and run sh cmake/ptxas.sh --update" }
    FILENAME != found && $1 == "release" { same = $2 == release; told = $2 }
    FILENAME != found && $1 == "may_spill" { part = substr($0, 11); sub(/: .*/, "", part); allowed[part] = 0 }
    FILENAME != found && /^sm_/ { of = key($0); known[of] = 1; registers[of] = $3; shared[of] = $4; stack[of] = $5; spilled[of] = $6; ++all }
    FILENAME == found {
      of = key($0)
      ++seen
      if ($6 > 0) {
        named = 0
        for (part in allowed) if (index(of, part)) { named = 1; ++allowed[part] }
        if (!named) { printf "spills: %s: %d bytes: %s, or name it with a reason (may_spill)\n", of, $6, "cure it"; ++bad }
      }
      if (!(of in known)) { ++fresh; next }
      ++met
      if (!same) next
      grows("registers", registers[of], $3)
      grows("bytes of shared memory", shared[of], $4)
      grows("bytes of stack", stack[of], $5)
      grows("spilled bytes", spilled[of], $6)
    }
    END {
      if (!same) printf "ptxas of %s, and the numbers are of %s: only spills were compared\n", release, told
      printf "ptxas: %d kernels, %d of the %d in the golden file, %d new\n", seen, met, all, fresh
      if (met * 2 < all && met * 2 < seen) { print "most of them are in none: has the form of their names changed?"; ++bad }
      exit bad > 0
    }' "$golden" "$found"
}

self_test() {
  folder=$(mktemp -d)
  trap 'rm -rf "$folder"' EXIT
  mkdir -p "$folder/CMakeFiles/3"
  printf 'set(CMAKE_CUDA_COMPILER_VERSION "13.0.1")\n' >"$folder/CMakeFiles/3/CMakeCUDACompiler.cmake"
  printf '[{"command": "nvcc -c a.cu -o a.cu.o", "file": "a.cu"}]\n' >"$folder/compile_commands.json"
  # said REGISTERS SHARED STACK STORES [NAME]
  said() {
    printf "echo \"ptxas info    : 0 bytes gmem\nptxas info    : Compiling entry function '%s' for 'sm_90a'\n" "${5:-_Z3runIiEvT_}"
    printf "ptxas info    : Function properties for %s\n    %s bytes stack frame, %s bytes spill stores, 0 bytes spill loads\n" "${5:-_Z3runIiEvT_}" "$3" "$4"
    printf 'ptxas info    : Used %s registers, used 1 barriers, %s bytes smem\nkept" >&2; exit %s\n' "$1" "$2" "${6:-0}"
  }
  # judge WHAT EXPECTED TEXT: compares what said made
  judge() {
    result=passed
    sh "$self" keep sh "$folder/compiler" -o "$folder/a.cu.o" 2>"$folder/rest" || result="compiler"
    output=$(HEDDLE_PTXAS_GOLDEN=$folder/golden sh "$self" compare "$folder" 2>&1) || [ "$result" = compiler ] || result=failed
    if [ "$result" != "$2" ] || ! printf '%s' "$output" | grep -qF "$3" || [ "$(cat "$folder/rest")" != kept ]; then
      printf 'self-test: %s: %s, expected %s and "%s":\n%s\n' "$1" "$result" "$2" "$3" "$output"
      exit 1
    fi
  }
  said 40 1000 0 0 >"$folder/compiler"
  sh "$self" keep sh "$folder/compiler" -o "$folder/a.cu.o" 2>/dev/null
  HEDDLE_PTXAS_GOLDEN=$folder/golden sh "$self" compare "$folder" --update >/dev/null
  grep -qxF 'sm_90a a.cu 40 1000 0 0 run<int>' "$folder/golden" || { echo "self-test: not in the golden file:"; cat "$folder/golden"; exit 1; }
  judge "the same numbers" passed "1 kernels, 1 of the 1 in the golden file, 0 new"
  said 44 1100 0 0 >"$folder/compiler"; judge "a tenth more" passed "1 of the 1"
  said 45 1000 0 0 >"$folder/compiler"; judge "registers" failed "from 40 to 45 registers"
  said 40 1101 0 0 >"$folder/compiler"; judge "shared memory" failed "from 1000 to 1101 bytes of shared memory"
  said 40 1000 8 0 >"$folder/compiler"; judge "stack" failed "from 0 to 8 bytes of stack"
  said 40 1000 0 4 >"$folder/compiler"; judge "spills" failed "spills: sm_90a a.cu run<int>: 4 bytes"
  said 40 1000 0 0 _Z3newIiEvT_ >"$folder/compiler"; judge "other names" failed "has the form of their names changed?"
  said 40 1000 0 0 _Z3runIiEvT_ 1 >"$folder/compiler"; judge "a compiler that fails" compiler "1 kernels"
  printf 'may_spill run<int>: a reason\n' >>"$folder/golden"
  said 40 1000 0 4 >"$folder/compiler"; judge "spills that are named, and more than before" failed "from 0 to 4 spilled bytes"
  HEDDLE_PTXAS_GOLDEN=$folder/golden sh "$self" compare "$folder" --update >/dev/null
  judge "spills that are named" passed "1 of the 1"
  sed 's/^release.*/release 12.4/' "$folder/golden" >"$folder/other" && mv "$folder/other" "$folder/golden"
  said 80 1000 0 4 >"$folder/compiler"; judge "another release" passed "only spills were compared"
  : >"$folder/a.cu.o.ptxas"
  if HEDDLE_PTXAS_GOLDEN=$folder/golden sh "$self" compare "$folder" >/dev/null; then echo "self-test: a build without kernels passes"; exit 1; fi
  echo "self-test: every rule can fail"
}

case ${1:-} in
  keep) shift; keep "$@" ;;
  compare) shift; compare "$@" ;;
  --self-test) self_test ;;
  '' | --update)
    command -v nvcc >/dev/null || [ -n "${CUDACXX:-}" ] || { echo "ptxas: there is no nvcc: install the CUDA toolkit, or set CUDACXX"; exit 1; }
    cmake -S "$root" -B "$root/build/ptxas" --preset cuda -DCMAKE_CUDA_ARCHITECTURES="80-real;90a-real;100-real"
    targets=heddle_cuda_programs
    if cmake --build "$root/build/ptxas" --target help | grep -q '^heddle_gpu_programs:'; then
      targets="$targets heddle_gpu_programs"
    fi
    # shellcheck disable=SC2086
    cmake --build "$root/build/ptxas" --parallel "$(nproc 2>/dev/null || echo 2)" --target $targets
    compare "$root/build/ptxas" "${1:-}"
    ;;
  *)
    sed -n '4,9p' "$self" >&2
    exit 2
    ;;
esac
