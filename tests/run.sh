#!/usr/bin/env bash
# Installs what is missing, builds, and runs every test through ctest: the release build with all tests, then the rooms
# without LibTorch and gRPC under AddressSanitizer + UndefinedBehaviorSanitizer, and those of their tests that have threads
# under ThreadSanitizer. `clang` only compiles: with -Wthread-safety, warnings as errors.
#
#   tests/run.sh [release|asan|tsan|clang]...     all four when none is named
#
# Run again, it builds only what changed. Longer doses: SIGHTLINE_KILL_CYCLES=2000 tests/run.sh release. With SIGHTLINE_CONTAINER=1
# the container image is built and entered too (tests/container/run.sh; about as long as all of the rest).
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
cd "$root"
presets=("$@")
((${#presets[@]})) || presets=(release asan tsan clang)
for preset in "${presets[@]}"; do
  case $preset in
    release | debug | asan | tsan | clang) ;;
    *) echo "run.sh: there is no preset '$preset'. Use release, debug, asan, tsan or clang." >&2; exit 2 ;;
  esac
done

deploy/install-deps.sh
# Real photographs and weights, where they are at hand; tests that need them skip otherwise.
if [[ -z ${SIGHTLINE_SHARED_DATA:-} && -d $root/../shared/data ]]; then
  SIGHTLINE_SHARED_DATA=$(cd "$root/../shared/data" && pwd)
  export SIGHTLINE_SHARED_DATA
fi

# Most tests wait for servers they start, so several at once take half the time; those that measure run alone.
jobs=$(nproc)
((jobs > 4)) && jobs=4

# Longer doses take longer than the presets give what hangs.
limit=()
[[ -n ${SIGHTLINE_KILL_CYCLES:-}${SIGHTLINE_SLOW_TESTS:-}${SIGHTLINE_SWAPS:-} ]] && limit=(--timeout 86400)

failed=()
for preset in "${presets[@]}"; do
  begin=$SECONDS
  echo "== $preset: configure and build"
  mkdir -p build
  tests=ON
  [[ $preset == clang ]] && tests=OFF
  # Several sources in one compilation: half the time from a clean clone. Without it, one changed file compiles alone.
  cmake --preset "$preset" -DSIGHTLINE_TESTS=$tests -DCMAKE_UNITY_BUILD=ON >"build/configure-$preset.log" 2>&1 ||
    { cat "build/configure-$preset.log" >&2; exit 1; }
  cmake --build --preset "$preset"
  # Libraries are built when a program or a test needs them, and here there are no tests.
  [[ $preset == clang ]] && cmake --build --preset "$preset" --target sightline_index sightline_serving
  echo "== $preset: built in $((SECONDS - begin)) s"
  [[ $tests == OFF ]] && continue
  begin=$SECONDS
  ctest --preset "$preset" --no-tests=error --parallel "$jobs" "${limit[@]}" || failed+=("$preset")
  echo "== $preset: tests took $((SECONDS - begin)) s"
done
if [[ -n ${SIGHTLINE_CONTAINER:-} ]]; then
  echo "== container"
  code=0
  tests/container/run.sh || code=$?
  ((code == 0 || code == 77)) || failed+=(container)
fi
if ((${#failed[@]})); then
  echo "run.sh: failed: ${failed[*]}" >&2
  exit 1
fi
echo "run.sh: all passed: ${presets[*]}"
