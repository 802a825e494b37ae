#!/bin/sh
# The Kafka listener with many partitions and many consumers that have nothing to do: memory, and processor time a request beside a server
# that does nothing but answer, at the same rate in the same run.
#
#     bench/kafka_idle.sh [PARTITIONS [CONSUMERS [GROUPS]]]      default 5000 1000 10
#
# Needs librdkafka-dev and a C compiler.
set -eu
cd "$(dirname "$0")/.."
partitions=${1:-5000}
consumers=${2:-1000}
groups=${3:-10}
port=19094
http=19095
sluice=${SLUICE:-build/release/sluice}
work=$PWD/build/bench-kafka-idle
if [ ! -f /usr/include/librdkafka/rdkafka.h ]; then
    echo "librdkafka-dev is not installed: nothing was measured"
    exit 0
fi
ulimit -n "$(ulimit -Hn)"
rm -rf "$work"
mkdir -p "$work/project"
cc -O2 -o "$work/idle" bench/kafka_idle.c -lrdkafka
printf 'name: bench\nsettings: { listen: { registry: off, http: "127.0.0.1:%s", kafka: "127.0.0.1:%s" } }\n' $http $port > "$work/project/sluice.yaml"
"$sluice" up "$work/project" 2> "$work/log" < /dev/null &
broker=$!
trap 'kill $broker 2> /dev/null || :; wait $broker 2> /dev/null || :; rm -f "$work/stop"' EXIT INT TERM
until grep -qs 'kafka: ' "$work/log"; do
    kill -0 $broker
    sleep 0.05
done
"$sluice" topic create idle "$work/project" --partitions "$partitions" > /dev/null
mkfifo "$work/stop" "$work/said"
"$work/idle" consumers 127.0.0.1:$port idle "$consumers" "$groups" < "$work/stop" > "$work/said" 2> "$work/err" &
exec 3> "$work/stop" 4< "$work/said"
read -r said <&4
requests() { curl -fsS "http://127.0.0.1:$http/metrics" | awk '/^sluice_kafka_request_seconds_count/ { n += $NF } END { printf "%d", n }'; }
ticks() { awk '{ sub(/.*\) /, ""); print $12 + $13 }' /proc/$broker/stat; }
sleep 20 # what the last rebalance brought is over
requests_before=$(requests) ticks_before=$(ticks)
sleep 20
ticks_after=$(ticks) requests_after=$(requests)
rate=$(((requests_after - requests_before) / 20))
ours=$(awk -v t=$((ticks_after - ticks_before)) -v n=$((requests_after - requests_before)) -v hz="$(getconf CLK_TCK)" \
    'BEGIN { printf "%.2f", t / hz / n * 1e6 }')
awk '/VmHWM|VmRSS/ { printf "%s %d MiB\n", $1, $2 / 1024 }' /proc/$broker/status
exec 3>&-
bare=$("$work/idle" bare "$consumers" "$rate" 10)
echo "$partitions partitions, $consumers consumers in $groups groups, $said"
echo "ours: $ours us a request, $rate requests/s"
echo "bare: $bare"
echo "$ours $bare" | awk '{ printf "  %.2f × a bare server\n", $1 / $2 }'
