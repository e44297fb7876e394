#!/usr/bin/env bash
# From a fresh Debian 12 to images indexed and found: installs what is missing, builds, starts a server on a data directory of
# its own, makes sample images, indexes them, and searches with views that were held out of the index.
#
#   deploy/quickstart.sh [--keep [--free_ports]] [--programs FOLDER] [--work FOLDER]
#     --keep              leave the server running, on the default ports (gRPC 50051, HTTP 8080, metrics 9464)
#     --free_ports        leave it running on ports that are free instead; the last lines say which
#     --programs FOLDER   use the programs there as they are; install and build nothing
#     --work FOLDER       what the pictures, the data and the log are written to (build/quickstart)
#
# Everything is written below build/. Run again, it skips what is done. Exit status: 0 when the held-out views find their own
# instance often enough (see the last lines), 1 when not, or when a step failed.
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
keep=0 free_ports=0 programs='' work=$root/build/quickstart
while (($#)); do
  case $1 in
    --keep) keep=1 ;;
    --free_ports) free_ports=1 ;;
    --programs | --work)
      (($# > 1)) || { echo "quickstart.sh: $1 names no folder. Give one after it." >&2; exit 2; }
      if [[ $1 == --work ]]; then work=$2; else programs=$2; fi
      shift ;;
    -h | --help) sed -n '2,12p' "$0" | sed 's/^# \{0,1\}//'; exit 0 ;;
    *) echo "quickstart.sh: unknown argument '$1'. Use --help for those there are." >&2; exit 2 ;;
  esac
  shift
done

build=$root/build/release
bin=${programs:-$build/bin}
scenes=$work/scenes
model=dtop_tiny
required=0.90      # of the held-out views must find their own instance first
baseline_limit=0.50 # a baseline above this would mean that the samples are too easy

# What would be in the way is said before anything is built.
if [[ -e $work/server.pid ]]; then
  earlier=$(<"$work/server.pid")
  if [[ $(cat "/proc/$earlier/comm" 2>/dev/null) == sightline-serve* ]]; then
    echo "quickstart.sh: the server of an earlier --keep still runs. End it with: kill $earlier" >&2
    exit 1
  fi
fi
if ((keep && !free_ports)); then
  for port in 50051 8080 9464; do
    if (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null; then
      echo "quickstart.sh: something listens on port $port already. End it, or add --free_ports." >&2
      exit 1
    fi
  done
fi

begin=$SECONDS
step() { printf '\n== %s  [%d s]\n' "$*" $((SECONDS - begin)); }

if [[ -z $programs ]]; then
  step "Installing what is missing"
  "$root/deploy/install-deps.sh" --no-tests

  step "Building (the first time takes some minutes)"
  if [[ ! -e $build/CMakeCache.txt ]]; then
    mkdir -p "$root/build"
    cmake -S "$root" --preset release -DSIGHTLINE_TESTS=OFF -DCMAKE_UNITY_BUILD=ON >"$root/build/configure-release.log" 2>&1 ||
      { cat "$root/build/configure-release.log" >&2; exit 1; }
  fi
  cmake --build "$build" --target bin/sightline bin/sightline-server bin/sightline-train
fi

step "Making sample images"
mkdir -p "$work"
"$bin/sightline-train" scenes --out "$scenes"

step "Starting the server"
listen=(--listen 127.0.0.1:0 --http_listen 127.0.0.1:0 --admin_listen 127.0.0.1:0)
start=()
if ((keep)); then
  ((free_ports)) || listen=()
  start=(setsid) # outlives this terminal; with its own streams, as who reads ours waits for the last to close them
fi
rm -f "$work/ports.json"
"${start[@]}" "$bin/sightline-server" --data_dir "$work/data" --model_root "$root/model/zoo" --models "$model" \
  --port_file "$work/ports.json" "${listen[@]}" 2>"$work/server.log" >/dev/null </dev/null &
server=$!
stop_server() { kill -TERM "$server" 2>/dev/null && wait "$server" || true; }
trap stop_server EXIT
for ((i = 0; i < 1200; ++i)); do
  [[ -e $work/ports.json ]] && break
  kill -0 "$server" 2>/dev/null || { echo "quickstart.sh: the server ended; its log says:" >&2; tail -n 5 "$work/server.log" >&2; exit 1; }
  sleep 0.1
done
[[ -e $work/ports.json ]] || { echo "quickstart.sh: the server was not ready within 2 min; see $work/server.log" >&2; exit 1; }
port_of() { sed -n "s/.*\"$1\": \([0-9]*\).*/\1/p" "$work/ports.json"; }
SIGHTLINE_ADDRESS=127.0.0.1:$(port_of grpc)
export SIGHTLINE_ADDRESS
echo "listening on $SIGHTLINE_ADDRESS"

step "Indexing"
index() { "$bin/sightline" index "$scenes/index" --collection quickstart --create; }
if ! index; then
  # An earlier run with another version of the model left a collection that this one must not be mixed with.
  echo "starting the collection anew"
  "$bin/sightline" collections delete quickstart
  index
fi

step "Searching with one held-out view"
views=("$scenes"/query/*.jpg)
echo "\$ sightline search ${views[0]##*/} --collection quickstart --top_k 5"
"$bin/sightline" search "${views[0]}" --collection quickstart --top_k 5

step "Searching with all ${#views[@]} held-out views"
first=0
times=()
for view in "${views[@]}"; do
  reply=$("$bin/sightline" search "$view" --collection quickstart --top_k 1 --json 2>/dev/null)
  best=$(sed -n 's/.*"results":\[{"id":"\([^"]*\)".*/\1/p' <<<"$reply")
  times+=("$(sed -n 's/.*"stage":"total","milliseconds":\([0-9.]*\).*/\1/p' <<<"$reply")")
  name=${view##*/}
  [[ ${best%%_view_*} == "${name%%_view_*}" ]] && first=$((first + 1))
done
median=$(printf '%s\n' "${times[@]}" | sort -n | sed -n "$(((${#times[@]} + 1) / 2))p")
baseline=$("$bin/sightline-train" pixel-baseline "$scenes" --json | sed -n 's/.*"value": *\([0-9.]*\).*/\1/p')
fraction=$(awk "BEGIN { printf \"%.2f\", $first / ${#views[@]} }")
printf 'held-out views whose own instance ranks first, %s:    %s (%d of %d)\n' "$model" "$fraction" "$first" "${#views[@]}"
printf 'the same by 16x16 pixels:                                      %.2f\n' "$baseline"
printf 'median time of one search, image to answer:                    %.0f ms\n' "$median"
"$bin/sightline" status | grep -m 1 "$model" || true

if awk "BEGIN { exit !($fraction < $required || $fraction <= $baseline || $baseline >= $baseline_limit) }"; then
  echo "quickstart.sh: expected at least $required, more than the baseline, and a baseline below $baseline_limit." >&2
  exit 1
fi

step "Done"
if ((keep)); then
  trap - EXIT
  disown "$server"
  echo "$server" >"$work/server.pid"
  cat <<DONE
The server goes on (process $server; \`kill $server\` ends it):
  console  http://127.0.0.1:$(port_of http)/    drop a photo there, of $scenes/query for example
  gRPC     $SIGHTLINE_ADDRESS           metrics  http://127.0.0.1:$(port_of admin)/metrics

Search your own photos:$( ((free_ports)) && printf '\n  export SIGHTLINE_ADDRESS=%s' "$SIGHTLINE_ADDRESS")
  $bin/sightline index ~/Pictures --collection photos --create
  $bin/sightline search some-photo.jpg --collection photos
  $bin/sightline doctor
DONE
else
  cat <<DONE
The server is stopped. \`deploy/quickstart.sh --keep\` leaves it running; README.md shows how to go on.
DONE
fi
