#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# check.sh BUDGET ROUNDS COMPILER [FLAGS]: what including each umbrella costs, against the caps in BUDGET.
# The unit is the processor time of compiling a reference file with <string> and <vector>, taken in the same run and in
# turn with the others, so a slow or busy machine changes both sides. A figure is the median of its times.
# Lines of BUDGET: NAME ratio CAP for <heddle/NAME>, NAME seconds CAP for a file beside BUDGET that may cost CAP
# seconds more than <heddle/heddle.hpp>.
set -eu
budget=$1 rounds=$2
shift 2
here=$(CDPATH='' cd -- "$(dirname -- "$budget")" && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

printf '#include <string>\n#include <vector>\n' >"$work/reference.cpp"
names=
while read -r name kind cap; do
  case $kind in
    ratio) printf '#include <heddle/%s>\n' "$name" >"$work/$name.cpp" ;;
    seconds)
      [ -e "$here/$name.cpp" ] || continue
      cp "$here/$name.cpp" "$work/" ;;
    *) continue ;;
  esac
  names="$names $name"
done <"$budget"

# The second line that `times` prints is the user and system time of the children: the compiler.
for name in reference $names; do "$@" -c -O0 "$work/$name.cpp" -o "$work/object"; done  # fills the caches, and fails early

time_one() {  # appends the processor time of compiling one file to its list
  # shellcheck disable=SC2016
  sh -c '"$@" && times' sh "$@" -c -O0 "$work/$name.cpp" -o "$work/object" | sed -n 2p |
    awk '{ for (i = 1; i <= 2; ++i) { split($i, part, /[ms]/); sum += 60 * part[1] + part[2] } print sum }' >>"$work/$name.times"
}

median() { sort -n "$work/$1.times" | awk '{ all[NR] = $1 } END { print NR % 2 ? all[(NR + 1) / 2] : (all[NR / 2] + all[NR / 2 + 1]) / 2 }'; }

report() {
  reference=$(median reference)
  printf 'reference, <string> and <vector>: %.2f s\n' "$reference"
  failed=0
  while read -r name kind cap; do
    [ -e "$work/$name.times" ] || continue
    case $kind in
      ratio) measured=$(awk "BEGIN { print $(median "$name") / $reference }") unit="times the reference" ;;
      seconds) measured=$(awk "BEGIN { print $(median "$name") - $(median heddle.hpp) }") unit="s more than heddle.hpp" ;;
    esac
    printf '%-16s %5.2f of at most %.2f %s\n' "$name" "$measured" "$cap" "$unit"
    if awk "BEGIN { exit !($measured > $cap) }"; then
      echo "FAILED: $name costs too much to compile"
      failed=1
    fi
  done <"$budget"
  return $failed
}

# A busy machine can spoil one measurement; what really costs too much does so again, with twice the rounds.
for attempt in first second; do
  round=0
  while [ $round -lt "$rounds" ]; do
    for each in $names; do
      name=reference
      time_one "$@"
      name=$each
      time_one "$@"
    done
    round=$((round + 1))
  done
  if report; then exit 0; fi
  echo "($attempt attempt)"
done
exit 1
