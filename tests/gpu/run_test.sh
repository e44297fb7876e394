#!/usr/bin/env bash
# What run.sh does around the programs: no card, fake programs that reach every bar, one that misses it, one that fails,
# one that never ends, a LibTorch of the wrong ABI, none at all.
#
# Usage: run_test.sh SOURCE_FOLDER
set -euo pipefail
cd "$1"

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
mkdir "$folder/bin" "$folder/empty"
export SIGHTLINE_GPU_BUILD=$folder/build
unset SIGHTLINE_DEPS SIGHTLINE_TORCH CUDACXX CUDA_VISIBLE_DEVICES
failures=0

program() { # FILE < its text
  mkdir -p "$(dirname "$1")"
  { echo '#!/bin/sh'; cat; } >"$1"
  chmod +x "$1"
}
# expect CODE TEXT...: what run.sh ends with, and lines that must be in what it says
expect() {
  local code=0 wanted=$1 text
  shift
  output=$(PATH=$folder/bin:$PATH tests/gpu/run.sh 2>&1) || code=$?
  ((code == wanted)) || { echo "FAILED: it ended with $code, not $wanted:"; echo "$output"; failures=$((failures + 1)); }
  for text in "$@"; do
    grep -qE -- "$text" <<<"$output" || { echo "FAILED: no line '$text' in:"; echo "$output"; failures=$((failures + 1)); }
  done
}

program "$folder/bin/nvidia-smi" <<<'exit 9'
expect 77 'SKIPPED, there is no card'
program "$folder/bin/nvidia-smi" <<<'echo "Fake H200, 1.2, 1000 MiB, 9.0"'
program "$folder/bin/nvcc" <<<'echo "Cuda compilation tools, release 13.0, V13.0.88"'
program "$folder/bin/python3" <<<'echo "/fake/torch 2.9.0 1"'
# Configures and builds: takes the programs from here.
program "$folder/bin/cmake" <<EOF2
echo "\$@" >>"$folder/cmake.calls"
case \$1 in --build) mkdir -p "$folder/build/bin" "$folder/build/tests"; cp -r "$folder/made/." "$folder/build/" ;; esac
EOF2
made=$folder/made
program "$made/bin/sightline-gpu-embed-benchmark" <<'EOF2'
printf 'figure embed_batch_1 300 images/s\nfigure embed_batch_1_ratio 1.50 x\n'
printf 'figure embed_batch_32 2000 images/s\nfigure embed_batch_32_ratio 1.07 x\n'
EOF2
program "$made/bin/sightline-gpu-exact-benchmark" <<<"printf 'figure exact_share 85 %%\nfigure exact_one 0.752 ms\n'"
program "$made/bin/sightline-gpu-transport-benchmark" <<<"printf 'figure rerank_default 0.413 ms\nfigure rerank_fixed 0.951 ms\n'"
{ for model in model/zoo/*/; do echo "echo 'figure parity_$(basename "$model") 1.2e-04 bf16/cuda:0'"; done; } |
  program "$made/tests/gpu_model_parity_test"
for name in exact_card transport_card open_card_card card_full model_memory; do
  program "$made/tests/gpu_${name}_test" <<<"echo '[  PASSED  ] 7 tests.'"
done

expect 0 '^card: +Fake H200' '^build .*pass$' \
  '^R50\+ViT-B 384, batch 32, times PyTorch eager +1\.07 x +>= 1\.0 +pass$' \
  '^R50\+ViT-B 384, batch 1, times PyTorch eager +1\.50 x +>= 1\.5 +pass$' \
  '^exact, 1 M x 1536 fp16, of the card.s copying +85 % +>= 70 +pass$' \
  '^re-rank, 100 of 14x14x128 +0\.413 ms +<= 1 +pass$' \
  '^parity of dtop_tiny, cosine distance +1\.2e-04 bf16/cuda:0 +<= 2e-3 +pass$' \
  '^index, a card that is 95 % and 100 % full +7 tests +no failures +pass$'
grep -q -- '-DCMAKE_CUDA_ARCHITECTURES=90 ' "$folder/cmake.calls"
grep -q -- '-DCMAKE_PREFIX_PATH=/fake/torch$' "$folder/cmake.calls"

# A bar that is missed, a number that is none, a test that fails, one that runs nothing, a program that is not there.
program "$made/bin/sightline-gpu-exact-benchmark" <<<"printf 'figure exact_share 69 %%\n'"
program "$made/bin/sightline-gpu-transport-benchmark" <<<"printf 'figure rerank_default nan ms\n'"
program "$made/tests/gpu_exact_card_test" <<<"echo '[  PASSED  ] 6 tests.'; echo '[  FAILED  ] A.b (3 ms)'; exit 1"
program "$made/tests/gpu_transport_card_test" <<<"echo '[  PASSED  ] 0 tests.'"
rm "$made/tests/gpu_card_full_test"
rm -r "$folder/build"
expect 1 '^exact, 1 M x 1536 fp16, of the card.s copying +69 % +>= 70 +FAIL$' \
  '^re-rank, 100 of 14x14x128 +nan ms +<= 1 +FAIL$' \
  '^exact search, tests on the card +1 failed +no failures +FAIL, it ended with 1' \
  '^re-ranking, tests on the card .*FAIL, no test was run' \
  '^index, a card that is 95 % and 100 % full .*FAIL, it was not built' \
  '^parity of dtop_tiny, cosine distance .*pass$'

# A driver too old for this CUDA: nvidia-smi names a card, and the programs do not find it.
program "$made/tests/gpu_exact_card_test" <<<"echo 'there is no card'; exit 77"
program "$made/tests/gpu_transport_card_test" <<<"echo '[  PASSED  ] 3 tests.'; echo '[  SKIPPED ] 6 tests, listed below:'"
expect 1 '^exact search, tests on the card +0 failed +no failures +FAIL, it ended with 77' \
  '^re-ranking, tests on the card +6 skipped +no failures +FAIL, they did not find'

# Too much even for one bar: everything before it reached.
program "$made/bin/sightline-gpu-exact-benchmark" <<<"echo 'the card is lost' >&2; exit 1"
expect 1 '^exact, 1 M x 1536 fp16, of the card.s copying +- +>= 70 +FAIL, it ended with 1'

# The libraries that travelled are used.
mkdir -p "$folder/packed/usr"
tar -C "$folder/packed" -cf "$folder/deps.tar" .
: >"$folder/cmake.calls"
SIGHTLINE_DEPS=$folder/deps.tar expect 1 '^others: .*/deps$'
grep -q -- "-DCMAKE_PREFIX_PATH=$folder/build/deps/usr;/fake/torch$" "$folder/cmake.calls"
SIGHTLINE_DEPS=$folder/none expect 1 "SIGHTLINE_DEPS names $folder/none, which is not there"

program "$folder/bin/python3" <<<'echo "/fake/torch 1.12.0 0"'
expect 1 'old ABI of C\+\+'
# Without LibTorch the index is measured, and the table says what is missing.
program "$folder/bin/python3" <<<'exit 1'
: >"$folder/cmake.calls"
expect 1 '^parity of models +- +<= 2e-3 +skipped, no LibTorch$' '^build .*pass$'
grep -q -- '-DSIGHTLINE_MODEL=OFF' "$folder/cmake.calls"

((failures == 0)) && echo "run.sh does as it says"
exit $((failures > 0))
