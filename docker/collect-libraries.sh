#!/usr/bin/env bash
# Copies every shared library that some programs load into a root folder, and writes what they came from.
#
#   docker/collect-libraries.sh ROOT PROGRAM...
#
# Writes below ROOT:
#   lib -> usr/lib, lib64 -> usr/lib64, and in them the libraries under the names by which they are looked for, as plain files:
#     what the alternatives of BLAS and LAPACK select here is what the image has
#   etc/ld.so.cache                     so that 350 libraries are found at once
#   usr/share/sightline/packages.txt    a line per package: name, version, source package, version of that, how it is used
#   var/lib/dpkg/status.d/PACKAGE       the same for scanners of images, as Debian's package manager describes it
#   usr/share/doc/PACKAGE/copyright     their licences
#
# Run where the programs were built, on Debian. A library that cannot be found, or that no package owns, is an error.
set -euo pipefail

if (($# < 2)); then
  sed -n '2,14p' "$0" | sed 's/^# \{0,1\}//' >&2
  exit 2
fi
root=$1
shift
# Compiled in, not loaded: static libraries and headers with code.
compiled_in=(libfaiss-dev libabsl-dev libhwy-dev nlohmann-json3-dev libspdlog-dev prometheus-cpp-dev libgrpc++-dev)

mkdir -p "$root"/usr/lib "$root"/usr/lib64 "$root"/etc "$root"/usr/share/sightline "$root"/var/lib/dpkg/status.d
for name in lib lib64; do
  [[ -e $root/$name ]] || ln -s "usr/$name" "$root/$name"
done

# "name => path (address)" and, for the loader, "path (address)".
listing=$(for program in "$@"; do ldd "$program"; done)
if grep -q 'not found' <<<"$listing"; then
  echo "collect-libraries.sh: these are loaded and not there; install the packages that hold them:" >&2
  grep 'not found' <<<"$listing" | sort -u >&2
  exit 1
fi
mapfile -t libraries < <(awk '$2 == "=>" {print $3} $1 ~ /^\// {print $1}' <<<"$listing" | sort -u)
if ((${#libraries[@]} == 0)); then
  echo "collect-libraries.sh: $* load no shared library. Name dynamically linked programs." >&2
  exit 1
fi

# Debian's database knows /lib/... or /usr/lib/..., whichever the package was made with.
owner_of() {
  local file=$1 package
  for path in "$file" "${file#/usr}" "/usr$file"; do
    if package=$(dpkg-query -S "$path" 2>/dev/null); then
      # "package:amd64: /path", never a diversion: those lines begin with the word.
      sed -n '/^diversion/!{s/^\([^:,]*\).*/\1/p;q}' <<<"$package"
      return
    fi
  done
  return 1
}

declare -A packages
for path in "${libraries[@]}"; do
  file=$(readlink -f "$path")
  target=$path
  [[ $target == /usr/* ]] || target=/usr$target
  install -D -m 755 "$file" "$root$target"
  if ! package=$(owner_of "$file"); then
    echo "collect-libraries.sh: no Debian package owns $file. Build with Debian's libraries alone." >&2
    exit 1
  fi
  packages[$package]=loaded
done
for package in "${compiled_in[@]}"; do
  dpkg-query -W "$package" >/dev/null 2>&1 && packages[$package]=compiled-in
done
ldconfig -r "$root"

list=$root/usr/share/sightline/packages.txt
{
  echo "# Debian packages that this image has code of: name, version, source package, its version, how it is used."
  for package in $(printf '%s\n' "${!packages[@]}" | sort); do
    # One line, also where two architectures of a package are installed.
    dpkg-query -W -f='${Package} ${Version} ${source:Package} ${source:Version}\n' "$package" | sed "s/\$/ ${packages[$package]}/;q"
  done
} >"$list"
for package in "${!packages[@]}"; do
  [[ ${packages[$package]} == loaded ]] || continue
  dpkg-query -s "$package" | grep -v '^Conffiles:\|^ /' >"$root/var/lib/dpkg/status.d/$package"
  install -D -m 644 "$(readlink -f "/usr/share/doc/$package/copyright")" "$root/usr/share/doc/$package/copyright"
done
echo "collect-libraries.sh: ${#libraries[@]} libraries of ${#packages[@]} packages"
