#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# program.sh PAGE NAME: prints the C++ between <!-- program: NAME --> and <!-- /program -->.
set -eu
code=$(sed -n "/^<!-- program: $2 -->\$/,/^<!-- \/program -->\$/p" "$1" | sed -n '/^```cpp$/,/^```$/p' | sed '/^```/d')
if [ -z "$code" ]; then
  echo "program.sh: $1 has no program $2 between its markers" >&2
  exit 1
fi
printf '%s\n' "$code"
