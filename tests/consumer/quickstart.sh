#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# quickstart.sh README: prints the C++ between <!-- quickstart --> and <!-- /quickstart -->, at most 30 lines of it.
set -eu
code=$(sed -n '/^<!-- quickstart -->$/,/^<!-- \/quickstart -->$/p' "$1" | sed -n '/^```cpp$/,/^```$/p' | sed '/^```/d')
lines=$(printf '%s\n' "$code" | wc -l)
if [ -z "$code" ] || [ "$lines" -gt 30 ]; then
  echo "quickstart.sh: the README's quickstart has $lines lines of code between its markers; 1 to 30 wanted" >&2
  exit 1
fi
printf '%s\n' "$code"
