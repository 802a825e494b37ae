"""Container files of random schemas and rows by fastavro; what avro_test.c writes of them must be the same to fastavro, and to Avro's C library and avsc
where they are.

usage: avro_peers.py PROGRAM FOLDER [NODE_MODULE_AVSC]
"""
import ctypes
import ctypes.util
import datetime
import decimal
import io
import json
import random
import subprocess
import sys
import uuid

import fastavro

PROGRAM, FOLDER, AVSC = (sys.argv + [None])[1:4]
SEEDS, ROWS = 60, 40
UTC = datetime.timezone.utc
LOGICAL = [
    ("int", {"logicalType": "date"}), ("int", {"logicalType": "time-millis"}), ("long", {"logicalType": "time-micros"}),
    ("long", {"logicalType": "timestamp-millis"}), ("long", {"logicalType": "timestamp-micros"}),
    ("long", {"logicalType": "local-timestamp-millis"}), ("long", {"logicalType": "local-timestamp-micros"}),
    ("bytes", {"logicalType": "decimal", "precision": 12, "scale": 3}), ("string", {"logicalType": "uuid"}),
]


class Maker:
    def __init__(self, rng):
        self.rng, self.names = rng, 0

    def name(self):
        self.names += 1
        return f"N{self.names}"

    def record(self, depth):
        fields = [{"name": f"f{i}", "type": self.type(depth - 1)} for i in range(self.rng.randint(0 if depth < 4 else 1, 6))]
        return {"type": "record", "name": self.name(), "fields": fields}

    def type(self, depth, in_union=False):
        kind = self.rng.randint(0, 9 if depth > 0 else 5)
        if kind <= 2:
            return self.rng.choice(["boolean", "int", "long", "float", "double", "bytes", "string"])
        if kind == 3:
            base, more = self.rng.choice(LOGICAL)
            return {"type": base, **more}
        if kind == 4:
            return {"type": "enum", "name": self.name(), "symbols": ["A", "B", "LONGER_THAN_A_VIEW"]}
        if kind == 5:
            size = self.rng.randint(1, 20)
            return {"type": "fixed", "name": self.name(), "size": size}
        if kind == 6:
            return {"type": "array", "items": self.type(depth - 1)}
        if kind == 7:
            return {"type": "map", "values": self.type(depth - 1)}
        if kind == 8 or in_union:
            return self.record(depth)
        return self.rng.choice([
            lambda: ["null", self.type(depth - 1, True)], lambda: [self.type(depth - 1, True), "null"],
            lambda: ["null", "string", "long", "boolean"], lambda: ["string", self.record(depth - 1)],
        ])()

    def value(self, t):
        rng = self.rng
        if isinstance(t, list):
            return self.value(rng.choice(t))
        kind = t if isinstance(t, str) else t["type"]
        logical = None if isinstance(t, str) else t.get("logicalType")
        epoch = datetime.datetime(1970, 1, 1)
        if logical == "date":
            return datetime.date(rng.randint(1, 9999), rng.randint(1, 12), rng.randint(1, 28))
        if logical == "decimal":
            return decimal.Decimal(rng.randint(-10**12 + 1, 10**12 - 1)).scaleb(-3)
        if logical == "uuid":
            return uuid.UUID(int=rng.getrandbits(128))
        if logical in ("time-millis", "time-micros"):
            return datetime.time(rng.randint(0, 23), rng.randint(0, 59), rng.randint(0, 59), rng.randint(0, 999) * 1000)
        if logical:
            at = epoch + datetime.timedelta(milliseconds=rng.randint(-10**13, 10**14))
            return at if logical.startswith("local") else at.replace(tzinfo=UTC)
        if kind == "null":
            return None
        if kind == "boolean":
            return rng.random() < 0.5
        if kind in ("int", "long"):
            bits = rng.randint(1, 31 if kind == "int" else 63)
            return rng.choice([rng.getrandbits(bits), -rng.getrandbits(bits), 2**bits - 1, -2**bits])
        if kind in ("float", "double"):
            return rng.choice([0.0, 1.5, -2.25, float("inf"), rng.randint(-2**20, 2**20) / 64])
        if kind == "bytes":
            return rng.randbytes(rng.randint(0, 40))
        if kind == "string":
            return "".join(rng.choice("abcxyz äß€𝄞") for _ in range(rng.randint(0, 40)))
        if kind == "fixed":
            return rng.randbytes(t["size"])
        if kind == "enum":
            return rng.choice(t["symbols"])
        if kind == "array":
            return [self.value(t["items"]) for _ in range(rng.randint(0, 4))]
        if kind == "map":
            return {f"k{i}" * rng.randint(1, 8): self.value(t["values"]) for i in range(rng.randint(0, 4))}
        return {f["name"]: self.value(f["type"]) for f in t["fields"]}


class Libavro:
    """Reads a record into Avro's generic value, and writes it again."""

    class Value(ctypes.Structure):
        _fields_ = [("iface", ctypes.c_void_p), ("self", ctypes.c_void_p)]

    def __init__(self, name):
        self.lib = ctypes.CDLL(name)
        for function in ("avro_generic_class_from_schema", "avro_reader_memory", "avro_writer_memory"):
            getattr(self.lib, function).restype = ctypes.c_void_p
        self.lib.avro_writer_tell.restype = ctypes.c_int64
        self.lib.avro_strerror.restype = ctypes.c_char_p

    def do(self, status):
        if status != 0:
            sys.exit(f"libavro: {self.lib.avro_strerror().decode()}")

    def same(self, schema, records):
        lib, text, value, parsed = self.lib, schema.encode(), self.Value(), ctypes.c_void_p()
        self.do(lib.avro_schema_from_json_length(text, ctypes.c_size_t(len(text)), ctypes.byref(parsed)))
        iface = ctypes.c_void_p(lib.avro_generic_class_from_schema(parsed))
        self.do(lib.avro_generic_value_new(iface, ctypes.byref(value)))
        for record in records:
            out = ctypes.create_string_buffer(len(record) + 1)
            reader = ctypes.c_void_p(lib.avro_reader_memory(record, ctypes.c_int64(len(record))))
            writer = ctypes.c_void_p(lib.avro_writer_memory(out, ctypes.c_int64(len(record) + 1)))
            self.do(lib.avro_value_read(reader, ctypes.byref(value)))
            self.do(lib.avro_value_write(writer, ctypes.byref(value)))
            got = out.raw[:lib.avro_writer_tell(writer)]
            lib.avro_reader_free(reader)
            lib.avro_writer_free(writer)
            if got != record:
                sys.exit(f"libavro: {got.hex()} is not {record.hex()}\n{schema}")
        lib.avro_value_decref(ctypes.byref(value))
        lib.avro_schema_decref(parsed)


def check(seed):
    rng = random.Random(seed)
    maker = Maker(rng)
    schema = maker.record(4)
    rows = [maker.value(schema) for _ in range(ROWS)]
    parsed = fastavro.parse_schema(json.loads(json.dumps(schema)))
    path, text = f"{FOLDER}/rows.avro", f"{FOLDER}/schema.avsc"
    with open(path, "wb") as out:
        fastavro.writer(out, parsed, rows, codec=rng.choice(["null", "deflate", "snappy"]), sync_interval=rng.choice([100, 16000]))
    with open(text, "w") as out:
        json.dump(schema, out)
    with open(path, "rb") as file:
        wanted = list(fastavro.reader(file))
    run = subprocess.run([PROGRAM, path, text], capture_output=True, text=True)
    if run.returncode != 0:
        sys.exit(f"seed {seed}: {run.stderr}\n{json.dumps(schema)}")
    lines = run.stdout.split("\n")[:-1]
    if len(lines) != len(wanted):
        sys.exit(f"seed {seed}: {len(lines)} rows, not {len(wanted)}\n{json.dumps(schema)}")
    for line, row in zip(lines, wanted):
        file = io.BytesIO(bytes.fromhex(line))
        got = fastavro.schemaless_reader(file, parsed)
        if got != row or file.read(1):
            sys.exit(f"seed {seed}: {got}\nis not {row}\n{json.dumps(schema)}")


    return json.dumps(schema), lines


texts = [check(number) for number in range(SEEDS)]
print(f"fastavro {fastavro.__version__}: {SEEDS} schemas, {ROWS} rows each")
name = ctypes.util.find_library("avro")
if name:
    libavro = Libavro(name)
    for text, lines in texts:
        libavro.same(text, [bytes.fromhex(line) for line in lines])
print(f"libavro: {SEEDS} schemas, {ROWS} rows each" if name else "libavro is not here (Debian: libavro23)")
if AVSC:
    given = "".join(json.dumps({"schema": json.loads(text), "rows": lines}) + "\n" for text, lines in texts)
    subprocess.run(["node", f"{sys.path[0]}/avro_peers.js", AVSC], input=given, text=True, check=True)
else:
    print("avsc is not here (it wants node and npm)")
