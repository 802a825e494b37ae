"""Real clients' histories over kill -9 of the broker, and of the clients.

    producers   librdkafka, idempotent: what they send to topic `in` arrives once and in order, whatever dies
    copiers     librdkafka, transactions, static members with 6 s sessions: in → out, partition by partition; some transactions
                are aborted on purpose, and what those wrote says so
                with --java also Java's client, in groups and to topics of its own
    readers     librdkafka in both group protocols, and kafka-python: what they are given
    writer      kafka-python, acks=all, not idempotent: what was acknowledged is there
    watcher     reads `out` from its beginning, committed records only, all the time: no record of an aborted transaction

Workers are processes of their own; what they saw is in their files, line by line, written before they go on. kafka_kills.py alone is the
driver: it starts broker and workers, kills, stops (SIGSTOP) and starts again, and judges the files in the end.

    kafka_kills.py --sluice build/release/sluice --folder /tmp/x [--kills 50] [--seed 1] [--port N] [--fill --data /small/fs/data]

What a worker that does not get on waits for stands in its .err file; with --debug eos,cgrp,protocol also what librdkafka did.
"""
import argparse, collections, faulthandler, json, os, random, signal, socket, subprocess, sys, time

PARTITIONS = 4
LONG_LIFE_S = 70  # now and then: each start of the broker begins sessions anew, and the new protocol's last 45 s
ENDING = False

# With the only broker down librdkafka 2.16 would begin anew from its bootstrap list, and then keep the broker handle that it gave up in
# its cache of group coordinators: TxnOffsetCommit waits there for ever.
CLIENT = {"log_level": 4, "reconnect.backoff.max.ms": 500, "metadata.recovery.strategy": "none"}


def targets(java):
    return ["out-classic", "out-consumer"] + (["out-java-classic", "out-java-consumer"] if java else [])


def on_term(*_):
    global ENDING
    ENDING = True


class Out:
    def __init__(self, path):
        self.file = open(path, "a", buffering=1)

    def say(self, **what):
        self.file.write(json.dumps({"at": round(time.time(), 2), **what}) + "\n")


# ---- workers ---------------------------------------------------------------------------------------------------------------------


def produce(bootstrap, name, out):
    """Values <name>-<n>, to partition n % PARTITIONS."""
    from confluent_kafka import Producer

    producer = Producer({**CLIENT, "bootstrap.servers": bootstrap, "enable.idempotence": True, "linger.ms": 2,
                         "message.timeout.ms": 0, "client.id": name, "socket.timeout.ms": 10000,
                         "compression.type": random.choice(["none", "lz4", "zstd", "snappy", "gzip"])})

    def done(err, msg):
        if err:
            out.say(error=str(err), value=msg.value().decode())
        else:
            out.say(acked=msg.value().decode(), partition=msg.partition(), offset=msg.offset())

    n = 0
    while not ENDING:
        try:
            producer.produce("in", value=f"{name}-{n}".encode(), key=name.encode(), partition=n % PARTITIONS, on_delivery=done)
            n += 1
        except BufferError:
            producer.poll(0.1)
            continue
        producer.poll(0)
        if n % 20 == 0:
            time.sleep(0.03)
    out.say(left=producer.flush(60), sent=n)


def copy(bootstrap, name, out):
    from confluent_kafka import Consumer, KafkaError, KafkaException, Producer, TopicPartition

    protocol = "consumer" if name.endswith("new") else "classic"
    group = "copiers-" + protocol
    target = "out-" + protocol

    dead = []

    def on_error(error):  # one that poll() gives has the code alone
        if error.fatal() or error.code() == KafkaError._FATAL:
            dead.append(str(error))

    def consumer():
        dead.clear()
        conf = {**CLIENT, "bootstrap.servers": bootstrap, "group.id": group, "group.instance.id": name, "isolation.level": "read_committed",
                "enable.auto.commit": False, "auto.offset.reset": "earliest", "client.id": name, "group.protocol": protocol,
                "error_cb": on_error}
        if protocol == "classic":
            conf.update({"session.timeout.ms": 6000, "heartbeat.interval.ms": 1000})
        c = Consumer(conf)
        c.subscribe(["in"], on_assign=lambda c, p: out.say(assigned=[x.partition for x in p]))
        return c

    def producer():
        p = Producer({**CLIENT, "bootstrap.servers": bootstrap, "transactional.id": name, "transaction.timeout.ms": 60000, "client.id": name,
                      "linger.ms": 1})
        p.init_transactions(60)
        return p

    def rewind(c):
        places = c.committed(c.assignment(), 30)
        for place in places:
            c.seek(TopicPartition(place.topic, place.partition, place.offset if place.offset >= 0 else -2))

    def take():  # one by one: consume() does not tell of fatal errors
        records, r = [], c.poll(0.5)
        while r is not None and len(records) < 200:
            if r.error():
                on_error(r.error())
            else:
                records.append(r)
            r = c.poll(0) if len(records) < 200 else None
        return records

    c, p = consumer(), None
    while not ENDING:
        try:
            if p is None:
                p = producer()
            records = take()
            if dead:  # fenced, or its former life has the instance id still: begins anew
                out.say(trouble=dead[0], consumer=True)
                c.close()
                time.sleep(1)
                c = consumer()
                continue
            if not records:
                continue
            abort = random.random() < 0.1
            p.begin_transaction()
            for r in records:
                p.produce(target, value=(b"ABORTED " if abort else b"") + r.value(), key=r.key(), partition=r.partition())
                p.poll(0)
            if abort:
                p.flush(30)
                p.abort_transaction(30)
                rewind(c)
                continue
            p.send_offsets_to_transaction(c.position(c.assignment()), c.consumer_group_metadata(), 30)
            p.commit_transaction(30)
            out.say(copied=len(records))
        except KafkaException as e:
            error = e.args[0]
            out.say(trouble=str(error), fatal=error.fatal(), abortable=error.txn_requires_abort())
            p = None  # another one with this transactional id ends what this one has begun
            try:
                rewind(c)
            except KafkaException as e2:
                out.say(trouble=str(e2.args[0]), rewind=True)
                c.close()
                c = consumer()
    c.close()


def read(bootstrap, name, out):
    from confluent_kafka import Consumer

    protocol = "consumer" if name.startswith("new") else "classic"
    conf = {**CLIENT, "bootstrap.servers": bootstrap, "group.id": "readers-" + protocol, "auto.offset.reset": "earliest", "client.id": name,
            "group.protocol": protocol, "auto.commit.interval.ms": 500}
    if protocol == "classic":
        conf.update({"session.timeout.ms": 6000, "heartbeat.interval.ms": 1000,
                     "partition.assignment.strategy": "cooperative-sticky"})
    c = Consumer(conf)
    c.subscribe(["in"], on_assign=lambda c, p: out.say(assigned=[x.partition for x in p]))
    while not ENDING:
        for r in c.consume(500, 0.2):
            if r.error():
                out.say(trouble=str(r.error()))
            else:
                out.say(p=r.partition(), o=r.offset(), v=r.value().decode())
    c.close()


def watch(bootstrap, name, out, java):
    from confluent_kafka import Consumer, TopicPartition

    c = Consumer({**CLIENT, "bootstrap.servers": bootstrap, "group.id": "watcher", "isolation.level": "read_committed",
                  "enable.auto.commit": False, "client.id": name})
    c.assign([TopicPartition(t, p, 0) for t in targets(java) for p in range(PARTITIONS)])
    while not ENDING:
        for r in c.consume(500, 0.2):
            if r.error():
                out.say(trouble=str(r.error()))
            else:
                out.say(t=r.topic(), p=r.partition(), o=r.offset(), v=r.value().decode())
    c.close()


def python_write(bootstrap, name, out):
    from kafka import KafkaProducer
    from kafka.errors import KafkaError

    n, producer = 0, None
    while not ENDING:
        try:
            if producer is None:
                producer = KafkaProducer(bootstrap_servers=bootstrap, acks="all", retries=1000, request_timeout_ms=10000,
                                         max_in_flight_requests_per_connection=1, client_id=name)
            futures = [(f"{name}-{i}", producer.send("python", f"{name}-{i}".encode())) for i in range(n, n + 20)]
            n += 20
            for value, future in futures:
                place = future.get(60)
                out.say(acked=value, partition=place.partition, offset=place.offset)
            time.sleep(0.05)
        except KafkaError as e:
            out.say(trouble=repr(e))


def python_read(bootstrap, name, out):
    from kafka import KafkaConsumer
    from kafka.errors import KafkaError

    consumer = None
    while not ENDING:
        try:
            if consumer is None:
                consumer = KafkaConsumer("python", bootstrap_servers=bootstrap, group_id="pythons", auto_offset_reset="earliest",
                                         session_timeout_ms=6000, heartbeat_interval_ms=1000, auto_commit_interval_ms=500)
            for records in consumer.poll(500).values():
                for r in records:
                    out.say(p=r.partition, o=r.offset, v=r.value.decode())
        except KafkaError as e:
            out.say(trouble=repr(e))
            time.sleep(0.2)
    consumer.close()


# ---- the driver ---------------------------------------------------------------------------------------------------------------------

KINDS = {"produce": produce, "copy": copy, "read": read, "watch": watch, "pywrite": python_write, "pyread": python_read}
# name → kind; a producer's name changes with each of its lives, for a new one begins its numbers again
WORKERS = [("prod1", "produce"), ("prod2", "produce"), ("copy1", "copy"), ("copy2", "copy"), ("copy3-new", "copy"),
           ("copy4-new", "copy"), ("old1", "read"), ("old2", "read"), ("new1", "read"), ("new2", "read"), ("watch1", "watch"),
           ("pyw", "pywrite"), ("pyr", "pyread")]
JAVA = [("java1", "java"), ("java2", "java"), ("java3-new", "java"), ("java4-new", "java")]


class World:
    def __init__(self, args):
        self.args, self.lives, self.workers, self.broker = args, collections.Counter(), {}, None
        self.kinds = WORKERS + (JAVA if args.java else [])
        os.makedirs(args.folder, exist_ok=True)
        if args.java:
            source = os.path.join(os.path.dirname(os.path.abspath(__file__)), "KafkaCopy.java")
            subprocess.run(["javac", "-cp", f"{args.java}/*", "-d", args.folder, source], check=True)
        self.log = open(f"{args.folder}/broker.log", "a")
        with open(f"{args.folder}/sluice.yaml", "w") as f:
            f.write(f"name: kills\nsettings:\n  data: {args.data or args.folder + '/data'}\n  listen:\n    kafka: 127.0.0.1:{args.port}\n    http: off\n    registry: off\n")

    def start_broker(self):
        self.broker = subprocess.Popen([self.args.sluice, "up", self.args.folder], stdout=self.log, stderr=self.log)

    def kill_broker(self):
        if self.broker.poll() is not None:
            raise SystemExit(f"FAILED: the broker ended by itself with status {self.broker.returncode}; see broker.log")
        self.broker.kill()
        self.broker.wait()

    def start(self, name, kind):
        self.lives[name] += 1
        known = f"{name}.{self.lives[name]}" if kind in ("produce", "pywrite") else name
        if kind == "java":
            protocol = "consumer" if name.endswith("new") else "classic"
            command = ["java", "-Xmx128M", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-cp", f"{self.args.folder}:{self.args.java}/*",
                       "KafkaCopy", f"127.0.0.1:{self.args.port}", name, protocol, f"copiers-java-{protocol}", f"out-java-{protocol}",
                       f"{self.args.folder}/{name}.jsonl"]
        else:
            command = [sys.executable, __file__, "--worker", kind, "--name", known, "--folder", self.args.folder, "--port",
                       str(self.args.port)]
            if self.args.java and kind == "watch":
                command += ["--java", self.args.java]
            if self.args.debug and kind == "copy":
                command += ["--debug", self.args.debug]
        err = open(f"{self.args.folder}/{name}.err", "a")
        self.workers[name] = kind, subprocess.Popen(command, stdout=err, stderr=err)

    def end(self, names, how=signal.SIGTERM, wait=90):
        for name in names:
            self.workers[name][1].send_signal(signal.SIGCONT)
            self.workers[name][1].send_signal(how)
        for name in names:
            try:
                self.workers[name][1].wait(wait)
            except subprocess.TimeoutExpired:
                print(f"{name} does not end")
                self.workers[name][1].kill()

    def stacks(self):
        for what, process in self.workers.values():
            if what in ("copy", "java"):
                process.send_signal(signal.SIGQUIT)

    def lines(self, kind):
        for name, what in self.kinds:
            if what != kind:
                continue
            for file in sorted(os.listdir(self.args.folder)):
                if file.startswith(name) and file.endswith(".jsonl"):
                    with open(f"{self.args.folder}/{file}") as f:
                        for line in f:
                            if line.endswith("\n"):
                                yield file[:-6], json.loads(line)


def topic_now(bootstrap, topic, partitions, committed=True):
    """All records, by partition: [(offset, value)]."""
    from confluent_kafka import Consumer, TopicPartition

    c = Consumer({**CLIENT, "bootstrap.servers": bootstrap, "group.id": "judge", "enable.partition.eof": True,
                  "isolation.level": "read_committed" if committed else "read_uncommitted"})
    c.assign([TopicPartition(topic, p, 0) for p in range(partitions)])
    found, ended = {p: [] for p in range(partitions)}, set()
    deadline = time.time() + 120
    while len(ended) < partitions and time.time() < deadline:
        for r in c.consume(1000, 0.5):
            if r.error():
                ended.add(r.partition())
            else:
                found[r.partition()].append((r.offset(), r.value().decode()))
    c.close()
    if len(ended) < partitions:
        raise SystemExit(f"FAILED: {topic} cannot be read to its end")
    return found


def wait_while_it_shrinks(left, seconds):
    """Until left() is nothing, or did not get less for so long, however long it takes to look: members that died leave their partitions only
    when their sessions end."""
    least, end = left(), time.time() + seconds
    while least > 0:
        time.sleep(1)
        if (n := left()) < least:
            least, end = n, time.time() + seconds
        elif time.time() > end:
            break
    return least


def wait_for_readers(world, kind, prefix, found, seconds):
    """Until they were given everything."""
    wanted = {(p, o) for p, records in found.items() for o, _ in records}

    def left():
        wanted.difference_update((line["p"], line["o"]) for name, line in world.lines(kind) if "o" in line and name.startswith(prefix))
        return len(wanted)

    wait_while_it_shrinks(left, seconds)


def wait_for_copies(world, bootstrap, wanted, seconds):
    """Looks only at what came since it last looked."""
    from confluent_kafka import Consumer, TopicPartition

    counts = collections.Counter()
    c = Consumer({**CLIENT, "bootstrap.servers": bootstrap, "group.id": "counter", "isolation.level": "read_committed"})
    c.assign([TopicPartition(t, p, 0) for t in targets(world.args.java) for p in range(PARTITIONS)])

    def left():
        until = time.time() + 10
        while time.time() < until and (records := c.consume(10000, 1)):
            counts.update(r.topic() for r in records if not r.error())
        return sum(max(0, wanted - counts[t]) for t in targets(world.args.java))

    behind = wait_while_it_shrinks(left, seconds)
    c.close()
    if behind:
        print(f"copies are {behind} records behind, and get no further in {seconds} s")
        world.stacks()


class Judge:
    def __init__(self):
        self.failures = collections.Counter()

    def fail(self, what, detail):
        self.failures[what] += 1
        if self.failures[what] <= 3:
            print(f"FAILED: {what}: {detail}")

    def producers(self, world, found):
        acked = collections.defaultdict(int)
        errors = 0
        for name, line in world.lines("produce"):
            if "acked" in line:
                at = found[line["partition"]]
                acked[line["acked"]] += 1
            errors += "error" in line
        where = collections.defaultdict(list)
        for p, records in found.items():
            last = {}
            for offset, value in records:
                name, n = value.rsplit("-", 1)
                where[value].append((p, offset))
                if int(n) % PARTITIONS != p:
                    self.fail("wrong partition", value)
                if int(n) != last.get(name, p - PARTITIONS) + PARTITIONS:
                    self.fail("gap, repeat or disorder", f"in-{p} at {offset}: {value} after {last.get(name)}")
                last[name] = int(n)
        for value in acked:
            if value not in where:
                self.fail("lost write", value)
        print(f"producers: {len(acked)} acknowledged, {len(where)} there, {errors} errors")

    def copies(self, wanted, found, topic):
        for p in wanted:
            have, want = [v for _, v in found[p]], [v for _, v in wanted[p]]
            if have == want:
                continue
            at = next((i for i, (a, b) in enumerate(zip(have, want)) if a != b), min(len(have), len(want)))
            counts = collections.Counter(have)
            self.fail("copy differs", f"{topic}-{p} at record {at}: {have[at:at + 2]} instead of {want[at:at + 2]}; {len(have)} of "
                                      f"{len(want)} records, {sum(n - 1 for n in counts.values())} repeated, "
                                      f"{len(set(want) - set(have))} missing")
        print(f"{topic}: {sum(len(v) for v in found.values())} records")

    def readers(self, world, found, kind, prefix):
        truth = {p: dict(records) for p, records in found.items()}
        seen = {p: set() for p in found}
        polls = 0
        last = {}
        for name, line in world.lines(kind):
            if "assigned" in line:
                last = {k: v for k, v in last.items() if k[0] != name or k[1] not in line["assigned"]}
            if "o" not in line or not name.startswith(prefix):
                continue
            p, o = line["p"], line["o"]
            polls += 1
            seen[p].add(o)
            if truth[p].get(o) != line["v"]:
                self.fail("inconsistent offset", f"{name} read {line['v']} at {p}/{o}, where {truth[p].get(o)} is")
            before = last.get((name, p))
            if before is not None and o > before + 1 and any(x in truth[p] for x in range(before + 1, o)):
                self.fail("skipped poll", f"{name}: partition {p}, {before} then {o}")
            last[name, p] = o
        for p in truth:
            missed = set(truth[p]) - seen[p]
            if missed:
                self.fail("not delivered", f"group of {prefix}: partition {p}, {len(missed)} records, the first at {min(missed)}")
        print(f"readers {prefix}: {polls} records read of {sum(len(t) for t in truth.values())}")

    def watchers(self, world, found):
        n = 0
        for name, line in world.lines("watch"):
            if "o" not in line:
                continue
            n += 1
            if line["v"].startswith("ABORTED"):
                self.fail("aborted read", line)
            elif found[line["t"]][line["p"]].get(line["o"]) != line["v"]:
                self.fail("dirty read", line)
        print(f"watcher: {n} records")

    def python(self, world, found):
        truth = {p: dict(records) for p, records in found.items()}
        n = 0
        for name, line in world.lines("pywrite"):
            if "acked" in line:
                n += 1
                if truth[line["partition"]].get(line["offset"]) != line["acked"]:
                    self.fail("lost write (kafka-python)", line)
        print(f"kafka-python: {n} acknowledged, {sum(len(t) for t in truth.values())} there")


def create_topics(bootstrap, java):
    from confluent_kafka.admin import AdminClient, NewTopic

    admin = AdminClient({"bootstrap.servers": bootstrap, "log_level": 0})
    topics = [NewTopic(t, PARTITIONS, 1) for t in ["in"] + targets(java)] + [NewTopic("python", 2, 1)]
    for future in admin.create_topics(topics).values():
        future.result(30)


def fill(folder, seconds):
    """The file system of that folder is full for a while."""
    path = os.path.join(os.path.dirname(folder), "filler")
    with open(path, "wb", buffering=0) as f:
        end = time.time() + seconds
        while time.time() < end:
            try:
                f.write(bytes(1 << 16))
            except OSError:
                time.sleep(0.05)
    os.unlink(path)


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def drive(args):
    args.port = args.port or free_port()
    world = World(args)
    try:
        return play(args, world)
    finally:  # whatever happened, nobody goes on writing to a port that another may have next
        for _, process in world.workers.values():
            process.kill()
        if world.broker:
            world.broker.kill()


def play(args, world):
    chance = random.Random(args.seed)
    bootstrap = f"127.0.0.1:{args.port}"
    world.start_broker()
    create_topics(bootstrap, args.java)
    for name, kind in world.kinds:
        world.start(name, kind)
    stopped = {}
    for kill in range(args.kills):
        end = time.time() + chance.choice([0.4, 1.0, 3.0, 8.0, 15.0]) * (0.5 + chance.random())
        if kill % 15 == 14:
            end += LONG_LIFE_S
        while time.time() < end:
            time.sleep(0.1)
            if world.broker.poll() is not None:
                raise SystemExit(f"FAILED: the broker ended by itself with status {world.broker.returncode}; see broker.log")
            for name, until in list(stopped.items()):
                if time.time() > until:
                    world.workers[name][1].send_signal(signal.SIGCONT)
                    del stopped[name]
            if chance.random() < 0.012:
                name = chance.choice(list(world.workers))
                kind, process = world.workers[name]
                stopped.pop(name, None)
                process.kill()
                process.wait()
                world.start(name, kind)
            elif chance.random() < 0.006:
                name = chance.choice([n for n, k in world.kinds if k in ("copy", "java")])
                world.workers[name][1].send_signal(signal.SIGSTOP)
                stopped[name] = time.time() + chance.choice([2, 9])
        if args.fill and chance.random() < 0.4:
            fill(args.data, chance.choice([1, 4]))
        world.kill_broker()
        time.sleep(chance.choice([0, 0, 0.3, 2]))
        world.start_broker()
    for name in stopped:
        world.workers[name][1].send_signal(signal.SIGCONT)
    print(f"{args.kills} kills of the broker, {sum(world.lives.values()) - len(world.kinds)} of clients")
    world.end([n for n, k in world.kinds if k in ("produce", "pywrite")])
    found = topic_now(bootstrap, "in", PARTITIONS)
    wanted = sum(len(v) for v in found.values())
    wait_for_copies(world, bootstrap, wanted, args.patience)
    python = topic_now(bootstrap, "python", 2)
    for kind, prefix, all in (("read", "old", found), ("read", "new", found), ("pyread", "pyr", python)):
        wait_for_readers(world, kind, prefix, all, args.patience)
    world.end([n for n, k in world.kinds if k not in ("produce", "pywrite")])
    judge = Judge()
    copies = {t: topic_now(bootstrap, t, PARTITIONS) for t in targets(args.java)}
    judge.producers(world, found)
    for topic, records in copies.items():
        judge.copies(found, records, topic)
    for prefix in ("old", "new"):
        judge.readers(world, found, "read", prefix)
    judge.watchers(world, {t: {p: dict(r) for p, r in v.items()} for t, v in copies.items()})
    judge.python(world, python)
    judge.readers(world, python, "pyread", "pyr")
    world.broker.terminate()
    if world.broker.wait(20) != 0:
        judge.fail("the broker's end", f"status {world.broker.returncode}")
    troubles = collections.Counter(line["trouble"][:160] for kind in [*KINDS, "java"] for _, line in world.lines(kind) if "trouble" in line)
    for text, n in troubles.most_common(12):
        print(f"  {n:5} × {text}")
    print("FAILED" if judge.failures else "all is well")
    return 1 if judge.failures else 0


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--sluice")
    parser.add_argument("--folder", required=True)
    parser.add_argument("--data", help="the data folder, if not within FOLDER")
    parser.add_argument("--fill", action="store_true", help="the file system of DATA, a small one, is full now and then")
    parser.add_argument("--kills", type=int, default=50)
    parser.add_argument("--patience", type=int, default=120)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--port", type=int, help="default: a free one")
    parser.add_argument("--java", help="a folder of jars: Kafka's clients and what they need")
    parser.add_argument("--debug", help="librdkafka's debug contexts, of the copiers")
    parser.add_argument("--worker")
    parser.add_argument("--name")
    args = parser.parse_args()
    if not args.worker:
        sys.exit(drive(args))
    signal.signal(signal.SIGTERM, on_term)
    faulthandler.register(signal.SIGQUIT)
    if args.debug:
        CLIENT.update({"debug": args.debug, "log_level": 7})
    more = [args.java] if args.worker == "watch" else []
    KINDS[args.worker](f"127.0.0.1:{args.port}", args.name, Out(f"{args.folder}/{args.name}.jsonl"), *more)


main()
