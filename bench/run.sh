#!/bin/sh
# Runs every benchmark of build/release/bench and every bench/*.sh, or those named: bench/run.sh journal spine. Each prints its
# own ratios.
set -u
cd "$(dirname "$0")/.." || exit 1
[ $# -gt 0 ] || set -- $(ls bench/*_bench.c bench/*.sh 2>/dev/null | sed 's|bench/||; s|_bench\.c$||; s|\.sh$||; /^run$/d')
failed=
for name; do
    echo "== $name"
    if [ -x "bench/$name.sh" ]; then
        "bench/$name.sh" || failed="$failed $name"
    else
        "build/release/bench/${name}_bench" || failed="$failed $name"
    fi
done
echo "$# benchmarks${failed:+, FAILED:$failed}"
[ -z "$failed" ]
