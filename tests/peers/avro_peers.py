"""Container files of random schemas and rows by fastavro; what avro_test.c writes of them must be the same to fastavro.

usage: avro_peers.py PROGRAM FOLDER
"""
import datetime
import decimal
import io
import json
import random
import subprocess
import sys
import uuid

import fastavro

PROGRAM, FOLDER = sys.argv[1:]
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


for number in range(SEEDS):
    check(number)
print(f"fastavro {fastavro.__version__}: {SEEDS} schemas, {ROWS} rows each")
