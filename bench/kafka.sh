#!/bin/sh
# The Kafka listener under a load of librdkafka, every acknowledgement durable. Beside it, in the same run, librdkafka's own mock broker in the
# client's process, which keeps nothing: what the client can do at most; and a broker that is named, if one is. Latency from sending to having
# it stands beside one direct, synchronous write of 4 KiB.
#
#     bench/kafka.sh [RECORDS [BYTES [HOST:PORT [PID]]]]      default 2000000 384; PID: that broker's
#
# Needs librdkafka-dev and a C compiler.
set -eu
cd "$(dirname "$0")/.."
records=${1:-2000000}
bytes=${2:-384}
other=${3:-}
others_pid=${4:-}
port=19092
work=$PWD/build/bench-kafka
if [ ! -f /usr/include/librdkafka/rdkafka_mock.h ]; then
    echo "librdkafka-dev is not installed: nothing was measured"
    exit 0
fi
rm -rf "$work"
mkdir -p "$work/project"
cc -O2 -o "$work/load" bench/kafka_load.c -lrdkafka
printf 'name: bench\nsettings: { listen: { http: off, kafka: "127.0.0.1:%s", registry: off } }\n' $port > "$work/project/sluice.yaml"
build/release/sluice up "$work/project" 2> "$work/log" < /dev/null &
broker=$!
trap 'kill $broker 2> /dev/null || :; wait $broker 2> /dev/null || :' EXIT INT TERM
until grep -q 'kafka: ' "$work/log"; do
    kill -0 $broker
    sleep 0.05
done
for n in 1 16; do
    for codec in none lz4; do
        for broker_of in 127.0.0.1:$port $other; do
            build/release/sluice topic create "load-$n-$codec" -b "$broker_of" --partitions $n > /dev/null 2>&1
        done
        ours=$("$work/load" "127.0.0.1:$port" load-$n-$codec $n "$records" "$bytes" $codec $broker)
        bound=$("$work/load" mock load $n "$records" "$bytes" $codec)
        echo "$n partitions, $codec: $ours"
        echo "$n partitions, $codec, mock: $bound"
        echo "$ours $bound" | awk '{ printf "  produce: %.2f of what the client can do\n", $2 / $(NF - 1) }'
        if [ -n "$other" ]; then
            theirs=$("$work/load" "$other" "load-$n-$codec" $n "$records" "$bytes" $codec $others_pid)
            echo "$n partitions, $codec, $other: $theirs"
            echo "$ours $theirs" | awk '{
                for (i = 1; i <= NF; i++) {
                    if ($i == "produce") p[++k] = $(i + 1)
                    if ($i == "consume") c[++m] = $(i + 1)
                    if ($i == "processor") u[++l] = $(i + 1) + $(i + 2)
                }
                printf "  produce %.2f ×, consume %.2f ×%s\n", p[1] / p[2], c[1] / c[2], l == 2 ? sprintf(", processor a GB %.2f ×", u[1] / u[2]) : "" }'
        fi
    done
done
for rate in 1000 10000; do
    ours=$("$work/load" latency "127.0.0.1:$port" latency-$rate $rate 10 "$bytes")
    bare=$("$work/load" write "$work/page" $rate 5)
    echo "sent to consumed: $ours"
    echo "a bare write:     $bare"
    echo "$ours $bare" | awk '{ printf "  p50 %.2f ×, p99 %.2f ×, p99.9 %.2f ×\n", $4 / $15, $6 / $17, $8 / $19 }'
done
awk '/VmHWM/ { printf "memory of the broker: %d MiB at most\n", $2 / 1024 }' /proc/$broker/status
