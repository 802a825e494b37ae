"""Delta tables that the program writes, read by other people's readers and by the program itself: all rows, value by value.

usage: delta_peers.py FOLDER [TABLE…]    SLUICE: the program; DELTA_JARS: a folder with Delta's jars for Spark, or NO_SPARK: why there is none

Every column is a function of the row's number n, written twice: in SQL, which the program runs, and in Python, which says what has to be
there. Values are compared exactly: instants as microseconds, dates as days, floats bit by bit but for NaN, so that years which Python does not know count too.

Readers: delta-rs; DuckDB, through its delta extension where that can be had, else over the active files, which are found twice, in the JSON commits and in
the newest checkpoint (read by DuckDB) with what came after it, and must be the same; Spark; `sluice query`.
"""
import base64
import decimal
import glob
import json
import math
import os
import shutil
import struct
import subprocess
import sys
import warnings
from urllib.parse import unquote

import duckdb
import pyarrow as pa
from deltalake import DeltaTable, QueryBuilder

decimal.getcontext().prec = 80
warnings.filterwarnings("ignore")  # DuckDB about a copy at each answer
D = decimal.Decimal
NAN, INF = math.nan, math.inf
DAY_US = 86400 * 1000000


class Date(int):
    """Days since 1970-01-01."""


class Instant(int):
    """Microseconds since 1970-01-01 UTC."""


class Local(int):
    """The same of a timestamp without a time zone."""


class Float(float):
    """Of 32 bits."""


class Map(list):
    """Pairs of key and value."""


# ---- the tables -------------------------------------------------------------------------------------------------------------------------------

def cycle(name, sql_type, values):
    """A column that goes round values, each a pair of SQL and Python; None is NULL."""
    whens = " ".join(f"WHEN {i} THEN CAST({'NULL' if v is None else v[0]} AS {sql_type})" for i, v in enumerate(values))
    return name, f"CASE n % {len(values)} {whens} END", lambda n: None if values[n % len(values)] is None else values[n % len(values)][1]


def text(s):
    return "'" + s.replace("\\", "\\\\").replace("'", "\\'").replace("\n", "\\n") + "'", s


def number(v, suffix="", of=int):
    return f"{v}{suffix}", of(v)


def double(v):
    return f"'{v}'", float(v)


def single(v):
    return f"'{v}'", Float(struct.unpack("f", struct.pack("f", float(v)))[0])


def instant(us, kind=Instant):
    return f"timestamp_micros({us})", kind(us)


def date(days):
    return f"date_from_unix_date({days})", Date(days)


TEXTS = ["", " ", "a", "é漢😀", "\"quoted\" 'single' \\ back", "line\nbreak\ttab", "\u0001\u007f", "x" * 31 + "é" + "y" * 40, "\U0010ffff" * 33, "null", "NaN"]
BYTES = [("X''", b""), ("X'00'", b"\0"), ("X'ff00ff'", b"\xff\0\xff"), ("CAST('text' AS BINARY)", b"text"), ("CAST(repeat('b', 300) AS BINARY)", b"b" * 300)]
# Years 1, 1582 (where calendars changed), 1899, 1969, 1970, 2262 (the last in nanoseconds), 9999 and the first day after.
DAYS = [-719162, -141428, -141427, -25568, -1, 0, 1, 106751, 2932896, 2932897, 5373484]
MICROS = [-719162 * DAY_US, -141427 * DAY_US - 1, -25568 * DAY_US + 1, -1000001, -1, 0, 999999, 1709210096789123, 106752 * DAY_US, 2932897 * DAY_US - 1, 2932897 * DAY_US]

PLAIN = [
    cycle("flag", "BOOLEAN", [("true", True), ("false", False), None]),
    cycle("i8", "TINYINT", [None] + [number(v) for v in (-128, -1, 0, 127)]),
    cycle("i16", "SMALLINT", [None] + [number(v) for v in (-32768, 0, 7, 32767, 1)]),
    cycle("i32", "INT", [None] + [number(v) for v in (-2147483648, 0, 2147483647)]),
    cycle("i64", "BIGINT", [None, ("-9223372036854775807 - 1", -2**63), number(0), number(2**63 - 1), number(5)]),
    cycle("f32", "FLOAT", [None] + [single(v) for v in ("NaN", "Infinity", "-Infinity", "0.0", "-0.0", "1.4E-45", "3.4028235E38", "0.1")]),
    cycle("f64", "DOUBLE", [None] + [double(v) for v in ("NaN", "Infinity", "-Infinity", "0.0", "-0.0", "4.9E-324", "1.7976931348623157E308", "0.1", "-2.5")]),
    cycle("s", "STRING", [None] + [text(s) for s in TEXTS]),
    cycle("b", "BINARY", [None] + BYTES),
    cycle("day", "DATE", [None] + [date(d) for d in DAYS]),
    cycle("at", "TIMESTAMP", [None] + [instant(us) for us in MICROS]),
    cycle("local", "TIMESTAMP_NTZ", [None] + [instant(us, Local) for us in MICROS]),
    ("nothing", "NULL", lambda n: None),
    ("span", "make_dt_interval(1, 2, 3, n % 60)", lambda n: f"INTERVAL '1 02:03:{n % 60:02}' DAY TO SECOND"),
    # the same types with a value of its own in each row: no dictionary
    ("own_i32", "CAST(n * 7 AS INT)", lambda n: n * 7),
    ("own_i64", "n * 1000000007", lambda n: n * 1000000007),
    ("own_f32", "CAST(n * 1.5 AS FLOAT)", lambda n: Float(n * 1.5)),
    ("own_f64", "n / 3.0D", lambda n: n / 3.0),
    ("own_d", "CAST(n * -123456789012345678901BD AS DECIMAL(38,6))", lambda n: D(n * -123456789012345678901)),
    ("own_s", "concat('row ', n, repeat('x', CAST(n % 60 AS INT)))", lambda n: f"row {n}" + "x" * (n % 60)),
    ("own_b", "CAST(concat('b', n) AS BINARY)", lambda n: b"b%d" % n),
    ("own_at", "timestamp_micros(n * 1000003 - 5000000)", lambda n: Instant(n * 1000003 - 5000000)),
    ("own_day", "date_add(DATE'1969-12-01', CAST(n AS INT))", lambda n: Date(n - 31)),
]


def decimal_column(p):
    scale = (0, p // 2, p)[p % 3]
    nines = D("9" * p).scaleb(-scale)
    one = D(1).scaleb(-scale)
    return cycle(f"d{p}", f"DECIMAL({p},{scale})", [None] + [(f"{v:f}BD", v) for v in (nines, -nines, one, -one)] + [("0BD", D(0))])


DECIMALS = [decimal_column(p) for p in range(1, 39)]

INNER = "STRUCT<x: BIGINT, y: ARRAY<STRING>, z: MAP<STRING, STRUCT<q: DATE>>>"
NESTED = [
    cycle("list", "ARRAY<BIGINT>", [None, ("array()", []), ("array(NULL)", [None]), ("array(1, NULL, 3)", [1, None, 3])]),
    ("own_list", "CASE WHEN n % 7 = 0 THEN NULL ELSE array(n, NULL, n + 1) END", lambda n: None if n % 7 == 0 else [n, None, n + 1]),
    cycle("texts", "ARRAY<STRING>", [None, ("array()", []), ("array('', NULL, 'a')", ["", None, "a"])]),
    cycle("lists", "ARRAY<ARRAY<INT>>", [None, ("array()", []), ("array(NULL)", [None]), ("array(array())", [[]]), ("array(array(1, NULL), array(), NULL, array(2))", [[1, None], [], None, [2]])]),
    cycle("pairs", "MAP<STRING, BIGINT>", [None, ("map()", Map()), ("map('k', 1, '', NULL)", Map([("k", 1), ("", None)]))]),
    ("own_pairs", "map('k', n, concat('k', n), NULL)", lambda n: Map([("k", n), (f"k{n}", None)])),
    cycle("by_number", "MAP<INT, ARRAY<STRING>>", [None, ("map(1, array('a'), 2, NULL, 3, array())", Map([(1, ["a"]), (2, None), (3, [])]))]),
    cycle("by_day", "MAP<DATE, TIMESTAMP>", [None, ("map(DATE'2024-02-29', timestamp_micros(1))", Map([(Date(19782), Instant(1))]))]),
    cycle("st", INNER, [
        None, ("named_struct('x', NULL, 'y', NULL, 'z', NULL)", {"x": None, "y": None, "z": None}),
        ("named_struct('x', 1, 'y', array(), 'z', map())", {"x": 1, "y": [], "z": Map()}),
        ("named_struct('x', 2, 'y', array(NULL, ''), 'z', map('a', NULL, 'b', named_struct('q', NULL), 'c', named_struct('q', DATE'1970-01-02')))",
         {"x": 2, "y": [None, ""], "z": Map([("a", None), ("b", {"q": None}), ("c", {"q": Date(1)})])})]),
    cycle("structs", f"ARRAY<{INNER}>", [
        None, ("array()", []), ("array(NULL)", [None]),
        ("array(named_struct('x', 5, 'y', array('e'), 'z', NULL), NULL)", [{"x": 5, "y": ["e"], "z": None}, None])]),
    ("deep", "array(map(n, array(named_struct('v', CAST(n AS STRING), 'w', array(array(n))))))", lambda n: [Map([(n, [{"v": str(n), "w": [[n]]}])])]),
    ("all_in_one", "named_struct('f', CAST('NaN' AS DOUBLE), 'd', CAST(n AS DECIMAL(20,2)), 'b', X'00', 't', timestamp_micros(-n), 'l', CAST(timestamp_micros(n) AS TIMESTAMP_NTZ))",
     lambda n: {"f": NAN, "d": D(n), "b": b"\0", "t": Instant(-n), "l": Local(n)}),
]

# The empty string is NULL as a partition: the protocol knows no other.
PARTITIONS = [
    cycle("p_flag", "BOOLEAN", [None, ("true", True), ("false", False)]),
    cycle("p_i8", "TINYINT", [None] + [number(v) for v in (-128, 127)]),
    cycle("p_i16", "SMALLINT", [None] + [number(v) for v in (-32768, 32767)]),
    cycle("p_i32", "INT", [None] + [number(v) for v in (-2147483648, 2147483647)]),
    cycle("p_i64", "BIGINT", [("-9223372036854775807 - 1", -2**63), None, number(2**63 - 1)]),
    cycle("p_f32", "FLOAT", [None] + [single(v) for v in ("1.5", "-Infinity", "NaN", "1.4E-45", "3.4028235E38")]),
    cycle("p_f64", "DOUBLE", [None] + [double(v) for v in ("0.1", "Infinity", "NaN", "4.9E-324", "-1.7976931348623157E308")]),
    cycle("p_d", "DECIMAL(38,10)", [None, ("1.5BD", D("1.5")), ("-9999999999999999999999999999.9999999999BD", D("-9999999999999999999999999999.9999999999"))]),
    cycle("p_s", "STRING", [None, text("a"), ("''", None)]),
    cycle("p_day", "DATE", [None, date(-719162), date(-1), date(2932896)]),
    cycle("p_at", "TIMESTAMP", [None] + [instant(us) for us in (-719162 * DAY_US, -1, 1709210096789123, 2932897 * DAY_US - 1, 0)]),
    cycle("p_local", "TIMESTAMP_NTZ", [None] + [instant(us, Local) for us in (-719162 * DAY_US, -1, 1709210096789123, 2932897 * DAY_US - 1, 0)]),
]
ODD = ["a/b=c%d e", "é漢😀", "\"q\"'s:#?*[x]{y}+&", "..", ".", "_hidden", "~", " both ", "back\\slash", "line\nbreak", "\u0001", "%2F", "x" * 300, "null", "NULL", "a,b;c|d", "<>^`@$!()"]
TEXT_PARTITIONS = [cycle("k", "STRING", [None, ("''", None)] + [text(s) for s in ODD])]

N = [("n", "n", lambda n: n)]
VALUE = [("v", "concat('v', n)", lambda n: f"v{n}")]


class Table:
    def __init__(self, phases, partition_by=(), rate=100000, cadence="20ms", versions=0, cannot=None):
        """phases: pairs of columns and the number of rows that are there after them. cannot: reader → why it is not asked."""
        self.phases, self.partition_by, self.rate, self.cadence, self.versions = phases, partition_by, rate, cadence, versions
        self.cannot = cannot or {}
        self.rows = phases[-1][1]

    def expect(self, n):
        for columns, until in self.phases:
            if n < until:
                row = {name: value(n) for name, _, value in columns}
                return row
        raise IndexError(n)


# Columns that come, and fields in structs and in elements.
GROWN = [
    [("g", "named_struct('a', n)", lambda n: {"a": n}), ("ga", "array(named_struct('a', n), NULL)", lambda n: [{"a": n}, None])],
    [("late", "n * 2", lambda n: n * 2),
     ("g", "named_struct('b', concat('b', n), 'a', n)", lambda n: {"a": n, "b": f"b{n}"}),
     ("ga", "array(named_struct('a', n, 'c', named_struct('d', n)), NULL)", lambda n: [{"a": n, "c": {"d": n}}, None])],
    [("g", "named_struct('b', concat('b', n), 'c', named_struct('deep', map('m', n)))", lambda n: {"b": f"b{n}", "c": {"deep": Map([("m", n)])}}),
     ("ga", "array(named_struct('c', named_struct('d', n, 'f', X'01')))", lambda n: [{"c": {"d": n, "f": b"\1"}}]),
     ("later", "CAST(timestamp_micros(n) AS TIMESTAMP_NTZ)", lambda n: Local(n))],
]
GROWN_MAPS = [
    [("gm", "map('k', named_struct('a', n))", lambda n: Map([("k", {"a": n})]))],
    [("gm", "map('k', named_struct('e', array(n), 'a', n))", lambda n: Map([("k", {"a": n, "e": [n]})]))],
    [("gm", "map('k', NULL, 'l', named_struct('a', n))", lambda n: Map([("k", None), ("l", {"a": n})]))],
]
ALL = N + PLAIN + DECIMALS + NESTED
BY_TWO = [cycle("pk", "STRING", [text("a/b"), None]), ("pd", "DATE'2024-02-29'", lambda n: Date(19782))]

TABLES = {
    "types": Table([(N + PLAIN, 3000)]),
    "decimals": Table([(N + DECIMALS, 600)]),
    "nested": Table([(N + NESTED, 3000)]),
    "partitions": Table([(N + VALUE + PARTITIONS, 360)], [c[0] for c in PARTITIONS]),
    "odd_partitions": Table([(N + VALUE + TEXT_PARTITIONS, 380)], ["k"]),
    "grown": Table([(N + GROWN[0], 500), (N + GROWN[1], 1000), (N + GROWN[2], 1500)]),
    "grown_maps": Table([(N + GROWN_MAPS[0], 500), (N + GROWN_MAPS[1], 1000), (N + GROWN_MAPS[2], 1500)],
                        cannot={"delta-rs": "it cannot cast a map whose values got more fields"}),
    "commits": Table([(ALL + BY_TWO + GROWN[0], 2000), (ALL + BY_TWO + GROWN[1], 4000), (ALL + BY_TWO + GROWN[2], 6000)], ["pk", "pd"],
                     rate=100, cadence="1ms", versions=1000),
}

# Conditions on the table "commits" and what they mean: a reader skips files by the statistics in the log, and row groups by those of the file.
FILTERS = [
    ("i8 = -128", lambda r: r["i8"] == -128), ("i16 >= 32767", lambda r: r["i16"] == 32767), ("i32 < 0", lambda r: (r["i32"] or 0) < 0),
    ("i64 > 9223372036854775806", lambda r: r["i64"] == 2**63 - 1), ("f64 < -1e308", lambda r: r["f64"] == -INF), ("f32 > 1e38 AND f32 < 3.5e38", lambda r: 1e38 < (r["f32"] or 0) < 3.5e38),
    ("s = ''", lambda r: r["s"] == ""), ("s >= 'x'", lambda r: (r["s"] or "").encode() >= b"x"), ("s LIKE 'xxx%'", lambda r: (r["s"] or "").startswith("xxx")),
    ("day = DATE '0001-01-01'", lambda r: r["day"] == -719162), ("day > DATE '9999-12-30'", lambda r: (r["day"] or 0) > 2932895),
    ("at < TIMESTAMP '1970-01-01T00:00:00Z'", lambda r: (r["at"] or 0) < 0), ("at > TIMESTAMP '2024-02-29T12:34:56.789Z'", lambda r: (r["at"] or 0) > 1709210096789000),
    ("d37 < 0", lambda r: (r["d37"] or 0) < 0), ("d1 = 9", lambda r: r["d1"] == 9), ("d2 > 9.8", lambda r: (r["d2"] or 0) > D("9.8")),
    ("own_i64 = 1200000008400", lambda r: r["own_i64"] == 1200000008400), ("pk = 'a/b'", lambda r: r["pk"] == "a/b"), ("pk IS NULL", lambda r: r["pk"] is None),
    ("pd = DATE '2024-02-29'", lambda r: True), ("g.a = 77", lambda r: r["g"].get("a") == 77), ("late = 5200", lambda r: r.get("late") == 5200),
    ("late IS NULL", lambda r: r.get("late") is None), ("nothing IS NOT NULL", lambda r: False), ("NOT flag", lambda r: r["flag"] is False),
]


# ---- writing ----------------------------------------------------------------------------------------------------------------------------------

PROJECT = """
name: peers_{name}
settings: {{ data: data, log: {{ level: warn }} }}
connections: {{ lake: 'file:{lake}' }}
sources:
  rows: {{ kind: generator, rate: {rate}/s, rows: {rows}, columns: {{ n: n }}, to: input }}
topics:
  input: {{ schema: 'n BIGINT' }}
streams:
  all:
    sql: query.sql
    to: [ {{ table: lake.{name}, cadence: {cadence}{partition_by} }} ]
"""


def write(folder, name, table):
    home = os.path.join(folder, "projects", name)
    os.makedirs(home, exist_ok=True)
    partition_by = f", partition_by: [{', '.join(table.partition_by)}]" if table.partition_by else ""
    for columns, until in table.phases:
        with open(os.path.join(home, "query.sql"), "w", encoding="utf-8") as out:
            out.write("SELECT\n" + ",\n".join(f"{sql} AS {column}" for column, sql, _ in columns) + "\nFROM STREAM input\n")
        with open(os.path.join(home, "sluice.yaml"), "w", encoding="utf-8") as out:
            out.write(PROJECT.format(name=name, lake=os.path.join(folder, "lake"), rate=table.rate, rows=until, cadence=table.cadence, partition_by=partition_by))
        subprocess.run([os.environ["SLUICE"], "run", home], check=True)


# ---- Arrow → values ---------------------------------------------------------------------------------------------------------------------------

def instant_of(scalar):
    kind = Instant if scalar.type.tz else Local
    scale = {"s": 1000000, "ms": 1000, "us": 1}[scalar.type.unit]
    return kind(scalar.value * scale)


def value_of(scalar):
    """An Arrow scalar as a value of the classes above."""
    t = scalar.type
    if not scalar.is_valid:
        return None
    if pa.types.is_timestamp(t):
        return instant_of(scalar)
    if pa.types.is_date32(t):
        return Date(scalar.value)
    if pa.types.is_float32(t):
        return Float(scalar.as_py())
    if pa.types.is_struct(t):
        return {t.field(i).name: value_of(scalar[i]) for i in range(t.num_fields)}
    if pa.types.is_map(t):
        return Map((value_of(e["key"] if "key" in e.keys() else e["keys"]), value_of(e["value"] if "value" in e.keys() else e["values"])) for e in scalar.values)
    if pa.types.is_list(t) or pa.types.is_large_list(t) or pa.types.is_list_view(t):
        return [value_of(e) for e in scalar.values]
    if pa.types.is_dictionary(t):
        return value_of(scalar.value)
    return scalar.as_py()


def rows_of(table):
    columns = [[value_of(v) for v in c] for c in table.columns]
    return [dict(zip(table.column_names, row)) for row in zip(*columns)]


def arrow_of(answer):
    for name in ("to_arrow_table", "fetch_arrow_table", "read_all"):
        if hasattr(answer, name):
            answer = getattr(answer, name)()
            break
    return answer if isinstance(answer, pa.Table) else pa.table(answer)


# ---- the readers --------------------------------------------------------------------------------------------------------------------------------

def by_delta_rs(path, table):
    return rows_of(ask_delta_rs(path, "SELECT * FROM t"))


def ask_delta_rs(path, sql):
    return arrow_of(QueryBuilder().register("t", DeltaTable(path)).execute(sql))


def spark_session():
    from pyspark.sql import SparkSession
    spark = (SparkSession.builder.master("local[1]").config("spark.ui.enabled", "false").config("spark.sql.session.timeZone", "UTC")
             .config("spark.driver.extraClassPath", os.environ["DELTA_JARS"] + "/*").config("spark.sql.shuffle.partitions", "1").config("spark.databricks.delta.snapshotPartitions", "1").config("spark.ui.showConsoleProgress", "false")
             .config("spark.sql.catalogImplementation", "in-memory")
             .config("spark.sql.extensions", "io.delta.sql.DeltaSparkSessionExtension")
             .config("spark.sql.catalog.spark_catalog", "org.apache.spark.sql.delta.catalog.DeltaCatalog").getOrCreate())
    spark.sparkContext.setLogLevel("OFF")
    return spark


def by_spark(path, table):
    return rows_of(spark_session().read.format("delta").load(path).toArrow())


def ask_spark(path, sql):
    spark_session().read.format("delta").load(path).createOrReplaceTempView("t")
    return spark_session().sql(sql).toArrow()


def by_sluice(path, table):
    return [json.loads(line, parse_float=D, parse_int=D) for line in query(f"SELECT * FROM delta.`{path}`")]


def ask_sluice(path, sql):
    return pa.Table.from_pylist([json.loads(line) for line in query(sql.replace("FROM t", f"FROM delta.`{path}`"))])


def query(sql):
    return subprocess.run([os.environ["SLUICE"], "query", "-o", "json", sql], check=True, stdout=subprocess.PIPE).stdout.decode().splitlines()


SQL_TYPES = {"string": "VARCHAR", "date": "DATE", "timestamp": "TIMESTAMPTZ", "timestamp_ntz": "TIMESTAMP", "boolean": "BOOLEAN", "long": "BIGINT",
             "integer": "INTEGER", "short": "SMALLINT", "byte": "TINYINT", "float": "FLOAT", "double": "DOUBLE"}


class State:
    """What the actions of a log leave."""

    def __init__(self):
        self.files, self.txns, self.metadata, self.protocol = {}, {}, None, None

    def apply(self, kind, action):
        if kind == "add":
            self.files[action["path"]] = {"partitionValues": dict(action["partitionValues"]), "stats": action["stats"], "size": action["size"]}
        elif kind == "remove":
            self.files.pop(action["path"], None)
        elif kind == "txn":
            self.txns[action["appId"]] = action["version"]
        elif kind == "metaData":
            self.metadata = {k: action[k] for k in ("id", "schemaString", "partitionColumns")}
        elif kind == "protocol":
            self.protocol = {k: v for k, v in action.items() if v is not None}

    def read_commits(self, path, first):
        commits = sorted(c for c in glob.glob(glob.escape(path) + "/_delta_log/*.json") if int(os.path.basename(c)[:20]) >= first)
        numbers = [int(os.path.basename(c)[:20]) for c in commits]
        assert numbers == list(range(first, first + len(numbers))), "a version is missing"
        for commit in commits:
            with open(commit, encoding="utf-8") as lines:
                for line in lines:
                    for kind, action in json.loads(line).items():
                        self.apply(kind, action)
        return first + len(numbers)


def log_state(con, path):
    """From all commits, and from the newest checkpoint on: which must be the same."""
    whole, short = State(), State()
    versions = whole.read_commits(path, 0)
    checkpoints = sorted(glob.glob(glob.escape(path) + "/_delta_log/*.checkpoint.parquet"))
    if checkpoints:
        for row in arrow_of(con.execute("SELECT * FROM read_parquet(?)", [checkpoints[-1]])).to_pylist():
            for kind, action in row.items():
                if action is not None:
                    short.apply(kind, action)
        last = int(os.path.basename(checkpoints[-1])[:20])
        assert short.read_commits(path, last + 1) == versions
        assert vars(whole) == vars(short), "checkpoint and commits differ"
    return whole, versions, len(checkpoints)


def duckdb_extension(con):
    try:
        con.execute("LOAD delta")
        return True
    except duckdb.Error:
        try:
            con.execute("INSTALL delta; LOAD delta")
            return True
        except duckdb.Error as error:
            duckdb_extension.why = str(error).split("\n", 1)[0]
            return False


def by_duckdb(path, table):
    con = duckdb.connect()
    con.execute("SET TimeZone='UTC'")
    state, versions, checkpoints = log_state(con, path)
    if versions < table.versions:
        raise AssertionError(f"{versions} versions, {table.versions} wanted")
    if table.versions:
        print(f"    {versions} versions, {checkpoints} checkpoints, {len(state.files)} files")
    if duckdb_extension(con):
        return rows_of(arrow_of(con.execute("SELECT * FROM delta_scan(?)", [path])))
    types = {f["name"]: f["type"] for f in json.loads(state.metadata["schemaString"])["fields"]}
    rows = []
    for name, add in state.files.items():
        casts = []
        for column in state.metadata["partitionColumns"]:
            value = add["partitionValues"][column]
            literal = "NULL" if value is None else "'" + value.replace("'", "''") + "'"
            casts.append(f'CAST({literal} AS {SQL_TYPES.get(types[column], types[column])}) AS "{column}"')
        plain = os.path.join(os.environ["TMPDIR"], "one.parquet")  # DuckDB takes *, ? and [ of a name as a pattern
        shutil.copyfile(os.path.join(path, unquote(name)), plain)
        found = rows_of(arrow_of(con.execute(f"SELECT {', '.join(['*'] + casts)} FROM read_parquet('{plain}', hive_partitioning=false)")))
        assert len(found) == json.loads(add["stats"])["numRecords"], "numRecords"
        rows += [{column: row.get(column) for column in types} for row in found]
    return rows


# ---- comparing ----------------------------------------------------------------------------------------------------------------------------------

def civil(days):
    """Days since 1970-01-01 → year, month, day, of any year."""
    days += 719468
    era, of_era = divmod(days, 146097)
    y = (of_era - of_era // 1460 + of_era // 36524 - of_era // 146096) // 365
    of_year = of_era - (365 * y + y // 4 - y // 100)
    m = (5 * of_year + 2) // 153
    month = m + 3 if m < 10 else m - 9
    return y + era * 400 + (month <= 2), month, of_year - (153 * m + 2) // 5 + 1


def iso(us, zone):
    days, rest = divmod(us, DAY_US)
    seconds, micros = divmod(rest, 1000000)
    return f"{iso_day(days)}T{seconds // 3600:02}:{seconds // 60 % 60:02}:{seconds % 60:02}.{micros:06}{zone}"


def iso_day(days):
    y, m, d = civil(days)
    return f"{'+' if y > 9999 else ''}{y:04}-{m:02}-{d:02}"


def key_text(k):
    return iso_day(k) if isinstance(k, Date) else str(k)


def same_number(want, have):
    if math.isnan(want):
        return math.isnan(have)
    return want == have and math.copysign(1, want) == math.copysign(1, have)


def same_json(want, have):
    """have: a JSON value, numbers as Decimal."""
    if isinstance(want, bool) or want is None:
        return want is have
    if isinstance(want, float):
        if not math.isfinite(want):
            return have == {"nan": "NaN", "inf": "Infinity", "-inf": "-Infinity"}[str(float(want))]
        number = float(have)
        return same_number(want, struct.unpack("f", struct.pack("f", number))[0] if isinstance(want, Float) else number)
    if isinstance(want, Date):
        return have == iso_day(want)
    if isinstance(want, Instant):
        return have == iso(want, "Z")
    if isinstance(want, Local):
        return have == iso(want, "")
    if isinstance(want, bytes):
        return have == base64.b64encode(want).decode()
    if isinstance(want, Map):
        return isinstance(have, dict) and [key_text(k) for k, _ in want] == list(have) and all(same_json(v, have[key_text(k)]) for k, v in want)
    return same(want, have, same_json)


def same(want, have, inner=None):
    inner = inner or same
    if want is None or have is None:
        return want is None and have is None
    if isinstance(want, Map):
        return isinstance(have, Map) and len(want) == len(have) and all(
            any(same(k, hk) and same(v, hv) for hk, hv in have) for k, v in want)
    if isinstance(want, dict):  # what came later is NULL
        return isinstance(have, dict) and all(have[k] is None for k in have if k not in want) and all(
            inner(v, have.get(k)) for k, v in want.items())
    if isinstance(want, list):
        return isinstance(have, list) and len(want) == len(have) and all(map(inner, want, have))
    if isinstance(want, float):
        return isinstance(have, float) and isinstance(want, Float) == isinstance(have, Float) and same_number(want, have)
    if isinstance(want, (Date, Instant, Local)):
        return type(want) is type(have) and want == have
    return want == have and isinstance(want, bool) == isinstance(have, bool)


def check(reader, name, table, rows, equal):
    wrong = 0
    if sorted(r["n"] for r in rows) != list(range(table.rows)):
        print(f"{reader}: {name}: {len(rows)} rows, {len({r['n'] for r in rows})} different ones, {table.rows} expected")
        wrong += 1
    columns = {c[0] for phase, _ in table.phases for c in phase}
    for row in rows:
        want = table.expect(int(row["n"]))
        if set(row) != columns:
            print(f"{reader}: {name}: columns {sorted(set(row) ^ columns)} are too many or missing")
            return wrong + 1
        for column in columns:
            if not equal(want.get(column), row[column]):
                if wrong < 5:
                    print(f"{reader}: {name}: row {row['n']}: {column} is {row[column]!r}, not {want.get(column)!r}")
                wrong += 1
    return wrong


def check_filters(reader, ask, path, table):
    rows, wrong = [table.expect(n) for n in range(table.rows)], 0
    for condition, keep in FILTERS:
        want, have = sum(map(keep, rows)), ask(path, f"SELECT count(*) AS c FROM t WHERE {condition}").column("c")[0].as_py()
        if want != have:
            print(f"{reader}: {os.path.basename(path)}: {have} rows where {condition}, not {want}")
            wrong += 1
    return wrong


def main():
    folder, wrong = os.path.abspath(sys.argv[1]), 0
    tables = {name: TABLES[name] for name in sys.argv[2:] or TABLES}
    for name, table in tables.items():
        write(folder, name, table)
    readers = {"delta-rs": by_delta_rs, "DuckDB": by_duckdb, "sluice": by_sluice, "Spark": by_spark}
    asks = {"delta-rs": ask_delta_rs, "sluice": ask_sluice, "Spark": ask_spark}
    if not os.environ.get("DELTA_JARS"):
        print(f"Spark: NOT asked: {os.environ.get('NO_SPARK', 'DELTA_JARS names no folder')}")
        del readers["Spark"]
    for reader, read in readers.items():
        for name, table in tables.items():
            if reader in table.cannot:
                print(f"{reader}: {name}: NOT asked: {table.cannot[reader]}")
                continue
            rows = read(os.path.join(folder, "lake", name), table)
            bad = check(reader, name, table, rows, same_json if reader == "sluice" else same)
            if name == "commits" and reader in asks:
                bad += check_filters(reader, asks[reader], os.path.join(folder, "lake", name), table)
            wrong += bad
            print(f"{reader}: {name}: {len(rows)} rows, {'equal' if bad == 0 else f'{bad} wrong values'}", flush=True)
    if hasattr(duckdb_extension, "why"):
        print(f"DuckDB: without its delta extension ({duckdb_extension.why})")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
