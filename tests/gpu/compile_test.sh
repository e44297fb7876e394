#!/bin/sh
# Every CUDA source of index/ compiles for the cards that are supported, without a warning.
#
# Usage: compile_test.sh SOURCE_FOLDER
# Ends with 77 where there is no nvcc: CUDACXX, the PATH and /usr/local/cuda/bin are looked at.
set -eu
cd "$1"

nvcc=
for candidate in "${CUDACXX:-}" nvcc /usr/local/cuda/bin/nvcc; do
  if [ -n "$candidate" ] && command -v "$candidate" > /dev/null 2>&1; then
    nvcc=$candidate
    break
  fi
done
if [ -z "$nvcc" ]; then
  echo "SKIPPED, there is no nvcc"
  exit 77
fi

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
count=0
for source in $(find index -name '*.cu' | sort); do
  for card in 80 90; do
    echo "$source for sm_$card"
    "$nvcc" -std=c++17 -O3 -arch="sm_$card" -Werror all-warnings -Xcompiler -Wall,-Wextra,-Werror -Xptxas -warn-spills \
      -I. -c "$source" -o "$folder/compiled.o"
    count=$((count + 1))
  done
done
if [ "$count" -eq 0 ]; then
  echo "there is no CUDA source in index/; this test has nothing to show"
  exit 1
fi
echo "$count compiled with $nvcc"
