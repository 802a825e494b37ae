#!/bin/sh
# The whole way of a record on one core: JSON lines of about 384 bytes, file → topic → Delta, and topic → Delta alone, zstd level 3, durable
# (flush: fsync). Beside it, in the same run, DuckDB's read_json → Parquet zstd 3 on one thread.
#
#     bench/spine.sh [ROWS]        default 1000000; 5000000 is the figure that is quoted
#
# DuckDB comes from PyPI into build/bench-venv (python3-venv is needed); without it only our own figures are printed.
set -eu
cd "$(dirname "$0")/.."
rows=${1:-1000000}
sluice=$PWD/build/release/sluice
work=$PWD/build/bench-spine
rm -rf "$work"
mkdir -p "$work"

awk -v n="$rows" 'BEGIN {
    srand(1)
    split("Berlin Hamburg München Köln Paris London Madrid Rome Oslo Wien", city, " ")
    split("view click purchase add_to_cart", event, " ")
    for (i = 0; i < n; i++)
        printf "{\"id\":%d,\"user_id\":\"user_%d\",\"session\":\"%08x%08x%08x%08x\",\"ts\":\"2026-11-%02dT%02d:%02d:%02d.%06dZ\",\"event\":\"%s\",\"city\":\"%s\",\"price\":%.2f,\"quantity\":%d,\"ok\":%s,\"score\":%.12f,\"url\":\"https://example.com/p/%d/item?ref=%d&campaign=autumn\",\"agent\":\"Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.%d (KHTML, like Gecko)\"}\n",
            i, rand() * 100000, rand() * 2147483647, rand() * 2147483647, rand() * 2147483647, rand() * 2147483647,
            1 + i % 28, i / 3600 % 24, i / 60 % 60, i % 60, rand() * 1000000, event[1 + int(rand() * 4)], city[1 + int(rand() * 10)],
            rand() * 500, 1 + rand() * 5, rand() < 0.9 ? "true" : "false", rand(), rand() * 10000, rand() * 1000, rand() * 100
}' > "$work/rows.jsonl"
bytes=$(wc -c < "$work/rows.jsonl")
echo "$rows rows, $((bytes / rows)) bytes each"

columns='id BIGINT, user_id STRING, session STRING, ts TIMESTAMP, event STRING, city STRING, price DOUBLE, quantity INT, ok BOOLEAN, score DOUBLE, url STRING, agent STRING'
project() { # tables…
    cat <<YAML
name: bench
connections: { lake: 'file:lake' }
sources: { rows: { kind: file, path: rows.jsonl, to: input } }
topics: { input: { schema: '$columns' } }
streams:
  copy:
    sql: SELECT * FROM STREAM input
    to:
YAML
    for table; do echo "      - { table: lake.$table }"; done
}

measure() { # name command… → seconds in $seconds, prints rows/s and peak memory
    name=$1
    shift
    start=$(date +%s%N)
    /usr/bin/time -f '%M' -o "$work/memory" taskset -c "$(taskset -cp $$ | sed 's/.*[ ,-]//')" "$@"
    seconds=$(awk -v a="$start" -v b="$(date +%s%N)" 'BEGIN { print (b - a) / 1e9 }')
    awk -v name="$name" -v n="$rows" -v s="$seconds" -v m="$(cat "$work/memory")" \
        'BEGIN { printf "%-24s %8.2f s %8.3f M rows/s %6d MiB peak\n", name, s, n / s / 1e6, m / 1024 }'
}

project first > "$work/sluice.yaml"
measure "file → topic → Delta" "$sluice" run "$work"
both=$seconds
project first second > "$work/sluice.yaml"
measure "topic → Delta" "$sluice" run "$work"
alone=$seconds

venv=$PWD/build/bench-venv
if [ ! -x "$venv/bin/python" ]; then
    if ! python3 -m venv "$venv" || ! "$venv/bin/pip" -q install duckdb; then
        echo "DuckDB could not be had: no ratio"
        rm -rf "$venv"
        exit 0
    fi
fi
cat > "$work/duck.py" <<'PY'
import duckdb, sys
types = {"STRING": "VARCHAR", "TIMESTAMP": "TIMESTAMPTZ", "INT": "INTEGER"}
columns = {c.split()[0]: types.get(c.split()[1], c.split()[1]) for c in sys.argv[2].split(", ")}
db = duckdb.connect()
db.execute("SET threads = 1")
db.execute(f"COPY (SELECT * FROM read_json('{sys.argv[1]}/rows.jsonl', format = 'newline_delimited', columns = {columns})) "
           f"TO '{sys.argv[1]}/duck.parquet' (FORMAT parquet, COMPRESSION zstd, COMPRESSION_LEVEL 3)")
PY
measure "DuckDB json → Parquet" "$venv/bin/python" "$work/duck.py" "$work" "$columns"
awk -v d="$seconds" -v b="$both" -v a="$alone" \
    'BEGIN { printf "ratio to DuckDB          %8.2f (file → topic → Delta) %8.2f (topic → Delta)\n", d / b, d / a }'
