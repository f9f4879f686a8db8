#!/bin/sh
# This checkout beside another one, both built: bench/versus.sh OTHER_CHECKOUT [--turns N]
# Prints, for each row, both rates, their ratio, and its spread over the turns. Needs wrk (Debian: apt install wrk).
set -eu

[ $# -ge 1 ] || { echo "usage: $0 OTHER_CHECKOUT [--turns N]" >&2; exit 2; }
here=$(cd "$(dirname "$0")/.." && pwd)
other=$1
shift
command -v wrk > /dev/null || { echo "$0: wrk is not in PATH" >&2; exit 2; }
[ -f "$other/data-module/dist/main.js" ] || { echo "$0: $other is not built: npm ci && npm run build" >&2; exit 2; }

(cd "$here" && npm run --silent build)
echo '## Data module, disk store'
node "$here/bench/dist/versus-data.js" "$here" "$other" "$@"
echo
echo '## Metadata module, leveldown'
node "$here/bench/dist/versus-metadata.js" "$here" "$other" "$@"
