#!/bin/bash
# Runs fuzz targets one after the other and prints a line for each: processor seconds, executions, edges after the seeds
# and at the end, inputs that were new, findings.
#
#   cmake --preset fuzz && cmake --build --preset fuzz
#   tests/fuzz/run.sh                        # all of them, 600 s each
#   tests/fuzz/run.sh -s 60 filter graph     # these, a minute each
#
# -s SECONDS of processor time: on a busy machine it takes longer, at most ten times. -o FOLDER (default build/fuzz/out)
# gets NAME.log, the folder NAME of new inputs, which the next run goes on from, and findings as NAME-crash-...,
# NAME-timeout-..., NAME-oom-... . A target ends with its first finding, and the script with 1. Seeds are only read.
set -u
root=$(cd "$(dirname "$0")/../.." && pwd)
programs=$root/build/fuzz/fuzz
out=$root/build/fuzz/out
seconds=600
while getopts "s:o:b:h" option; do
  case $option in
    s) seconds=$OPTARG ;;
    o) out=$OPTARG ;;
    b) programs=$OPTARG ;;
    *) sed -n '2,12s/^# \{0,1\}//p' "$0"; exit 2 ;;
  esac
done
shift $((OPTIND - 1))
mkdir -p "$out" || exit 2

targets=("$@")
if [ ${#targets[@]} -eq 0 ]; then
  for program in "$programs"/*_fuzz; do
    name=$(basename "$program")
    targets+=("${name%_fuzz}")
  done
fi

count_findings() { find "$out" -maxdepth 1 -name "$1-*" | wc -l; }
count_inputs() { find "$out/$1" -type f | wc -l; }

found=0
TIMEFORMAT='%U %S'
printf '%-18s %8s %12s %8s %8s %8s %9s\n' target seconds executions seeded edges new findings
for name in "${targets[@]}"; do
  program=$programs/${name}_fuzz
  if [ ! -x "$program" ]; then
    echo "$name: there is no $program. Build it: cmake --preset fuzz && cmake --build --preset fuzz" >&2
    found=1
    continue
  fi
  corpus=$root/tests/fuzz/corpus/$name
  case $name in image_*) corpus=$root/tests/fuzz/corpus/image ;; esac
  log=$out/$name.log
  mkdir -p "$out/$name"
  options=(-rss_limit_mb=2048 -timeout=5 -max_len=65536 -print_final_stats=1 "-artifact_prefix=$out/$name-")
  findings_before=$(count_findings "$name")
  inputs_before=$(count_inputs "$name")
  # Files that it makes, in memory where that is possible; a crash leaves some.
  scratch=$(mktemp -d -p /dev/shm 2>/dev/null || mktemp -d)
  export TMPDIR=$scratch
  timeout 120 "$program" -runs=0 "$corpus" >"$log" 2>&1
  seeded=$(sed -n 's/.*INITED cov: \([0-9]*\).*/\1/p' "$log")
  edges=$seeded
  used=0
  executions=0
  latest=$((SECONDS + 10 * seconds))
  # In slices, because libFuzzer knows no processor time.
  while [ "$used" -lt $((seconds * 1000)) ] && [ $SECONDS -lt $latest ]; do
    left=$((seconds - used / 1000))
    { time timeout 180 "$program" -max_total_time=$((left < 60 ? left : 60)) "${options[@]}" "$out/$name" "$corpus" \
      >"$log" 2>&1; } 2>"$scratch/time" || true
    read -r user system <"$scratch/time"
    used=$((used + 10#${user/./} + 10#${system/./}))
    executions=$((executions + $(sed -n 's/^stat::number_of_executed_units: *//p' "$log" | tail -1) + 0))
    edges=$(grep -a -o 'cov: [0-9]*' "$log" | tail -1 | grep -o '[0-9]*$')
    [ "$(count_findings "$name")" -gt "$findings_before" ] && break
    grep -q '^Done' "$log" || break
  done
  rm -rf "$scratch"
  findings=$(($(count_findings "$name") - findings_before))
  grep -q '^Done' "$log" || findings="${findings}, see $log"
  [ "$findings" = 0 ] || found=1
  printf '%-18s %8s %12s %8s %8s %8s %9s\n' "$name" "$((used / 1000))" "$executions" "${seeded:--}" "${edges:--}" \
    $(($(count_inputs "$name") - inputs_before)) "$findings"
done
exit $found
