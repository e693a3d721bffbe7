#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# compile_fail.sh FILE COMPILER [FLAGS]: FILE, whose first line is "// expect-error: REGEX", must be refused with a
# message that matches, and must compile with -DCONTROL, so that it is refused for the reason it names and no other.
set -eu
file=$1
shift
regex=$(sed -n '1s#^// expect-error: ##p' "$file")
[ -n "$regex" ] || { echo "FAILED: the first line of $file is not '// expect-error: REGEX'"; exit 1; }
if output=$("$@" -fsyntax-only "$file" 2>&1); then
  echo "FAILED: $file compiles"
  exit 1
fi
if ! printf '%s\n' "$output" | grep -qE -e "$regex"; then
  printf '%s\n' "$output" | head -n 40
  echo "FAILED: refused, but without a message like: $regex"
  exit 1
fi
printf '%s\n' "$output" | grep -E -m 1 -e "$regex"
if ! "$@" -DCONTROL -fsyntax-only "$file"; then
  echo "FAILED: $file does not compile with -DCONTROL either"
  exit 1
fi
