#!/usr/bin/env bash
# Adds to the root folder of an image what programs expect beside their libraries: users, names of hosts, certificates, /tmp.
#
#   docker/finish-root.sh ROOT
set -euo pipefail

if (($# != 1)); then
  echo "finish-root.sh: give one folder, the root of the image." >&2
  exit 2
fi
root=$1
mkdir -p "$root"/{etc/ssl/certs,etc/sightline,proc,sys,dev,run,tmp,root,var/lib}
chmod 1777 "$root/tmp"
cat >"$root/etc/passwd" <<'FILE'
root:x:0:0:root:/root:/usr/sbin/nologin
sightline:x:10001:10001:Sightline:/var/lib/sightline:/usr/sbin/nologin
FILE
cat >"$root/etc/group" <<'FILE'
root:x:0:
sightline:x:10001:
FILE
echo 'hosts: files dns' >"$root/etc/nsswitch.conf"
# What scanners tell the distribution by.
cp /etc/os-release "$root/etc/os-release"
cp /etc/debian_version "$root/etc/debian_version"
# Clients in the image verify servers' certificates.
cp /etc/ssl/certs/ca-certificates.crt "$root/etc/ssl/certs/"
