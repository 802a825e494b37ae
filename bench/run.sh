#!/bin/sh
# Runs every benchmark of build/release/bench, or those named: bench/run.sh journal json. Each prints its own ratios.
set -u
cd "$(dirname "$0")/.." || exit 1
[ $# -gt 0 ] || set -- $(ls bench/*_bench.c 2>/dev/null | sed 's|bench/||; s|_bench\.c$||')
failed=
for name; do
    echo "== $name"
    "build/release/bench/${name}_bench" || failed="$failed $name"
done
echo "$# benchmarks${failed:+, FAILED:$failed}"
[ -z "$failed" ]
