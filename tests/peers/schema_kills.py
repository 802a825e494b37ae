"""Producers change their schema while streams run, and the program is killed meanwhile.

    producers   one for each format, with Confluent's serialisers: version 1, then 2, then both by turns, then 3; each record has a number
    streams     SELECT * of each topic into SQLite, into a Delta table that may be widened, and into one that may not
    driver      kills the program with -9, starts it again, and in the end looks into every table

Every number is in every table once, with the columns that its version has and NULL in the others. A table that may not be widened stops alone at the
first record that it cannot take; `table rewrite` makes it wider, and it has all the rest, too.

    schema_kills.py --sluice build/release/sluice --folder /tmp/x [--kills 6] [--seed 1] [--records 3000]
"""
import argparse, json, os, random, socket, sqlite3, subprocess, sys, threading, time

from confluent_kafka import Producer
from confluent_kafka.schema_registry import SchemaRegistryClient
from confluent_kafka.schema_registry.avro import AvroSerializer
from confluent_kafka.schema_registry.json_schema import JSONSerializer
from confluent_kafka.schema_registry.protobuf import ProtobufSerializer
from confluent_kafka.serialization import MessageField, SerializationContext
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

FORMATS = ["avro", "protobuf", "json"]
COLUMNS = ["seq", "k", "f", "old", "fresh", "more"]


def record(n, version):
    """f is exact as FLOAT, so that it is the same when it is wider."""
    r = {"seq": n, "k": n % 1000 if version == 1 else n + (1 << 40), "f": n % 512 + 0.5}
    if version == 1:
        r["old"] = f"old {n}"
    if version >= 2:
        r["fresh"] = f"fresh {n}"
    if version >= 3:
        r["more"] = {"a": n, "b": [n, n + 1]}
    return r


# ---- serialisers ----------------------------------------------------------------------------------------------------------------------


def avro(client, version):
    fields = [{"name": "seq", "type": "long"}, {"name": "k", "type": "int" if version == 1 else "long"},
              {"name": "f", "type": "float" if version == 1 else "double"}]
    if version == 1:
        fields += [{"name": "old", "type": "string", "default": ""}]
    if version >= 2:
        fields += [{"name": "fresh", "type": ["null", "string"], "default": None}]
    if version >= 3:
        more = {"type": "record", "name": "More", "fields": [{"name": "a", "type": "long"}, {"name": "b", "type": {"type": "array", "items": "long"}}]}
        fields += [{"name": "more", "type": ["null", more], "default": None}]
    serialise = AvroSerializer(client, json.dumps({"type": "record", "name": "Event", "fields": fields}))
    return lambda n, context: serialise(record(n, version), context)


def json_schema(client, version):
    """Closed, or a new property would be no compatible change; so what is gone from the records stays in the schema."""
    properties = {"seq": {"type": "integer"}, "k": {"type": "integer"}, "f": {"type": "number"}, "old": {"type": "string"}}
    if version >= 2:
        properties["fresh"] = {"type": "string"}
    if version >= 3:
        properties["more"] = {"type": "object", "properties": {"a": {"type": "integer"}, "b": {"type": "array", "items": {"type": "integer"}}}}
    schema = {"type": "object", "title": "Event", "additionalProperties": False, "properties": properties}
    serialise = JSONSerializer(json.dumps(schema), client)
    return lambda n, context: serialise(record(n, version), context)


def protobuf(client, version):
    kind = descriptor_pb2.FieldDescriptorProto
    file = descriptor_pb2.FileDescriptorProto(name="event.proto", syntax="proto3")
    message = file.message_type.add(name="Event")

    def field(to, name, number, type, **more):
        to.field.add(name=name, number=number, type=type, label=more.pop("label", kind.LABEL_OPTIONAL), **more)

    field(message, "seq", 1, kind.TYPE_INT64)
    field(message, "k", 2, kind.TYPE_INT32 if version == 1 else kind.TYPE_INT64)
    field(message, "f", 3, kind.TYPE_FLOAT)
    if version == 1:
        field(message, "old", 4, kind.TYPE_STRING)
    if version >= 2:
        field(message, "fresh", 5, kind.TYPE_STRING)
    if version >= 3:
        more = file.message_type.add(name="More")
        field(more, "a", 1, kind.TYPE_INT64)
        field(more, "b", 2, kind.TYPE_INT64, label=kind.LABEL_REPEATED)
        field(message, "more", 6, kind.TYPE_MESSAGE, type_name=".More")
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    made = message_factory.GetMessageClass(pool.FindMessageTypeByName("Event"))
    serialise = ProtobufSerializer(made, client, {"use.deprecated.format": False})
    return lambda n, context: serialise(made(**record(n, version)), context)


SERIALISERS = {"avro": avro, "protobuf": protobuf, "json": json_schema}


def version_of(n, records):
    """1, then 2, then both by turns, then 3, in quarters."""
    quarter = 4 * n // records
    return (1, 2, 1 + n % 2, 3)[quarter]


class Feed(threading.Thread):
    def __init__(self, world, kind):
        super().__init__(daemon=True)
        self.world, self.kind, self.error = world, kind, None

    def run(self):
        try:
            self.feed()
        except BaseException as e:
            self.error = e

    def feed(self):
        world = self.world
        client = SchemaRegistryClient({"url": f"http://127.0.0.1:{world.ports[1]}"})
        producer = Producer({"bootstrap.servers": f"127.0.0.1:{world.ports[0]}", "enable.idempotence": True, "linger.ms": 5,
                             "message.timeout.ms": 0, "log_level": 0, "socket.timeout.ms": 10000, "reconnect.backoff.max.ms": 500,
                             "metadata.recovery.strategy": "none"})
        context = SerializationContext(self.kind, MessageField.VALUE)
        made, failed = {}, []
        for n in range(world.args.records):
            version = version_of(n, world.args.records)
            if version not in made:
                made[version] = SERIALISERS[self.kind](client, version)
            while True:
                try:
                    value = made[version](n, context)
                    break
                except Exception as e:  # the registry is down: it was killed
                    if "onnect" not in str(e) and "isconnected" not in str(e) and "eset" not in str(e):
                        raise
                    time.sleep(0.1)
            producer.produce(self.kind, value=value, partition=n % 2, on_delivery=lambda err, _: err and failed.append(err))
            producer.poll(0)
            if n % 50 == 0:
                time.sleep(world.args.seconds * 50 / world.args.records)
        if producer.flush(120) or failed:
            raise RuntimeError(f"{self.kind}: not all was delivered: {failed[:3]}")


# ---- the program -----------------------------------------------------------------------------------------------------------------------


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


class World:
    def __init__(self, args):
        self.args, self.process, self.ports = args, None, [free_port(), free_port()]
        os.makedirs(args.folder, exist_ok=True)
        names = {"avro": "avro", "protobuf": "protobuf", "json": "json_schema"}
        with open(f"{args.folder}/sluice.yaml", "w") as f:
            f.write("name: versions\nsettings:\n  listen:\n    http: off\n")
            f.write(f"    kafka: 127.0.0.1:{self.ports[0]}\n    registry: 127.0.0.1:{self.ports[1]}\n")
            f.write("connections: { serving: 'sqlite:s.db', lake: 'file:lake' }\ntopics:\n")
            for kind in FORMATS:
                f.write(f"  {kind}: {{ format: {names[kind]}, partitions: 2 }}\n")
            f.write("streams:\n")
            for kind in FORMATS:
                f.write(f"  s_{kind}:\n    sql: SELECT * FROM STREAM {kind}\n    to:\n      - {{ table: serving.{kind} }}\n")
                f.write(f"      - {{ table: lake.{kind}, cadence: 200ms, type_widening: true }}\n")
                f.write(f"      - {{ table: lake.narrow_{kind}, cadence: 200ms }}\n")
        self.log = open(f"{args.folder}/log", "a")

    def start(self):
        self.process = subprocess.Popen([self.args.sluice, "up", self.args.folder], stdout=self.log, stderr=self.log, stdin=subprocess.DEVNULL)

    def kill(self):
        if self.process.poll() is not None:
            raise SystemExit(f"FAILED: the program ended by itself with status {self.process.returncode}; see {self.args.folder}/log")
        self.process.kill()
        self.process.wait()

    def run(self, *arguments):
        done = subprocess.run([self.args.sluice, *arguments], capture_output=True, text=True)
        return done.returncode, done.stdout, done.stderr

    def lake(self, table):
        status, out, err = self.run("query", self.args.folder, f"SELECT * FROM lake.{table}", "-o", "json")
        return [json.loads(line) for line in out.splitlines()] if status == 0 else []

    def serving(self, table):
        try:
            db = sqlite3.connect(f"file:{self.args.folder}/s.db?mode=ro", uri=True, timeout=10)
            names = [r[1] for r in db.execute(f"PRAGMA table_info({table})")]
            rows = [dict(zip(names, r)) for r in db.execute(f"SELECT * FROM {table}")]
            db.close()
        except sqlite3.OperationalError:
            return []
        for row in rows:
            if row.get("more") is not None:
                row["more"] = json.loads(row["more"])
        return rows


def wanted(n, records):
    version = version_of(n, records)
    row = record(n, version)
    for column in COLUMNS:
        row.setdefault(column, None)
    return row


def judge(what, rows, records):
    """Returns how many faults there are; prints the first."""
    seen, faults = {}, []
    for row in rows:
        n = row["seq"]
        seen[n] = seen.get(n, 0) + 1
        if row != wanted(n, records):
            faults.append(f"{n} is {row}, not {wanted(n, records)}")
    faults += [f"{n} is there {count} times" for n, count in seen.items() if count > 1]
    faults += [f"{n} is not there" for n in range(records) if n not in seen]
    for fault in faults[:3]:
        print(f"FAILED: {what}: {fault}")
    return len(faults)


def wait_for(rows, count, seconds):
    end = time.time() + seconds
    while len(found := rows()) < count and time.time() < end:
        time.sleep(0.3)
    return found


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--sluice", required=True)
    parser.add_argument("--folder", required=True)
    parser.add_argument("--kills", type=int, default=6)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--records", type=int, default=3000)
    parser.add_argument("--seconds", type=float, default=12)
    world = World(parser.parse_args())
    args = world.args
    random.seed(args.seed)
    world.start()
    feeds = [Feed(world, kind) for kind in FORMATS]
    for feed in feeds:
        feed.start()
    for _ in range(args.kills):
        time.sleep(random.uniform(0.3, 2 * args.seconds / (args.kills + 1) - 0.3))
        world.kill()
        world.start()
    for feed in feeds:
        feed.join(120)
        if feed.is_alive() or feed.error:
            raise SystemExit(f"FAILED: the producer of {feed.kind}: {feed.error or 'does not end'}")
    faults = 0
    for kind in FORMATS:
        faults += judge(f"SQLite, {kind}", wait_for(lambda: world.serving(kind), args.records, 60), args.records)
        faults += judge(f"Delta, {kind}", wait_for(lambda: world.lake(kind), args.records, 60), args.records)
    for kind in FORMATS:  # what could not become wider stopped alone, with what it had; rewritten, it has the rest
        table = f"narrow_{kind}"
        before = world.lake(table)
        if kind != "json" and len(before) >= args.records:
            print(f"FAILED: {table} became wider by itself")
            faults += 1
        status, out, err = world.run("table", "rewrite", f"lake.{table}", args.folder)
        if status != 0:
            print(f"FAILED: table rewrite lake.{table}: {err}")
            faults += 1
        faults += judge(table, wait_for(lambda: world.lake(table), args.records, 30 if status == 0 else 0), args.records)
    world.process.terminate()
    world.process.wait(30)
    print(f"{args.records} records of each of {len(FORMATS)} formats, {args.kills} kills: {faults} faults")
    sys.exit(1 if faults else 0)


if __name__ == "__main__":
    main()
