#!/bin/bash
# Runs fuzz targets one after the other and prints a line for each: seconds, executions, edges after the seeds and at
# the end, inputs that were new, findings.
#
#   cmake --preset fuzz && cmake --build --preset fuzz
#   tests/fuzz/run.sh                        # all of them, 600 s each
#   tests/fuzz/run.sh -s 60 filter graph     # these, a minute each
#
# -o FOLDER (default build/fuzz/out) gets NAME.log, the folder NAME of new inputs, which the next run goes on from, and
# findings as NAME-crash-..., NAME-timeout-..., NAME-oom-... . Ends with 1 when there was one. Seeds are only read.
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
    *) sed -n '2,11s/^# \{0,1\}//p' "$0"; exit 2 ;;
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

found=0
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
  before=$(ls "$out" | grep -c "^$name-\(crash\|timeout\|oom\|leak\|slow-unit\)-")
  had=$(ls "$out/$name" | wc -l)
  # Files that it makes, in memory where that is possible; a crash leaves some.
  scratch=$(mktemp -d -p /dev/shm 2>/dev/null || mktemp -d)
  TMPDIR=$scratch timeout $((seconds + 120)) "$program" -max_total_time="$seconds" "${options[@]}" "$out/$name" "$corpus" \
    >"$log" 2>&1
  rm -rf "$scratch"
  findings=$(($(ls "$out" | grep -c "^$name-\(crash\|timeout\|oom\|leak\|slow-unit\)-") - before))
  [ "$findings" -gt 0 ] && found=1
  edges() { grep -a -o "$1.*cov: [0-9]*" "$log" | tail -1 | grep -o '[0-9]*$'; }
  executions=$(sed -n 's/^stat::number_of_executed_units: *//p' "$log")
  took=$(sed -n 's/^Done .* in \([0-9]*\) second.*/\1/p' "$log")
  printf '%-18s %8s %12s %8s %8s %8s %9s\n' "$name" "${took:--}" "${executions:--}" "$(edges INITED)" "$(edges '')" \
    $(($(ls "$out/$name" | wc -l) - had)) "$findings"
done
exit $found
