#!/bin/sh
# 100,000 schemas in 10,000 subjects: registered by 32 clients, read, and read again after a new start, whose time and memory are shown.
#   bench/registry.sh [BUILD [COUNT]]      default build/release 100000
set -eu
build=${1:-build/release} count=${2:-100000}
work=$(mktemp -d)
pid=
trap '[ -z "$pid" ] || kill -9 "$pid" 2>/dev/null; rm -rf "$work"' EXIT
mkdir "$work/project"
resident() {
    awk '/VmRSS/ { print int($2 / 1024) }' "/proc/$pid/status"
}
start() {
    begun=$(date +%s%N)
    "$build/sluice" up "$work/project" --set settings.listen.http=off --set settings.listen.kafka=off \
        --set settings.listen.registry=127.0.0.1:0 >"$work/log" 2>&1 </dev/null &
    pid=$!
    until grep -qs 'registry: http' "$work/log"; do sleep 0.01; done
    port=$(sed -n 's/.*registry: http:.*:\([0-9]*\).*/\1/p' "$work/log")
    echo "start: $((($(date +%s%N) - begun) / 1000000)) ms, $(resident) MB resident"
}
start
"$build/bench/registry_bench" "$port" register 32 "$count"
"$build/bench/registry_bench" "$port" read 8 20000
kill -TERM $pid
wait $pid
start
"$build/bench/registry_bench" "$port" read 8 20000
"$build/bench/registry_bench" "$port" read 1 5000
echo "then: $(resident) MB resident"
