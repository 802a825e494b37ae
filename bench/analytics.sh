#!/bin/sh
# From the wire to the lake on one core: the user events of examples/analytics, Avro with a schema id, from a topic into a Delta table
# partitioned by the hour, zstd level 3, durable (flush: fsync). Beside it, in the same run, DuckDB's COPY of the same rows from its own memory to
# Parquet zstd 3 on one thread, which neither decodes nor partitions.
#
#     bench/analytics.sh [ROWS]        default 500000
#
# DuckDB comes from PyPI into build/bench-venv (python3-venv is needed); without it only our own figures are printed.
set -eu
cd "$(dirname "$0")/.."
rows=${1:-500000}
sluice=$PWD/build/release/sluice
work=$PWD/build/bench-analytics
rm -rf "$work"
mkdir -p "$work"
cp examples/analytics/*.avsc examples/analytics/*.sql "$work"
events=$(sed -n '/^      event_id:/,/^      custom_attributes:/p' examples/analytics/sluice.yaml)

project() { # tables…
    cat <<YAML
name: bench
settings: { listen: { kafka: off, http: off, registry: off } }
connections: { lake: 'file:lake' }
sources:
  user_activity:
    kind: generator
    rows: $rows
    seed: 1
    to: user-activity
    columns:
$events
topics: { user-activity: { partitions: 3, key: user_id, format: avro, schema: user_activity.avsc } }
streams:
  raw:
    sql: raw_user_activity.sql
    to:
YAML
    for table; do echo "      - { table: lake.$table, partition_by: [year, month, day, hour] }"; done
}
core=$(taskset -cp $$ | sed 's/.*[ ,-]//')

project first > "$work/sluice.yaml"
"$sluice" run "$work"
project first second > "$work/sluice.yaml"
start=$(date +%s%N)
taskset -c "$core" "$sluice" run "$work"
seconds=$(awk -v a="$start" -v b="$(date +%s%N)" 'BEGIN { print (b - a) / 1e9 }')
"$sluice" query "$work" 'SELECT count(*) AS n FROM lake.second' -o tsv | tail -1 | grep -qx "$rows" || { echo "rows are missing"; exit 1; }
awk -v n="$rows" -v s="$seconds" 'BEGIN { printf "Avro topic → Delta       %8.2f s %8.3f M rows/s\n", s, n / s / 1e6 }'

venv=$PWD/build/bench-venv
if [ ! -x "$venv/bin/python" ]; then
    if ! python3 -m venv "$venv" || ! "$venv/bin/pip" -q install duckdb; then
        echo "DuckDB could not be had: no ratio"
        rm -rf "$venv"
        exit 0
    fi
fi
cat > "$work/duck.py" <<'PY'
import duckdb, sys, time
db = duckdb.connect()
db.execute("SET threads = 1")
db.execute(f"CREATE TABLE rows AS SELECT * FROM read_parquet('{sys.argv[1]}/lake/second/**/*.parquet', hive_partitioning = true)")
start = time.perf_counter()
db.execute(f"COPY rows TO '{sys.argv[1]}/duck.parquet' (FORMAT parquet, COMPRESSION zstd, COMPRESSION_LEVEL 3)")
print(time.perf_counter() - start)
PY
duck=$(taskset -c "$core" "$venv/bin/python" "$work/duck.py" "$work")
awk -v n="$rows" -v s="$duck" 'BEGIN { printf "DuckDB memory → Parquet  %8.2f s %8.3f M rows/s\n", s, n / s / 1e6 }'
awk -v d="$duck" -v s="$seconds" 'BEGIN { printf "ratio to DuckDB          %8.2f\n", d / s }'
