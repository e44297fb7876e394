#!/usr/bin/env bash
# Installs what Sightline needs from Debian 12's own packages. Safe to run again: what is there is left alone.
#
#   deploy/install-deps.sh [--no-tests] [--check]
#     --no-tests   only what building and running needs, without the tools of the tests
#     --check      install nothing; print what is missing and exit 1 if anything is
#
# Needs root (or sudo). It touches nothing but Debian packages and the alternatives of BLAS and LAPACK, which it points
# at the OpenMP build of OpenBLAS: the reference BLAS is about 100 times slower, and the pthread build of OpenBLAS keeps
# a second set of threads beside LibTorch's. Prometheus, which only a test uses, is kept from running as a service.
set -euo pipefail

with_tests=1 check=0
for arg in "$@"; do
  case $arg in
    --no-tests) with_tests=0 ;;
    --check) check=1 ;;
    -h | --help) sed -n '2,10p' "$0" | sed 's/^# \{0,1\}//'; exit 0 ;;
    *) echo "install-deps.sh: unknown argument '$arg'. Use --no-tests, --check or --help." >&2; exit 2 ;;
  esac
done

build=(
  build-essential cmake ninja-build ccache pkg-config git ca-certificates
  libtorch-dev libopenblas-openmp-dev liblapack-dev libopenblas0-openmp # tensors, models
  libgrpc++-dev libgrpc-dev protobuf-compiler protobuf-compiler-grpc libprotobuf-dev libprotoc-dev # RPC
  libfaiss-dev                                                          # ANN structures
  libopencv-core-dev libopencv-imgproc-dev libturbojpeg0-dev libjpeg62-turbo-dev libpng-dev libwebp-dev # images
  libabsl-dev                                                           # status, flags, strings
  prometheus-cpp-dev                                                    # metrics
  librocksdb-dev                                                        # durable store
  libhwy-dev libdnnl-dev                                                # SIMD, fast layers
  libroaring-dev nlohmann-json3-dev libzip-dev zlib1g-dev libssl-dev libseccomp-dev libspdlog-dev
  libmicrohttpd-dev libgnutls28-dev                                     # HTTP, and its TLS
)
tests=(
  clang clang-format clang-tidy
  libgtest-dev libgmock-dev libbenchmark-dev libhnswlib-dev libopencv-features2d-dev
  python3 python3-grpcio python3-protobuf python3-torch python3-torchvision python3-numpy python3-pil
  python3-pip python3-setuptools python3-venv python3-wheel mypy python3-flake8 # the Python package
  chromium chromium-driver python3-selenium                             # the console
  zsh fish groff man-db                                                 # completion and the manual page are tried with them
  curl procps jq openssl
  python3-yaml                                                          # manifests
  python3-jsonschema                                                    # the OpenAPI document
  prometheus                                                            # checks the rules and watches a server in a test
)
# Renders manifests; a kubectl that came from elsewhere does too, and Debian's package would collide with it.
command -v kubectl >/dev/null || tests+=(kubernetes-client)
want=("${build[@]}")
((with_tests)) && want+=("${tests[@]}")

if ! command -v dpkg-query >/dev/null; then
  echo "install-deps.sh: this is not a Debian system (no dpkg-query). Install the packages named in this script by hand." >&2
  exit 1
fi
missing=()
installed=$(dpkg-query -W -f='${Package} ${db:Status-Abbrev}\n' 2>/dev/null | awk '$2 ~ /^ii/ {print $1}' | sort -u)
for package in "${want[@]}"; do
  grep -qx -- "$package" <<<"$installed" || missing+=("$package")
done

if ((check)); then
  ((${#missing[@]} == 0)) && { echo "install-deps: all ${#want[@]} packages are installed"; exit 0; }
  echo "install-deps: missing: ${missing[*]}"
  exit 1
fi

as_root() { if ((EUID == 0)); then "$@"; else sudo "$@"; fi; }
if ((${#missing[@]})); then
  echo "install-deps: installing ${#missing[@]} of ${#want[@]} packages: ${missing[*]}"
  as_root apt-get update -qq
  # Debian starts the services of new packages, and again at every boot. The tests start a Prometheus of their own, so a
  # service that this script brings is neither started nor enabled; one that was there before is left as it is.
  policy=/usr/sbin/policy-rc.d brought_policy=0
  if [[ " ${missing[*]} " == *" prometheus "* && ! -e $policy ]]; then
    printf '#!/bin/sh\nexit 101\n' | as_root tee "$policy" >/dev/null
    as_root chmod 755 "$policy"
    brought_policy=1
    trap 'as_root rm -f "$policy"' EXIT
  fi
  as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null
  if ((brought_policy)); then
    as_root rm -f "$policy"
    trap - EXIT
  fi
  if [[ " ${missing[*]} " == *" prometheus "* ]] && command -v systemctl >/dev/null; then
    as_root systemctl disable --quiet prometheus.service 2>/dev/null || true
  fi
else
  echo "install-deps: all ${#want[@]} packages are installed"
fi

# The pthread build has the higher priority, so automatic selection would pick it where both are installed.
triplet=$(dpkg-architecture -qDEB_HOST_MULTIARCH 2>/dev/null || gcc -print-multiarch)
for library in libblas liblapack; do
  name=$library.so.3-$triplet
  path=/usr/lib/$triplet/openblas-openmp/$library.so.3
  [[ -e $path ]] || continue
  current=$(update-alternatives --query "$name" 2>/dev/null | awk '$1 == "Value:" {print $2}')
  if [[ $current != "$path" ]]; then
    echo "install-deps: selecting the OpenMP build of OpenBLAS for $library"
    as_root update-alternatives --set "$name" "$path" >/dev/null
  fi
done
name=libopenblas.so.0-$triplet
path=/usr/lib/$triplet/openblas-openmp/libopenblas.so.0
if [[ -e $path && $(update-alternatives --query "$name" 2>/dev/null | awk '$1 == "Value:" {print $2}') != "$path" ]]; then
  as_root update-alternatives --set "$name" "$path" >/dev/null
fi
