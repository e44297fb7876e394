#!/usr/bin/env bash
# Packs the libraries that the models, the index and their tests need beside CUDA, CMake and a LibTorch, for a machine
# that has a card and no network: tests/gpu/run.sh takes the archive, or the folder it unpacks to, in SIGHTLINE_DEPS.
#
#   tests/gpu/pack-deps.sh [ARCHIVE]    build/gpu-deps.tar.xz unless given
#
# They come from this machine's Debian packages (deploy/install-deps.sh installs them): headers, shared libraries with
# all they need but glibc, libstdc++ and libgcc, CMake's and pkg-config's files, and pkg-config itself. Fit for x86-64
# with glibc 2.36 and GCC 12 or later, whatever the distribution. BLAS and LAPACK are the reference ones: what is run
# there computes on the card.
set -euo pipefail
shopt -s extglob

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
archive=${1:-$root/build/gpu-deps.tar.xz}
most=$((50 << 20)) # of the archive; it travels with the sources

packages=(
  libabsl-dev libspdlog-dev libfmt-dev nlohmann-json3-dev libssl-dev zlib1g-dev
  libturbojpeg0-dev libjpeg62-turbo-dev libpng-dev libwebp-dev libseccomp-dev
  libhwy-dev libdnnl-dev libfaiss-dev libroaring-dev librocksdb-dev prometheus-cpp-dev
  libgtest-dev libgmock-dev libbenchmark-dev
)
triplet=x86_64-linux-gnu
library=/usr/lib/$triplet
[[ $(uname -m) == x86_64 && -e /etc/debian_version ]] ||
  { echo "pack-deps.sh: this is not Debian on x86-64. Run it where deploy/install-deps.sh has installed the packages." >&2; exit 1; }
for package in "${packages[@]}" libblas3 liblapack3 pkgconf-bin; do
  dpkg-query -W -f='${db:Status-Abbrev}' "$package" 2>/dev/null | grep -q '^ii' ||
    { echo "pack-deps.sh: the package $package is not installed. Run deploy/install-deps.sh, or apt-get install $package." >&2; exit 1; }
done

prefix=$(mktemp -d)
trap 'rm -rf "$prefix"' EXIT
# Static libraries are left out where they are large and a shared one is there. Links travel as links.
for package in "${packages[@]}"; do
  dpkg -L "$package"
done | sort -u | while read -r file; do
  case $file in
    /usr/include/* | "$library"/cmake/* | "$library"/pkgconfig/* | /usr/share/cmake/* | /usr/share/pkgconfig/* | /usr/lib/cmake/*) ;;
    "$library"/lib@(crypto|ssl|rocksdb|jpeg|turbojpeg|png|png16|webp|webpmux|webpdemux|z|seccomp).a) continue ;;
    "$library"/*.so | "$library"/*.a) ;;
    *) continue ;;
  esac
  [[ ! -d $file || -L $file ]] && printf '%s\n' "${file#/}"
done | tar -C / -T - -cf - | tar -C "$prefix" -xf -
# A development package has links to files of its library's package, which CMake's files name and programs know by another
# name.
find "$prefix$library" -maxdepth 1 -type l | while read -r link; do
  real=$(readlink -f "$library/$(basename "$link")")
  file=$(basename "$real")
  name=$(objdump -p "$real" | awk '$1 == "SONAME" {print $2}')
  [[ -e $prefix$library/$file ]] || cp "$real" "$prefix$library/$file"
  [[ -e $prefix$library/$name ]] || ln -s "$file" "$prefix$library/$name"
  ln -sf "$file" "$link"
done
# BLAS and LAPACK under the names that programs look for, whatever the alternatives of this machine are.
for name in blas lapack; do
  cp "$(readlink -f "$library/$name/lib$name.so.3")" "$prefix$library/lib$name.so.3"
  ln -sf "lib$name.so.3" "$prefix$library/lib$name.so"
done
mkdir -p "$prefix/usr/bin"
cp /usr/bin/pkgconf "$prefix/usr/bin/"

# What CMake's files name by a path of this machine.
find "$prefix$library/cmake" -name '*.cmake' -exec \
  sed -i "/LINK_LIBRARIES/s|\([\";]\)$library/|\1\${_IMPORT_PREFIX}/lib/$triplet/|g" {} +

# What all of these need in turn.
find "$prefix" -type f \( -name '*.so*' -o -name pkgconf \) -exec ldd {} + 2>/dev/null |
  awk '$2 == "=>" && $3 ~ /^\// {print $3}' | sort -u | while read -r file; do
  name=$(basename "$file")
  case $name in
    libc.so* | libm.so* | libpthread.so* | libdl.so* | librt.so* | ld-linux* | libstdc++.so* | libgcc_s.so* | libgomp.so* | libopenblas*) ;;
    *) [[ -e $prefix$library/$name ]] || cp -L "$file" "$prefix$library/$name" ;;
  esac
done
find "$prefix" -type f -name '*.so*' -exec strip --strip-unneeded {} +
find "$prefix" -xtype l | grep . && { echo "pack-deps.sh: the links above lead nowhere. Report this with the packages' versions." >&2; exit 1; }

# pkg-config that finds these and no others, wherever the folder is.
mkdir "$prefix/bin"
cat >"$prefix/bin/pkg-config" <<'WRAPPER'
#!/bin/sh
here=$(cd "$(dirname "$0")/.." && pwd)
library=$here/usr/lib/x86_64-linux-gnu
export PKG_CONFIG_SYSROOT_DIR="$here" PKG_CONFIG_LIBDIR="$library/pkgconfig:$here/usr/share/pkgconfig"
export PKG_CONFIG_ALLOW_SYSTEM_CFLAGS=1 PKG_CONFIG_ALLOW_SYSTEM_LIBS=1
LD_LIBRARY_PATH=$library exec "$here/usr/bin/pkgconf" "$@"
WRAPPER
chmod 755 "$prefix/bin/pkg-config"

mkdir -p "$(dirname "$archive")"
tar -C "$prefix" --owner=0 --group=0 --sort=name --mtime=@0 -cf - . | xz -T0 -2 >"$archive.part"
mv "$archive.part" "$archive"
size=$(stat -c %s "$archive")
echo "$archive: $((size >> 20)) MiB, $(du -sm "$prefix" | cut -f1) MiB unpacked"
((size <= most)) || { echo "pack-deps.sh: the archive has $size bytes, more than $most. Leave out what is not needed." >&2; exit 1; }
