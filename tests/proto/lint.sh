#!/bin/sh
# Lints proto/ with buf (STANDARD and COMMENTS). Arguments: the repository's root and a folder for the linter.
# Exit: 0 clean, 100 findings (buf's own code), 77 (a skip for ctest) when buf is not installed and cannot be fetched.
set -u
root=$1
tools=$2
version=1.47.2

buf=$(command -v buf || true)
if [ -z "$buf" ]; then
  buf=$tools/node_modules/.bin/buf
  if [ ! -x "$buf" ]; then
    if ! command -v npm >/dev/null; then
      echo "skipped: neither buf nor npm is installed. Install npm to lint the protos."
      exit 77
    fi
    mkdir -p "$tools"
    # Without a network npm would try for minutes, longer than the test may take.
    if ! npm install --prefix "$tools" --no-save --no-audit --no-fund --loglevel=error \
      --fetch-retries=1 --fetch-retry-mintimeout=1000 --fetch-timeout=60000 "@bufbuild/buf@$version"; then
      echo "skipped: npm cannot fetch @bufbuild/buf@$version. Check the network to lint the protos."
      exit 77
    fi
  fi
fi
"$buf" --version && cd "$root/proto" && exec "$buf" lint
