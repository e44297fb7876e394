#!/usr/bin/env bash
# Everything that only a card can show: builds what it needs, runs the tests and the benchmarks of this folder on the
# card, and prints one table last. Ends within 9 minutes: with 0 when all that the table names was reached, with 1 when
# not, and with 77 where there is nothing to run it on (no card, no nvcc).
#
#   tests/gpu/run.sh
#
# It needs an NVIDIA card with its driver, CUDA's toolkit, CMake 3.25, Ninja, a C++20 compiler, and LibTorch for CUDA:
# that of the Python package `torch` that python3 imports will do. Without LibTorch the index is measured and the models
# are not. No network is used. The environment may say:
#
#   SIGHTLINE_DEPS      an archive of tests/gpu/pack-deps.sh, or the folder it was unpacked to, where the other libraries
#                       (deploy/install-deps.sh) are not installed
#   SIGHTLINE_TORCH     a folder of LibTorch, instead of Python's
#   SIGHTLINE_FAISS     the folder that a FAISS with GPU is installed in; without it inverted lists stay on the CPU
#   SIGHTLINE_GPU_BUILD the build folder, build/gpu-run unless given; results/ in it keeps the logs and the table
set -uo pipefail

begin=$SECONDS
whole=530 # seconds, with what the last step's end takes
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
cd "$root" || exit 1
build=${SIGHTLINE_GPU_BUILD:-$root/build/gpu-run}
out=$build/results
table=$out/table

skip() {
  echo "tests/gpu/run.sh: SKIPPED, $1"
  exit 77
}
fail() {
  echo "tests/gpu/run.sh: $1" >&2
  exit 1
}
left() { echo $((whole - (SECONDS - begin))); }

# ---- What there is

card=$(nvidia-smi --query-gpu=name,driver_version,memory.total,compute_cap --format=csv,noheader 2>/dev/null | head -n 1)
[[ -n $card ]] || skip "there is no card: nvidia-smi names none"
nvcc=
for candidate in "${CUDACXX:-}" nvcc /usr/local/cuda/bin/nvcc; do
  [[ -n $candidate ]] && nvcc=$(command -v "$candidate") && break
done
[[ -n $nvcc ]] || skip "there is no nvcc: CUDACXX, the PATH and /usr/local/cuda/bin were looked at"
export CUDACXX=$nvcc CUDA_VISIBLE_DEVICES=${CUDA_VISIBLE_DEVICES:-0}
capability=${card##*, }
mkdir -p "$out" && : >"$table" || fail "there is no room for $out. Make some, or name another folder in SIGHTLINE_GPU_BUILD."

python=$(command -v python3)
torch=${SIGHTLINE_TORCH:-} torch_version='' abi=''
if [[ -n $python ]]; then
  read -r torch_prefix torch_version abi < <("$python" -c 'import torch
print(torch.utils.cmake_prefix_path, torch.__version__, int(torch.compiled_with_cxx11_abi()))' 2>/dev/null)
  [[ -n $torch ]] || torch=${torch_prefix:-}
fi
# Python's PyTorch is the peer; a LibTorch of its own says in CMake which ABI it has.
if [[ -z ${SIGHTLINE_TORCH:-} && ${abi:-1} == 0 ]]; then
  fail "the torch $torch_version of $python was built with the old ABI of C++ (_GLIBCXX_USE_CXX11_ABI=0), which nothing else here has. Install torch 2.7 or later, or name a LibTorch of the kind \"cxx11 ABI\" in SIGHTLINE_TORCH."
fi
export SIGHTLINE_PEER_PYTHON=$python

deps=${SIGHTLINE_DEPS:-}
if [[ -f $deps ]]; then
  mkdir -p "$build/deps"
  tar -xf "$deps" -C "$build/deps" 2>"$out/unpack.log" ||
    "$python" -c 'import sys, tarfile; tarfile.open(sys.argv[1]).extractall(sys.argv[2])' "$deps" "$build/deps" ||
    fail "$deps cannot be unpacked. Make it again with tests/gpu/pack-deps.sh."
  deps=$build/deps
fi
[[ -z $deps || -d $deps ]] || fail "SIGHTLINE_DEPS names $deps, which is not there. Make it with tests/gpu/pack-deps.sh."

echo "card:   $card"
echo "CUDA:   $("$nvcc" --version 2>/dev/null | sed -n 's/.*release \([^,]*\).*/\1/p'), $nvcc"
echo "torch:  ${torch_version:-none in Python}, LibTorch in ${torch:-no folder}"
echo "others: ${deps:-installed}"

# ---- Rows of the table: name, value, bar, result

row() { printf '%s\t%s\t%s\t%s\n' "$1" "$2" "$3" "$4" >>"$table"; }

# VALUE OPERATOR BAR, numbers
holds() { awk -v a="$1" -v b="$3" -v op="$2" 'BEGIN { exit !(a ~ /^[0-9.+e-]+$/ && (op == "<=" ? a + 0 <= b + 0 : a + 0 >= b + 0)) }'; }

# step NAME LIMIT COMMAND...: runs it in what is left of the time; output in NAME.log. Sets `why` where it is not 0.
why=
step() {
  local name=$1 limit=$2 code=0
  shift 2
  local most=$(($(left) < limit ? $(left) : limit)) from=$SECONDS
  why=
  if ((most < 5)); then
    why="skipped, no time was left"
    return 1
  fi
  echo "== $name"
  timeout --kill-after=5 "$most" "$@" >"$out/$name.log" 2>&1 || code=$?
  echo "   $((SECONDS - from)) s"
  ((code == 0)) && return 0
  if ((code == 124 || code == 137)); then why="FAIL, it took more than $most s"; else why="FAIL, it ended with $code: $out/$name.log"; fi
  return 1
}

# figure LOG NAME: the number that a program printed
figure() { awk -v name="$2" '$1 == "figure" && $2 == name { value = $3 } END { print value }' "$out/$1.log" 2>/dev/null; }
unit() { awk -v name="$2" '$1 == "figure" && $2 == name { value = $4 } END { print value }' "$out/$1.log" 2>/dev/null; }

# judge TITLE LOG FIGURE OPERATOR BAR: a row for a figure that has a bar; the log's step has run.
judge() {
  local value
  value=$(figure "$2" "$3")
  if [[ -z $value ]]; then
    row "$1" - "$4 $5" "${why:-FAIL, no figure in $out/$2.log}"
  elif holds "$value" "$4" "$5"; then
    row "$1" "$value $(unit "$2" "$3")" "$4 $5" pass
  else
    row "$1" "$value $(unit "$2" "$3")" "$4 $5" FAIL
  fi
}

# shown TITLE LOG FIGURE: a row for a figure without a bar
shown() {
  local value
  value=$(figure "$2" "$3")
  [[ -z $value ]] || row "$1" "$value $(unit "$2" "$3")" - shown
}

# suite TITLE NAME LIMIT PROGRAM: a GoogleTest program, which must run at least one test and skip none: here is a card
suite() {
  local title=$1 name=$2 limit=$3 program=$4 passed skipped
  if [[ ! -x $program ]]; then
    row "$title" - "no failures" "FAIL, it was not built: $out/build.log"
    return
  fi
  step "$name" "$limit" "$program"
  passed=$(sed -n 's/^\[  PASSED  \] \([0-9]*\) test.*/\1/p' "$out/$name.log" 2>/dev/null | tail -n 1)
  skipped=$(sed -n 's/^\[  SKIPPED \] \([0-9]*\) test.*/\1/p' "$out/$name.log" 2>/dev/null | tail -n 1)
  if [[ -z $why && ${skipped:-0} -gt 0 ]]; then
    row "$title" "$skipped skipped" "no failures" "FAIL, they did not find what they need: $out/$name.log"
  elif [[ -z $why && ${passed:-0} -gt 0 ]]; then
    row "$title" "$passed tests" "no failures" pass
  else
    row "$title" "$(grep -c '^\[  FAILED  \].*(' "$out/$name.log" 2>/dev/null || true) failed" "no failures" "${why:-FAIL, no test was run: $out/$name.log}"
  fi
}

# ---- Build

tests=$build/tests programs=$build/bin
arguments=(
  --preset gpu -B "$build" "-DCMAKE_CUDA_ARCHITECTURES=${capability//./}" -DCMAKE_UNITY_BUILD=ON -DCMAKE_UNITY_BUILD_BATCH_SIZE=4
  -DSIGHTLINE_TESTS=ON -DSIGHTLINE_RPC=OFF -DSIGHTLINE_TRAIN=OFF -DSIGHTLINE_WERROR=OFF
)
targets=(
  gpu_exact_card_test gpu_transport_card_test gpu_open_card_card_test gpu_card_full_test sightline_gpu_exact_benchmark sightline_gpu_transport_benchmark
)
models=1
if [[ -n $torch ]]; then
  targets+=(gpu_model_parity_test gpu_model_memory_test sightline_gpu_embed_benchmark)
else
  models=0
  arguments+=(-DSIGHTLINE_MODEL=OFF)
fi
faiss=${SIGHTLINE_FAISS:-}
[[ -z $faiss || -f $faiss/include/faiss/gpu/GpuIndexIVFScalarQuantizer.h ]] ||
  fail "SIGHTLINE_FAISS names $faiss, which has no FAISS with GPU. Name the folder that one is installed in (docs/gpu.md)."
if [[ -n $faiss ]]; then
  targets+=(gpu_lists_card_test)
  arguments+=(-DSIGHTLINE_FAISS_GPU=ON)
fi
prefixes=$torch
if [[ -n $deps ]]; then
  prefixes="$deps/usr${torch:+;$torch}"
  export PKG_CONFIG=$deps/bin/pkg-config
  export CPLUS_INCLUDE_PATH=$deps/usr/include:$deps/usr/include/x86_64-linux-gnu
  # The old kind of run path holds for what the libraries need in turn.
  arguments+=("-DCMAKE_EXE_LINKER_FLAGS=-Wl,--disable-new-dtags -Wl,-rpath,$deps/usr/lib/x86_64-linux-gnu" -DBLA_VENDOR=Generic
    "-DCMAKE_LIBRARY_PATH=$deps/usr/lib/x86_64-linux-gnu" "-DOPENSSL_ROOT_DIR=$deps/usr" -DCMAKE_POLICY_VERSION_MINIMUM=3.5)
fi
arguments+=("-DCMAKE_PREFIX_PATH=${faiss:+$faiss;}$prefixes")

from=$SECONDS
if step configure 120 cmake "${arguments[@]}"; then
  step build 330 cmake --build "$build" --parallel --target "${targets[@]}" -- -k 0 || built=$why
else
  built=$why
  tail -n 25 "$out/configure.log"
fi
row "build" "$((SECONDS - from)) s" - "${built:-pass}"

# ---- Run. What has a bar comes first.

if ((models)); then
  why='FAIL, it was not built'
  [[ -x $programs/sightline-gpu-embed-benchmark ]] && step embed 120 "$programs/sightline-gpu-embed-benchmark"
  shown "R50+ViT-B 384, batch 32" embed embed_batch_32
  judge "R50+ViT-B 384, batch 32, times PyTorch eager" embed embed_batch_32_ratio '>=' 1.0
  shown "R50+ViT-B 384, batch 1" embed embed_batch_1
  judge "R50+ViT-B 384, batch 1, times PyTorch eager" embed embed_batch_1_ratio '>=' 1.5
else
  row "R50+ViT-B 384, times PyTorch eager" - ">= 1.0, 1.5" "skipped, no LibTorch"
fi
why='FAIL, it was not built'
[[ -x $programs/sightline-gpu-exact-benchmark ]] && step exact 60 "$programs/sightline-gpu-exact-benchmark"
judge "exact, 1 M x 1536 fp16, of the card's copying" exact exact_share '>=' 70
shown "exact, one search" exact exact_one
shown "exact, 8 at a time, each" exact exact_together
why='FAIL, it was not built'
[[ -x $programs/sightline-gpu-transport-benchmark ]] && step rerank 60 "$programs/sightline-gpu-transport-benchmark"
judge "re-rank, 100 of 14x14x128" rerank rerank_default '<=' 1
shown "re-rank, the same to the last round" rerank rerank_fixed
if ((models)); then
  why='FAIL, it was not built'
  [[ -x $tests/gpu_model_parity_test ]] && step parity 120 "$tests/gpu_model_parity_test"
  parity_why=$why
  for folder in model/zoo/*/; do
    why=$parity_why
    judge "parity of $(basename "$folder"), cosine distance" parity "parity_$(basename "$folder")" '<=' 2e-3
  done
else
  row "parity of models" - "<= 2e-3" "skipped, no LibTorch"
fi
suite "exact search, tests on the card" exact_tests 60 "$tests/gpu_exact_card_test"
suite "re-ranking, tests on the card" rerank_tests 60 "$tests/gpu_transport_card_test"
suite "one card for both, tests on the card" open_card_tests 60 "$tests/gpu_open_card_card_test"
[[ -z $faiss ]] || suite "inverted lists, tests on the card" lists_tests 60 "$tests/gpu_lists_card_test"
suite "index, a card that is 95 % and 100 % full" index_full 60 "$tests/gpu_card_full_test"
if ((models)); then
  suite "models, refused allocations, a card that is full" model_memory 90 "$tests/gpu_model_memory_test"
else
  row "models, a card that is full" - "no failures" "skipped, no LibTorch"
fi

# ---- The table

echo
echo "$card, $((SECONDS - begin)) s"
awk -F '\t' '
  { for (i = 1; i <= 3; ++i) { cell[NR, i] = $i; if (length($i) > wide[i]) wide[i] = length($i) } last[NR] = $4 }
  END { for (r = 1; r <= NR; ++r) {
    for (i = 1; i <= 3; ++i) printf "%-" wide[i] "s  ", cell[r, i]
    print last[r] } }' "$table"
! awk -F '\t' '$4 != "pass" && $4 != "shown" { bad = 1 } END { exit !bad }' "$table"
