#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# sh cmake/run.sh demo [arguments of hf_forward]   builds one example and runs a stored model over several ranks
# sh cmake/run.sh test [arguments of ctest]        builds everything and runs every test
# sh cmake/run.sh gpu [stages]                      builds and runs what needs an NVIDIA GPU, see cmake/gpu.sh
# sh cmake/run.sh ptxas [arguments]                 what the kernels take of a GPU, against the list of it
# The first two install what is missing (Debian, Ubuntu); all work from any folder, and may be repeated.
set -eu
root=$(CDPATH='' cd -- "$(dirname -- "$0")/.." && pwd)
packages="g++ cmake ninja-build pkgconf libdnnl-dev libopenmpi-dev openmpi-bin doctest-dev libbenchmark-dev nlohmann-json3-dev libcli11-dev"

install_packages() {
  command -v dpkg-query >/dev/null || return 0  # not Debian: CMake will say what it misses
  missing=
  for package in $packages; do
    case $(dpkg-query -W -f='${Status}' "$package" 2>/dev/null) in
      "install ok installed") ;;
      *) missing="$missing $package" ;;
    esac
  done
  [ -n "$missing" ] || return 0
  echo "-- installing:$missing"
  command="apt-get update && apt-get install -y --no-install-recommends$missing"
  if [ "$(id -u)" -eq 0 ]; then
    DEBIAN_FRONTEND=noninteractive sh -c "$command" && return 0
  elif command -v sudo >/dev/null; then
    ask=
    [ -t 0 ] || ask=-n  # no terminal: never wait for a password
    # shellcheck disable=SC2086
    sudo $ask env DEBIAN_FRONTEND=noninteractive sh -c "$command" && return 0
  fi
  echo "These packages are missing. Install them with this command, as root, then try again:" >&2
  echo "  $command" >&2
  exit 1
}

# build [targets...]
build() {
  jobs=$(nproc 2>/dev/null || echo 2)
  (cd "$root" && cmake --preset release && cmake --build --preset release --parallel "$jobs" "$@")
}

word=${1:-}
[ $# -eq 0 ] || shift
case $word in
  demo)
    install_packages
    build --target hf_forward
    exec "$root/build/release/examples/hf_forward" "$@"
    ;;
  test)
    install_packages
    build
    cd "$root"
    exec ctest --preset release --parallel "$(nproc 2>/dev/null || echo 2)" "$@"
    ;;
  gpu) exec sh "$root/cmake/gpu.sh" "$@" ;;
  ptxas) exec sh "$root/cmake/ptxas.sh" "$@" ;;
  *)
    echo "usage: sh cmake/run.sh demo [arguments of hf_forward]" >&2
    echo "       sh cmake/run.sh test [arguments of ctest]" >&2
    echo "       sh cmake/run.sh gpu [build|test|nccl|sanitize|bench|report]..." >&2
    echo "       sh cmake/run.sh ptxas [arguments of cmake/ptxas.sh]" >&2
    exit 2
    ;;
esac
