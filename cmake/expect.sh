#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# expect.sh FILE NUMBER MARKER PROGRAM: runs PROGRAM as line NUMBER of those lines of FILE that start with MARKER says:
#   [threads | mpirun -np N] [arguments] [; expect exit CODE] [within S s] [; expect text "REGEX"] [; reject text "REGEX"]
# Without "expect exit" the run must exit 0. {golden} and {out} in the arguments stand for the folder of the stored data
# and for an empty folder that is removed afterwards. The text is searched in stdout and stderr together (grep -E).
set -eu
file=$1 number=$2 marker=$3 program=$4
line=$(grep -e "^$marker" "$file" | sed -n "${number}p")
line=${line#"$marker"}
out=$(mktemp -d)
trap 'rm -rf "$out"' EXIT
command=$(printf '%s\n' "${line%%;*}" | sed -e "s#{golden}#${HEDDLE_GOLDEN_DIR:-}#g" -e "s#{out}#$out/files#g")
mkdir "$out/files"

# No quoting in arguments: they split at blanks.
# shellcheck disable=SC2086
set -- $command
case ${1:-} in
  threads) shift; set -- "$program" "$@" ;;
  mpirun)
    ranks=$3
    shift 3
    set -- "$MPIRUN" -np "$ranks" --timeout 120 "$program" "$@" ;;
  *) set -- "$program" "$@" ;;
esac

code=0
begin=$(date +%s%N)
"$@" >"$out/log" 2>&1 </dev/null || code=$?
milliseconds=$((($(date +%s%N) - begin) / 1000000))
cat "$out/log"
printf '%s\n' "-- $line" "-- exit $code after $milliseconds ms"

failed=0
fail() { echo "FAILED: $1"; failed=1; }
expected=$(printf '%s\n' "$line" | sed -n 's/.*; *expect exit \([0-9]*\).*/\1/p')
[ "$code" -eq "${expected:-0}" ] || fail "exit code $code, expected ${expected:-0}"
limit=$(printf '%s\n' "$line" | sed -n 's/.* within \([0-9.]*\) s.*/\1/p')
if [ -n "$limit" ] && awk "BEGIN{exit !($milliseconds > 1000 * $limit)}"; then fail "took more than $limit s"; fi
texts() { printf '%s\n' "$line" | grep -oE "; *$1 text \"[^\"]*\"" | sed -e 's/^[^"]*"//' -e 's/"$//'; }
texts expect >"$out/expect" || :
texts reject >"$out/reject" || :
while IFS= read -r text; do grep -qE -e "$text" "$out/log" || fail "no text like \"$text\""; done <"$out/expect"
while IFS= read -r text; do grep -qE -e "$text" "$out/log" && fail "there is text like \"$text\""; done <"$out/reject"
exit $failed
