#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# check_symbols.sh NM PROGRAM...: what the compiled programs show of the library's types.
set -eu
nm=$1
shift
symbols=$(mktemp)
trap 'rm -f "$symbols"' EXIT
for program in "$@"; do "$nm" "$program"; done | sed -n 's/^[0-9a-f ]* [A-Za-z] \(_Z.*\)$/\1/p' | LC_ALL=C sort -u >"$symbols"
failed=0
# _ZTV virtual table, _ZTI type information; the mangled name begins with N6heddle, the tag and the type.
grep -E '^_ZT[VI]N6heddle' "$symbols" | grep -vE '^_ZT[VI]N6heddle[0-9]+v[0-9_]+(omp)?5errorE$' >"$symbols.bad" || :
if [ -s "$symbols.bad" ]; then
  echo "FAILED: types other than error with a virtual table or type information:"
  c++filt <"$symbols.bad" 2>/dev/null || cat "$symbols.bad"
  failed=1
fi
# Without this the check could look at the wrong programs and find nothing.
grep -qE '^_ZTVN6heddle[0-9]+v[0-9_]+(omp)?5errorE$' "$symbols" || { echo "FAILED: not even error has a virtual table"; failed=1; }
grep -E '^_Z(N|NK|TVN|TIN|ZN|ZNK)6heddle' "$symbols" | grep -vE '^_Z(N|NK|TVN|TIN|ZN|ZNK)6heddle[0-9]+v[0-9]+_[0-9]+' >"$symbols.bad" || :
if [ -s "$symbols.bad" ]; then
  echo "FAILED: names without the version in them:"
  head -n 20 "$symbols.bad"
  failed=1
fi
rm -f "$symbols.bad"
[ $failed -ne 0 ] || echo "$(grep -c 6heddle "$symbols") names of the library in $# programs: one virtual table, that of error; every name carries the version"
exit $failed
