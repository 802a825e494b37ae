"""Reads Delta tables that the program wrote, with readers that others wrote, and compares all rows with what they must be.

usage: delta_read.py FOLDER    (with the tables all_types, parts, many and grown)

Readers: delta-rs; DuckDB, over the active files with their partition values; Spark where PySpark is there and DELTA_JARS names the folder of
Delta's jars. What n is, each row says itself; every other column is computed here from n.
"""
import datetime as dt
import decimal
import glob
import json
import math
import os
import shutil
import sys
import warnings
from urllib.parse import unquote

import duckdb
import pyarrow as pa
from deltalake import DeltaTable, QueryBuilder

decimal.getcontext().prec = 60
warnings.filterwarnings("ignore")  # DuckDB about a copy at each answer
UTC = dt.timezone.utc
EPOCH = dt.datetime(1970, 1, 1, tzinfo=UTC)


def all_types(n):
    us = dt.timedelta(microseconds=1)
    return {
        "n": n, "bool": None if n % 5 == 0 else n % 2 == 0, "i8": n % 100, "i16": n % 30000 - 15000, "i32": n * 7, "f32": n * 1.5,
        "f64": math.nan if n % 11 == 0 else -math.inf if n % 11 == 1 else n / 3.0,
        "d9": decimal.Decimal(n) / 100, "d18": decimal.Decimal(n * 12345678901), "d38": decimal.Decimal(n * -123456789012345678901),
        "s": f'row {n} é漢😀 "quoted" ' + "x" * (n % 60), "b": b"b%d" % n, "day": dt.date(1969, 12, 1) + dt.timedelta(days=n),
        "at": EPOCH + (n * 1000003 - 5000000) * us, "local": dt.datetime(1970, 1, 1) + n * 999983 * us,
        "list": None if n % 7 == 0 else [n, None, n + 1], "pairs": {"k": n, f"k{n}": None},
        "nested": {"x": n, "y": {"z": f"z{n}", "l": [{"q": n}]}}, "deep": [{n: [str(n)]}], "nothing": None,
        "span": "INTERVAL",
    }


def parts(n):
    text = [None, None, "a/b=c%d e", "é漢😀", "\"q\"'s:#?*[x]+&", "plain"][n % 6]
    at = EPOCH + dt.timedelta(microseconds=n % 2 * 1234567 + 1704067200000000)
    return {"n": n, "v": f"v{n}", "text": text, "day": dt.date(2024, 2, 29), "at": at, "flag": n % 3 == 0,
            "price": decimal.Decimal(n % 2) / 4}


def many(n):
    return {"n": n, "k": n % 3}


def grown(n):
    return {"n": n, "s": {"a": n} if n < 500 else {"a": n, "b": f"b{n}"}, "late": None if n < 500 else n * 2}


TABLES = {"all_types": (all_types, 2000), "parts": (parts, 2000), "many": (many, 20000), "grown": (grown, 1000)}


def same(want, have):
    if want is None or have is None:
        return want is None and have is None
    if want == "INTERVAL":
        return isinstance(have, str) and have.startswith("INTERVAL '")
    if isinstance(have, list) and have and all(isinstance(x, tuple) for x in have):
        have = dict(have)
    if isinstance(want, dict):
        if not isinstance(have, dict):
            return False
        extra = [k for k in have if k not in want]
        return all(have[k] is None for k in extra) and all(k in have and same(v, have[k]) for k, v in want.items())
    if isinstance(want, list):
        return isinstance(have, list) and len(want) == len(have) and all(map(same, want, have))
    if isinstance(want, float) and math.isnan(want):
        return math.isnan(have)
    if isinstance(want, dt.datetime) and want.tzinfo:
        return have.tzinfo is not None and want == have
    return want == have and isinstance(want, bool) == isinstance(have, bool)


def rows_of(table):
    names = table.column_names
    return [dict(zip(names, row)) for row in zip(*[c.to_pylist() for c in table.columns])]


def by_delta_rs(path):
    answer = QueryBuilder().register("t", DeltaTable(path)).execute("SELECT * FROM t")
    return rows_of(pa.table(answer.read_all() if hasattr(answer, "read_all") else answer))


SQL_TYPES = {"string": "VARCHAR", "date": "DATE", "timestamp": "TIMESTAMPTZ", "boolean": "BOOLEAN", "long": "BIGINT"}


def active_files(path):
    """The log without checkpoints, which the other readers look at: every commit is there."""
    files, partitions, fields = {}, [], []
    commits = sorted(glob.glob(os.path.join(path, "_delta_log", "*.json")))
    assert [int(os.path.basename(c)[:20]) for c in commits] == list(range(len(commits))), "a version is missing"
    for commit in commits:
        with open(commit, encoding="utf-8") as lines:
            for line in lines:
                for kind, action in json.loads(line).items():
                    if kind == "add":
                        files[action["path"]] = action
                    elif kind == "remove":
                        del files[action["path"]]
                    elif kind == "metaData":
                        partitions = action["partitionColumns"]
                        fields = json.loads(action["schemaString"])["fields"]
    return files.values(), partitions, {f["name"]: f["type"] for f in fields}


def by_duckdb(path):
    con = duckdb.connect()
    con.execute("SET TimeZone='UTC'")
    files, partitions, types = active_files(path)
    rows = []
    for add in files:
        casts = []
        for name in partitions:
            value = add["partitionValues"][name]
            literal = "NULL" if value is None else "'" + value.replace("'", "''") + "'"
            casts.append(f'CAST({literal} AS {SQL_TYPES.get(types[name], types[name])}) AS "{name}"')
        plain = os.path.join(os.environ["SCRATCH"], "one.parquet")  # DuckDB takes *, ? and [ of a name as a pattern
        shutil.copyfile(os.path.join(path, unquote(add["path"])), plain)
        answer = con.execute(f"SELECT {', '.join(['*'] + casts)} FROM read_parquet('{plain}', hive_partitioning=false)")
        table = answer.to_arrow_table() if hasattr(answer, "to_arrow_table") else answer.fetch_arrow_table()
        found = rows_of(table)
        assert len(found) == json.loads(add["stats"])["numRecords"], "numRecords"
        rows += [{name: row.get(name) for name in types} for row in found]
    return rows


def by_spark(path):
    from pyspark.sql import SparkSession
    spark = (SparkSession.builder.master("local[1]").config("spark.ui.enabled", "false").config("spark.sql.session.timeZone", "UTC")
             .config("spark.driver.extraClassPath", os.environ["DELTA_JARS"] + "/*")
             .config("spark.sql.extensions", "io.delta.sql.DeltaSparkSessionExtension")
             .config("spark.sql.catalog.spark_catalog", "org.apache.spark.sql.delta.catalog.DeltaCatalog").getOrCreate())
    spark.sparkContext.setLogLevel("OFF")
    return rows_of(spark.read.format("delta").load(path).toArrow())


def check(reader, name, rows):
    expect, count = TABLES[name]
    wrong = 0
    if sorted(r["n"] for r in rows) != list(range(count)):
        print(f"{reader}: {name}: {len(rows)} rows, {len({r['n'] for r in rows})} different ones, {count} expected")
        wrong += 1
    for row in rows:
        for column, value in expect(row["n"]).items():
            if column not in row or not same(value, row[column]):
                if wrong < 5:
                    print(f"{reader}: {name}: row {row['n']}: {column} is {row.get(column)!r}, not {value!r}")
                wrong += 1
    return wrong


def main():
    folder, wrong = sys.argv[1], 0
    readers = {"delta-rs": by_delta_rs, "DuckDB": by_duckdb}
    if os.environ.get("DELTA_JARS"):
        readers["Spark"] = by_spark
    else:
        print("Spark: not asked (DELTA_JARS names no folder with Delta's jars)")
    for reader, read in readers.items():
        for name in TABLES:
            rows = read(os.path.join(folder, name))
            bad = check(reader, name, rows)
            wrong += bad
            print(f"{reader}: {name}: {len(rows)} rows, {'equal' if bad == 0 else f'{bad} wrong values'}")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
