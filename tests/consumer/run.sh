#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# run.sh KIND SOURCE BUILD CMAKE CXX: builds and runs a small project that uses heddle as KIND says: installed,
# subdirectory, fetchcontent or pkgconfig. SOURCE is the repository, BUILD a configured build of it.
set -eu
kind=$1 source=$2 build=$3 cmake=$4 cxx=$5
here=$source/tests/consumer
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

install_and_move() {
  "$cmake" --install "$build" --prefix "$work/first" >/dev/null
  mkdir "$work/elsewhere"
  mv "$work/first" "$work/elsewhere/prefix"
  prefix=$work/elsewhere/prefix
  # A package that names a folder of this machine would work here and nowhere else.
  if grep -rnF -e "$source" -e "$work" -e "$build" "$prefix"; then
    echo "FAILED: the installed files name a folder of the machine that built them"
    exit 1
  fi
}

configure_and_run() {
  "$cmake" -G Ninja -S "$here/$kind" -B "$work/build" -DCMAKE_CXX_COMPILER="$cxx" "$@"
  "$cmake" --build "$work/build"
  for program in "$work/build/consumer" "$work/build/consumer_core"; do
    if [ -x "$program" ]; then "$program"; fi
  done
}

case $kind in
  installed)
    install_and_move
    configure_and_run -DCMAKE_PREFIX_PATH="$prefix" ;;
  subdirectory | fetchcontent) configure_and_run -DHEDDLE_SOURCE="$source" ;;
  pkgconfig)
    install_and_move
    PKG_CONFIG_PATH=$prefix/share/pkgconfig
    export PKG_CONFIG_PATH
    # shellcheck disable=SC2046
    "$cxx" -std=c++20 $(pkg-config --cflags --libs 'heddle >= 0.1') "$here/main.cpp" -o "$work/consumer"
    "$work/consumer" ;;
esac
