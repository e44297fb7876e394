#!/usr/bin/env bash
# Copies every shared library that some programs load into a root folder, and writes what they came from.
#
#   docker/collect-libraries.sh [--foreign FOLDER]... ROOT PROGRAM...
#     --foreign FOLDER   libraries below it are of no Debian package, such as a LibTorch with CUDA; whoever gives it copies
#                        the folder. The driver's library, libcuda, may then be missing: it comes with the machine.
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

foreign=()
while [[ ${1:-} == --foreign && $# -gt 1 ]]; do
  foreign+=("$2")
  shift 2
done
if (($# < 2)); then
  sed -n '2,16p' "$0" | sed 's/^# \{0,1\}//' >&2
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
for folder in "${foreign[@]}"; do
  listing=$(grep -vF -e "=> $folder/" -e 'libcuda.so.1 => not found' <<<"$listing")
done
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

# Debian's database knows /lib/... or /usr/lib/..., whichever the package was made with; it is read once for all.
declare -A owners packages
candidates=()
for path in "${libraries[@]}"; do
  file=$(readlink -f "$path")
  candidates+=("$file" "${file#/usr}" "/usr${file#/usr}")
done
# "package:amd64: /path" or "package: /path"; lines about diversions have other words.
while read -r package path rest; do
  [[ -z $rest && $path == /* ]] && owners[/usr${path#/usr}]=${package%%:*}
done < <(dpkg-query -S "${candidates[@]}" 2>/dev/null || true)

for path in "${libraries[@]}"; do
  file=$(readlink -f "$path")
  package=${owners[/usr${file#/usr}]:-}
  if [[ -z $package ]]; then
    echo "collect-libraries.sh: no Debian package owns $file. Build with Debian's libraries alone." >&2
    exit 1
  fi
  packages[$package]=loaded
  install -D -m 755 "$file" "$root/usr${path#/usr}"
done
for package in "${compiled_in[@]}"; do
  dpkg-query -W "$package" >/dev/null 2>&1 && packages[$package]=compiled-in
done
ldconfig -r "$root"

list=$root/usr/share/sightline/packages.txt
{
  echo "# Debian packages that this image has code of: name, version, source package, its version, how it is used."
  # One line, also where a package is installed for two architectures.
  dpkg-query -W -f='${Package} ${Version} ${source:Package} ${source:Version}\n' "${!packages[@]}" | sort -u -k1,1 |
    while read -r package rest; do echo "$package $rest ${packages[$package]}"; done
} >"$list"
loaded=()
for package in "${!packages[@]}"; do
  [[ ${packages[$package]} == loaded ]] && loaded+=("$package")
done
dpkg-query -s "${loaded[@]}" | awk -v folder="$root/var/lib/dpkg/status.d/" -v RS= '
  { split($1 " " $2, words, " "); file = folder words[2]; gsub(/\nConffiles:(\n [^\n]*)*/, ""); print $0 "\n" > file; close(file) }'
for package in "${loaded[@]}"; do
  license=/usr/share/doc/$package/copyright
  mkdir -p "$root${license%/*}"
  cp -L "$license" "$root$license"
done
echo "collect-libraries.sh: ${#libraries[@]} libraries of ${#packages[@]} packages"
