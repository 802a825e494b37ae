#!/bin/sh
# Runs every fuzzer of build/fuzz for FUZZ_SECONDS, from its corpus in tests/fuzz/corpus. What it finds worth keeping
# goes to build/fuzz/corpus, an input that fails to build/fuzz/NAME-crash-…. Ends with 1 if any failed.
set -u
cd "$(dirname "$0")/../.." || exit 1
failed=
count=0
for source in tests/fuzz/*_fuzz.c; do
    [ -e "$source" ] || continue
    name=$(basename "$source" _fuzz.c)
    mkdir -p "build/fuzz/corpus/$name"
    set -- "build/fuzz/corpus/$name"
    [ -d "tests/fuzz/corpus/$name" ] && set -- "$@" "tests/fuzz/corpus/$name"
    [ -e "tests/fuzz/$name.dict" ] && set -- "$@" "-dict=tests/fuzz/$name.dict"
    echo "== $name, ${FUZZ_SECONDS:=60} s"
    "build/fuzz/${name}_fuzz" "-max_total_time=$FUZZ_SECONDS" -timeout=10 -rss_limit_mb=1024 -print_final_stats=1 \
        -verbosity=0 "-artifact_prefix=build/fuzz/$name-" "$@" || failed="$failed $name"
    count=$((count + 1))
done
echo "$count fuzzers${failed:+, FAILED:$failed}"
[ -z "$failed" ]
