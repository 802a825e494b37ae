#!/bin/sh
# Part of avro_test.c. fastavro is fetched from PyPI where it is missing, avsc from npm, and both are kept in a folder under ~/.cache.
set -eu
cache=${XDG_CACHE_HOME:-${HOME:-/tmp}/.cache}/sluice-peers/avro
python=$cache/bin/python
skip() { echo "$1"; exit 77; }

command -v python3 >/dev/null || skip "no python3 here"
if ! "$python" -c 'import fastavro, cramjam' 2>/dev/null; then
    python3 -m venv "$cache" 2>/dev/null || skip "python3 has no venv here (Debian: python3-venv)"
    "$python" -m pip -q install fastavro cramjam >/dev/null 2>&1 || skip "fastavro cannot be had from PyPI"
fi
avsc=$cache/node_modules/avsc
if command -v npm >/dev/null && [ ! -d "$avsc" ]; then
    npm install --silent --no-fund --no-audit --prefix "$cache" avsc >/dev/null 2>&1 || echo "avsc cannot be had from npm"
fi
[ -d "$avsc" ] || avsc=
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
"$python" "$(dirname "$0")/avro_peers.py" "$1" "$folder" ${avsc:+"$avsc"}
