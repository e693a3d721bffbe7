#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# The rules of include/ that a script can see.
#   check_layering.sh [ROOT]               checks ROOT/include and its twins in ROOT/tests/unit; exit 1 with one line a breach
#   check_layering.sh --umbrellas [ROOT]   writes the umbrella headers from the folders they stand for
#   check_layering.sh --self-test          proves on small bad trees that every rule can fail
set -eu
self=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd)/$(basename -- "$0")

# folder=layer. A header includes lower layers and its own folder; so backends never meet.
layers="core=0 tensor=1 mesh=1 placement=2 sequence=3 concepts=3 collective=4 compute=4 kernel=4 router=5 dispatcher=5
expert=5 style=6 plan=7 layer=7 host=8 mpi=8 nccl=8 cuda=8 checkpoint=8"
below_backends="core tensor mesh placement sequence concepts collective compute kernel router dispatcher expert style plan layer"
# What only a communicator is made of: backends include it, and heddle.hpp does without.
for_backends="agreement arguments communicator fingerprint one_sided ordered_sum self_transport statements"
# What a bill is made of: not every program asks for one.
for_bills="backward_cost bill cost price_collective price_compute price_dispatch price_router price_rows price_shares
price_stores price_walk"
# What only a device's way of direct dispatch is made of: heddle.cuh has it.
for_devices="kernel/copy_bytes kernel/expert_order kernel/flags kernel/peers kernel/scan kernel/store_overflow kernel/store_rows
kernel/store_table layer/device_stores layer/device_table"
# Headers that need no unit test of their own.
twinless=""

list() {  # the headers of folders, as include paths, sorted; those for nvcc in the backends that have them
  for folder in "$@"; do
    [ ! -d "include/heddle/$folder" ] || find "include/heddle/$folder" -name '*.hpp' -o -name '*.cuh'
  done | sed 's#^include/##' | LC_ALL=C sort
}

umbrella_file() {  # where it is; what needs nvcc says so
  case $1 in cuda) echo include/heddle/heddle.cuh ;; *) echo "include/heddle/$1.hpp" ;; esac
}

umbrella() {  # the text that one umbrella must have
  case $1 in
    heddle)
      title="Layers 0 to 7, no thread, no backend. Bills are not here: who asks for one includes <heddle/plan/backward_cost.hpp>."
      members=$(list $below_backends | grep -vE "/collective/($(echo $for_backends | tr ' ' '|'))[.]hpp" |
        grep -vE "/plan/($(echo $for_bills | tr ' ' '|'))[.]hpp" |
        grep -vE "/($(echo $for_devices | tr ' ' '|'))[.]hpp" || :) ;;
    host)
      title="The host backend. <heddle/host/onednn_gemm.hpp> is not here: who includes it needs oneDNN."
      members=$(list host | grep -v '/onednn' || :) ;;
    mpi)
      title="Ranks that are processes of an MPI job."
      members=$(list mpi) ;;
    cuda)
      title="Layers 0 to 7 and the backend of NVIDIA GPUs, for nvcc. Who includes <heddle/cuda/cublas_gemm.hpp> links cuBLAS."
      members="heddle/heddle.hpp $(list cuda | grep -v '/cub' || :)" ;;
    nccl)
      title="Ranks with a GPU each, connected by NCCL. <heddle/nccl/lsa.cuh> is not here: it is for nvcc."
      members=$(list nccl | grep -v '[.]cuh' || :) ;;
    checkpoint)
      title="Reading and writing safetensors checkpoints, whole or in shards."
      members=$(list checkpoint) ;;
  esac
  printf '// SPDX-License-Identifier: Apache-2.0\n// %s\n#pragma once\n\n' "$title"
  for member in $members; do printf '#include <%s>\n' "$member"; done
}

check() {
  find include -type f | LC_ALL=C sort | while IFS= read -r file; do
    case $file in
      include/heddle/*.hpp) ;;
      include/heddle/cuda/*.cuh | include/heddle/nccl/*.cuh | include/heddle/heddle.cuh) ;;
      *) echo "$file: [name] headers are include/heddle/**.hpp, and .cuh in cuda/ and nccl/ only" ;;
    esac
    path=${file#include/heddle/}
    awk -v file="$file" -v path="$path" -v layers="$layers" '
      function breach(rule, text) { print file ":" FNR ": [" rule "] " text }
      function word(name) { return code ~ ("(^|[^A-Za-z0-9_])" name "([^A-Za-z0-9_]|$)") }
      BEGIN {
        count = split(layers, pairs, /[ \n]+/)
        for (i = 1; i <= count; ++i) { split(pairs[i], pair, "="); layer[pair[1]] = pair[2] }
        umbrella = path !~ /\//
        folder = path; sub(/\/.*/, "", folder)
        if (umbrella) own = path ~ /^heddle[.]hpp$/ ? 7.5 : 9
        else if (folder in layer) own = layer[folder]
        else { own = 9; breach("layer", "folder " folder " has no layer") }
        split("thread condition_variable chrono iostream ranges regex mutex future", heavy, " ")
        limit = folder == "kernel" || file ~ /[.]cuh$/ ? 400 : 200
      }
      FNR == 1 && $0 != "// SPDX-License-Identifier: Apache-2.0" { breach("licence", "the first line names the licence") }
      /^#pragma once$/ { once = 1 }
      length($0) > 120 { breach("width", "more than 120 columns") }
      /TODO|FIXME|XXX/ { breach("unfinished", $0) }
      {
        code = $0
        if (comment) { if (code !~ /[*]\//) next; sub(/.*[*]\//, "", code); comment = 0 }
        if (code !~ /^ *# *include/) gsub(/"([^"\\]|\\.)*"/, "\"\"", code)
        sub(/\/\/.*/, "", code)
        gsub(/\/[*][^*]*[*]\//, "", code)
        if (code ~ /\/[*]/) { sub(/\/[*].*/, "", code); comment = 1 }
      }
      code ~ /^ *# *include *"/ { breach("include", "own includes are <heddle/...>") }
      code ~ /^ *# *include *<heddle\// {
        name = code; sub(/.*<heddle\//, "", name); sub(/>.*/, "", name)
        target = name; sub(/\/.*/, "", target)
        if (name !~ /\//) { if (!umbrella) breach("layer", "a header includes no umbrella: " name) }
        else if (!(target in layer)) breach("layer", "unknown folder " target)
        else if (umbrella) { if (layer[target] > own) breach("layer", "heddle.hpp holds no backend: " name) }
        else if (target != folder && layer[target] >= own) breach("layer", folder " (" own ") includes " name " (" layer[target] ")")
      }
      code ~ /^ *# *include *<functional>/ { breach("functional", "no <functional> under include/") }
      own < 8 && code ~ /^ *# *include *</ {
        name = code; sub(/.*</, "", name); sub(/>.*/, "", name)
        for (i in heavy) if (name == heavy[i]) breach("heavy", "<" name "> belongs to backends")
      }
      code ~ /^ *# *define/ && path != "core/config.hpp" { breach("macro", "macros are defined in core/config.hpp only") }
      word("virtual") { breach("virtual", "no virtual function") }
      word("std::function") { breach("std_function", "no std::function") }
      word("dynamic_cast") || word("typeid") { breach("rtti", "no run-time type information") }
      word("using +namespace") { breach("using", "no using namespace in a header") }
      code ~ /(^|[^A-Za-z0-9_])namespace *[{]/ { breach("anonymous", "no anonymous namespace in a header") }
      code ~ /^static / { breach("static", "no static at namespace scope in a header") }
      code ~ /[(] *[*] *(const)? *[)] *[(]/ ||
      (code ~ /[A-Za-z0-9_>&*] +[(] *[*] *(const )?[A-Za-z0-9_]*(\[[^]]*\])* *[)] *[(]/ && code !~ /return +[(] *[*]/) {
        if (path != "host/lane.hpp") breach("function_pointer", "no pointer to function")
      }
      END {
        if (!once) breach("once", "no #pragma once")
        if (!umbrella && FNR >= limit) breach("length", FNR " lines, fewer than " limit " wanted: one idea a header")
      }' "$file"
    twin=tests/unit/${path%.hpp}.cpp
    case $path in
      *.cuh) ;;
      */*) case " $twinless " in *" $path "*) ;; *) [ -e "$twin" ] || echo "$file: [twin] no $twin" ;; esac ;;
    esac
  done
  for name in heddle host mpi cuda nccl checkpoint; do
    [ "$(umbrella $name)" = "$(cat "$(umbrella_file $name)" 2>/dev/null)" ] ||
      echo "$(umbrella_file $name): [umbrella] stale; run: sh cmake/check_layering.sh --umbrellas"
  done
}

self_test() {
  tree=$(mktemp -d)
  trap 'rm -rf "$tree"' EXIT
  # fresh: a tree without a breach
  fresh() {
    rm -rf "$tree/include" "$tree/tests"
    mkdir -p "$tree/include/heddle/core" "$tree/include/heddle/mesh" "$tree/include/heddle/host" "$tree/include/heddle/mpi" \
      "$tree/tests/unit/core" "$tree/tests/unit/mesh" "$tree/tests/unit/host" "$tree/tests/unit/mpi"
    for header in core/a mesh/b host/c mpi/d; do
      printf '// SPDX-License-Identifier: Apache-2.0\n#pragma once\n' >"$tree/include/heddle/$header.hpp"
      : >"$tree/tests/unit/$header.cpp"
    done
    sh "$self" --umbrellas "$tree"
  }
  fresh
  sh "$self" "$tree" >/dev/null || { echo "self-test: a clean tree is refused"; exit 1; }
  bad=0
  breach() {  # breach RULE FILE LINE: the line appended to the file must break exactly that rule
    fresh
    printf '%s\n' "$3" >>"$tree/include/heddle/$2"
    if output=$(sh "$self" "$tree") || ! printf '%s' "$output" | grep -qF "[$1]"; then
      echo "self-test: rule $1 does not see: $3 (in $2)"
      bad=1
    fi
  }
  fine() {
    fresh
    printf '%s\n' "$2" >>"$tree/include/heddle/$1"
    sh "$self" "$tree" >/dev/null || { echo "self-test: refused without reason: $2 (in $1)"; bad=1; }
  }
  breach layer core/a.hpp '#include <heddle/mesh/b.hpp>'
  breach layer host/c.hpp '#include <heddle/mpi/d.hpp>'
  breach layer host/c.hpp '#include <heddle/heddle.hpp>'
  breach layer core/a.hpp '#include <heddle/nowhere/b.hpp>'
  breach layer nowhere.hpp '#include <heddle/nowhere/b.hpp>'
  breach include host/c.hpp '#include "heddle/core/a.hpp"'
  breach heavy mesh/b.hpp '#include <thread>'
  breach functional host/c.hpp '#include <functional>'
  breach macro core/a.hpp '#define HEDDLE_X 1'
  breach virtual host/c.hpp 'struct s { virtual void f(); };'
  breach std_function host/c.hpp 'std::function<void()> f;'
  breach rtti host/c.hpp 'auto* p = dynamic_cast<int*>(q);'
  breach using mesh/b.hpp 'using namespace std;'
  breach anonymous mesh/b.hpp 'namespace {'
  breach static mesh/b.hpp 'static int x = 0;'
  breach function_pointer host/c.hpp 'inline void (*table[3])(int) = {};'
  breach function_pointer host/c.hpp 'using call = void (*)(int);'
  breach width host/c.hpp "// $(printf '%0130d' 0)"
  breach length host/c.hpp "$(yes '//' | head -n 200)"
  breach unfinished host/c.hpp '// TO''DO'
  breach umbrella heddle.hpp '#include <heddle/core/z.hpp>'
  breach name core/a.h ''
  breach licence core/e.hpp '#pragma once'
  breach once core/e.hpp '// SPDX-License-Identifier: Apache-2.0'
  breach twin core/e.hpp '// SPDX-License-Identifier: Apache-2.0'
  fine mesh/b.hpp '#include <heddle/core/a.hpp>'
  fine host/c.hpp '// virtual is a word that a comment may use'
  fine host/c.hpp 'inline char const* text = "virtual and // static";'
  fine host/c.hpp '#include <thread>'
  fine host/c.hpp 'inline int f(int (&g)[3]) { return (*g)(1); }'
  [ $bad -eq 0 ] && echo "self-test: every rule can fail"
  return $bad
}

case ${1:-} in
  --self-test) self_test ;;
  --umbrellas)
    cd "${2:-$(dirname -- "$self")/..}"
    for name in heddle host mpi cuda nccl checkpoint; do
      file=$(umbrella_file $name)
      if [ "$(umbrella $name)" != "$(cat "$file" 2>/dev/null)" ]; then umbrella $name >"$file"; fi
    done ;;
  *)
    cd "${1:-$(dirname -- "$self")/..}"
    breaches=$(check)
    if [ -n "$breaches" ]; then
      printf '%s\n' "$breaches"
      echo "$(printf '%s\n' "$breaches" | wc -l) breaches"
      exit 1
    fi
    echo "layering: no breach; headers without a unit test of their own: ${twinless:-none}" ;;
esac
