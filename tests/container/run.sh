#!/usr/bin/env bash
# Builds the CPU image, enters it as its own user with a read-only root, and does in it what the quick start does: makes
# sample images, indexes them, searches with the held-out views. Prints the image's size and how long the server took.
#
#   tests/container/run.sh [--builder PROGRAM] [--installed FOLDER] [--image TAG]
#     --builder PROGRAM    builds images: `PROGRAM build DOCKERFILE TAG CONTEXT`; else SIGHTLINE_IMAGE_BUILDER, else buildah
#     --installed FOLDER   compile nothing: make the image of what `cmake --install BUILD --prefix FOLDER` installed on this
#                          machine, which must be Debian 12; minutes instead of an hour
#     --image TAG          build nothing: test this image
#
# Needs root, buildah, util-linux and iproute2. The image runs in a network of its own that has nothing but loopback, so the
# ports that it opens on all addresses are seen by nobody else.
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
builder=${SIGHTLINE_IMAGE_BUILDER:-}
installed=
tag=
while (($#)); do
  case $1 in
    --builder | --installed | --image)
      (($# > 1)) || { echo "container/run.sh: $1 needs a value; --help says which." >&2; exit 2; }
      case $1 in --builder) builder=$2 ;; --installed) installed=$(cd "$2" && pwd) ;; --image) tag=$2 ;; esac
      shift 2 ;;
    -h | --help) sed -n '2,13p' "$0" | sed 's/^# \{0,1\}//'; exit 0 ;;
    *) echo "container/run.sh: unknown argument '$1'. --help lists them." >&2; exit 2 ;;
  esac
done
for program in buildah unshare nsenter setpriv chroot ip curl; do
  command -v "$program" >/dev/null || { echo "container/run.sh: SKIPPED, there is no $program on this machine." >&2; exit 77; }
done
((EUID == 0)) || { echo "container/run.sh: SKIPPED, it needs root to enter an image." >&2; exit 77; }

work=$(mktemp -d)
container=
holder=
server=
cleanup() {
  local status=$?
  for process in $server $holder; do
    kill -KILL "$process" 2>/dev/null || true
    wait "$process" 2>/dev/null || true
  done
  if [[ -n $container ]]; then
    buildah umount "$container" >/dev/null || true
    buildah rm "$container" >/dev/null || true
  fi
  rm -rf "$work"
  exit "$status"
}
trap cleanup EXIT
fail() { echo "container/run.sh: FAILED: $*" >&2; exit 1; }
say() { printf '== %s  [%d s]\n' "$*" $SECONDS; }
build() { # DOCKERFILE TAG CONTEXT
  if [[ -n $builder ]]; then "$builder" build "$@"; else buildah build --isolation chroot -f "$1" -t "$2" "$3"; fi
}

if [[ -n $tag ]]; then
  say "Testing $tag"
elif [[ -n $installed ]]; then
  tag=sightline:installed
  say "Making an image of $installed"
  mkdir -p "$work/context/image/usr" "$work/context/state/sightline"
  cp -r "$installed" "$work/context/image/usr/local"
  strip "$work"/context/image/usr/local/bin/*
  "$root/docker/collect-libraries.sh" "$work/context/image" "$work"/context/image/usr/local/bin/*
  "$root/docker/finish-root.sh" "$work/context/image"
  # The last stage of the Dockerfile, with the context in the place of the stage before.
  sed -n '/^FROM scratch/,$p' "$root/docker/Dockerfile" | sed 's/--from=build //' >"$work/Dockerfile"
  build "$work/Dockerfile" "$tag" "$work/context" >"$work/build.log" 2>&1 || { tail -n 20 "$work/build.log" >&2; fail "the image does not build"; }
  rm -rf "$work/context"
else
  tag=sightline:test
  say "Building the image from the sources"
  build "$root/docker/Dockerfile" "$tag" "$root" >"$work/build.log" 2>&1 || { tail -n 20 "$work/build.log" >&2; fail "the image does not build"; }
fi

container=$(buildah from --pull-never "$tag")
image=$(buildah mount "$container")
size=$(du -s --block-size=1 --apparent-size "$image" | cut -f 1)
say "The image is $((size / 1000000)) MB"
((size <= 1200000000)) || fail "the image is $size bytes; the bar is 1,200,000,000"

# What the image says of itself.
setting() { buildah inspect --type container --format "{{$1}}" "$container"; }
[[ $(setting .OCIv1.Config.User) == 10001:10001 ]] || fail "the image's user is '$(setting .OCIv1.Config.User)', not 10001:10001"
mapfile -t variables < <(setting 'range .OCIv1.Config.Env}}{{println .}}{{end' | sed '/^$/d')
mapfile -t health < <(setting 'range .Docker.Config.Healthcheck.Test}}{{println .}}{{end' 2>/dev/null | sed '/^$/d')
[[ ${health[0]:-} == CMD ]] && health=("${health[@]:1}") || health=(/usr/local/bin/sightline ready --timeout 4)

# The namespaces: a network with only loopback, and the image's root, read-only, with the volume and /tmp writable.
mkdir -p "$work/data"
chown 10001:10001 "$work/data"
chmod 700 "$work/data"
cat >"$work/hold.sh" <<'HOLD'
set -euo pipefail
image=$1 data=$2 ready=$3
ip link set lo up
mount --make-rprivate /
mount --bind "$image" "$image"
mount -t tmpfs -o size=256m,mode=1777 tmpfs "$image/tmp"
mount --bind "$data" "$image/var/lib/sightline"
mount --rbind /proc "$image/proc"
mount -t tmpfs -o mode=755 tmpfs "$image/dev"
for device in null zero random urandom; do
  touch "$image/dev/$device"
  mount --bind "/dev/$device" "$image/dev/$device"
done
mount -o remount,bind,ro "$image" "$image"
touch "$ready"
exec sleep infinity
HOLD
unshare --net --mount bash "$work/hold.sh" "$image" "$work/data" "$work/held" &
holder=$!
for ((i = 0; i < 100; ++i)); do
  [[ -e $work/held ]] && break
  kill -0 "$holder" 2>/dev/null || fail "the image's root could not be prepared"
  sleep 0.1
done
[[ -e $work/held ]] || fail "the image's root was not prepared within 10 s"

# In the image, as its user. All of these replace themselves by the next, so that a process started so is the program itself.
enter=(nsenter --target "$holder" --net --mount setpriv --no-new-privs
  env -i "${variables[@]}" "$(command -v chroot)" --userspec=10001:10001 --groups=10001 "$image")
inside() { "${enter[@]}" "$@"; }
page() { nsenter --target "$holder" --net curl --silent --fail --max-time 5 "http://127.0.0.1:$1"; }

# Sets `server`, the process to signal, `waited`, milliseconds until it said that it serves, and `worked`, those of them on a
# core: on a machine that does other things too, the first says little.
start_server() {
  local begin line
  : >"$work/server.log"
  begin=$(date +%s%3N)
  "${enter[@]}" /usr/local/bin/sightline-server 2>>"$work/server.log" &
  server=$!
  line=
  for ((i = 0; i < 1200; ++i)); do
    line=$(grep -m 1 '"serving"' "$work/server.log" || true)
    [[ -n $line ]] && break
    kill -0 "$server" 2>/dev/null || { tail -n 5 "$work/server.log" >&2; fail "the server ended"; }
    sleep 0.1
  done
  [[ -n $line ]] || { tail -n 5 "$work/server.log" >&2; fail "the server was not ready within two minutes"; }
  waited=$(($(date -d "$(sed 's/.*"time":"\([^"]*\)".*/\1/' <<<"$line")" +%s%3N) - begin))
  # Fields 14 and 15, behind a name without spaces: user and system time, in hundredths of a second.
  worked=$(awk '{print ($14 + $15) * 10}' "/proc/$server/stat")
  page 8080/readyz >/dev/null || fail "the server says that it serves, and /readyz that it is not ready"
}
stop_server() {
  local code=0
  kill -TERM "$server"
  wait "$server" || code=$?
  server=
  ((code == 0)) || { tail -n 5 "$work/server.log" >&2; fail "the server exited $code after SIGTERM, not 0"; }
}

say "Every program starts"
for program in "$image"/usr/local/bin/*; do
  name=${program##*/}
  code=0
  inside "/usr/local/bin/$name" --help >/dev/null 2>"$work/help.log" </dev/null || code=$?
  # 127 is a library that is not there; help may be an error to a program, a signal never.
  ((code < 126)) || { cat "$work/help.log" >&2; fail "$name --help exits $code"; }
done

start_server
say "The server was ready after $waited ms, of which it computed $worked ms (the bar is 10,000)"
status=/proc/$server/status
[[ $(awk '$1 == "Uid:" {print $2, $3, $4, $5}' "$status") == "10001 10001 10001 10001" ]] || fail "the server runs as another user"
[[ $(awk '$1 == "CapEff:" || $1 == "CapPrm:" {print $2}' "$status" | sort -u) == 0000000000000000 ]] || fail "the server has capabilities"
[[ $(awk '$1 == "NoNewPrivs:" {print $2}' "$status") == 1 ]] || fail "the server may gain privileges"
# The last mount over the root is the one that counts; the sixth field has its options.
[[ $(awk '$5 == "/" {options = $6} END {print options}' "/proc/$server/mountinfo") == ro* ]] || fail "the server's root is not read-only"
if inside /usr/local/bin/sightline-train scenes --out /opt/scenes >/dev/null 2>&1; then fail "a program wrote to the root"; fi
page 9464/metrics >"$work/metrics"
grep -q "^sightline_build_info" "$work/metrics" || fail "the admin address has no metrics"

say "Indexing and searching inside"
inside /usr/local/bin/sightline-train scenes --out /tmp/scenes >/dev/null
inside /usr/local/bin/sightline index /tmp/scenes/index --collection quickstart --create 2>/dev/null
views=$(nsenter --target "$holder" --mount bash -c "ls '$image/tmp/scenes/query'" | grep '\.jpg$')
first=0
count=0
for view in $views; do
  best=$(inside /usr/local/bin/sightline search "/tmp/scenes/query/$view" --collection quickstart --top_k 1 --json 2>/dev/null |
    sed -n 's/.*"results":\[{"id":"\([^"]*\)".*/\1/p')
  count=$((count + 1))
  [[ ${best%%_view_*} == "${view%%_view_*}" ]] && first=$((first + 1))
done
say "$first of $count held-out views find their own instance first"
((count > 0 && first * 10 >= count * 9)) || fail "fewer than nine tenths find their own instance"
# They were decoded by helpers that may do nothing else: mode 2 is a filter of system calls.
confined=0
for child in $(cat /proc/"$server"/task/*/children); do
  for helper in $child $(cat /proc/"$child"/task/*/children); do
    [[ $(cat "/proc/$helper/comm") == image-decoder ]] || continue
    [[ $(awk '$1 == "Uid:" {print $2, $3, $4, $5}' "/proc/$helper/status") == "10001 10001 10001 10001" ]] || fail "a decoder runs as another user"
    [[ $(awk '$1 == "Seccomp:" {print $2}' "/proc/$helper/status") == 2 ]] && confined=$((confined + 1))
  done
done
((confined > 0)) || fail "no confined decoder runs below the server"
say "Images were decoded by $confined confined processes"
inside /usr/local/bin/sightline-server --doctor >"$work/doctor.log" 2>&1 || { cat "$work/doctor.log" >&2; fail "the server's own check of machine, settings, model and data fails"; }
inside "${health[@]}" >"$work/health.log" 2>&1 || { cat "$work/health.log" >&2; fail "the health check fails on a healthy server"; }

stop_server
if inside "${health[@]}" >/dev/null 2>&1; then fail "the health check passes without a server"; fi
start_server
say "Started again on the same volume, the server was ready after $waited ms, of which it computed $worked ms"
images=$(inside /usr/local/bin/sightline list --collection quickstart --json 2>/dev/null | grep -c '"id"' || true)
((images > 0)) || fail "the images are gone after a restart"
stop_server

[[ $(grep -vc '^#' "$image/usr/share/sightline/packages.txt") -gt 50 ]] || fail "the list of packages is not in the image"
say "Passed: $((size / 1000000)) MB, $(grep -vc '^#' "$image/usr/share/sightline/packages.txt") packages"
