"""What Python clients are used for: clients.py CLIENT names the tests, clients.py CLIENT TEST BROKER runs one."""
import sys, time, uuid

name = lambda: 't' + uuid.uuid4().hex[:12]


class kafka_python:
    def __init__(self, at):
        import kafka
        self.kafka, self.at = kafka, at

    def write(self, topic, count=1000, **options):
        producer = self.kafka.KafkaProducer(bootstrap_servers=self.at, **options)
        sent = [producer.send(topic, key=b'%d' % i, value=b'v%d' % i, headers=[('n', b'%d' % i)]) for i in range(count)]
        producer.flush()
        return [s.get(10) for s in sent]

    def read(self, topic, count, **options):
        consumer = self.kafka.KafkaConsumer(topic, bootstrap_servers=self.at, auto_offset_reset='earliest',
                                            consumer_timeout_ms=15000, **options)
        rows = []
        for message in consumer:
            rows.append((message.key, message.value, message.headers))
            if len(rows) == count:
                break
        consumer.close()
        assert sorted(rows) == sorted((b'%d' % i, b'v%d' % i, [('n', b'%d' % i)]) for i in range(count)), len(rows)

    def test_produce_and_consume(self):
        topic = name()
        self.write(topic, acks='all')
        self.read(topic, 1000)

    def test_gzip(self):
        topic = name()
        self.write(topic, compression_type='gzip')
        self.read(topic, 1000)

    def test_group_goes_on_where_it_was(self):
        topic, group = name(), name()
        self.write(topic, 10)
        self.read(topic, 10, group_id=group)
        consumer = self.kafka.KafkaConsumer(topic, bootstrap_servers=self.at, group_id=group, auto_offset_reset='earliest',
                                            consumer_timeout_ms=3000)
        assert list(consumer) == []
        consumer.close()

    def test_offsets_by_time(self):
        topic = name()
        first = self.write(topic, 10)[0]
        consumer = self.kafka.KafkaConsumer(bootstrap_servers=self.at)
        part = self.kafka.TopicPartition(topic, first.partition)
        assert consumer.offsets_for_times({part: 1})[part].offset == 0
        assert consumer.beginning_offsets([part])[part] == 0 and consumer.end_offsets([part])[part] > 0

    def test_seek(self):
        topic = name()
        first = self.write(topic, 100)[0]
        part = self.kafka.TopicPartition(topic, first.partition)
        consumer = self.kafka.KafkaConsumer(bootstrap_servers=self.at, consumer_timeout_ms=10000)
        consumer.assign([part])
        consumer.seek(part, 3)
        assert next(consumer).offset == 3

    def test_admin(self):
        from kafka.admin import ConfigResource, ConfigResourceType, KafkaAdminClient, NewPartitions, NewTopic
        admin, topic = KafkaAdminClient(bootstrap_servers=self.at), name()
        admin.create_topics([NewTopic(topic, 2, 1, topic_configs={'cleanup.policy': 'compact'})])
        assert topic in admin.list_topics()
        admin.create_partitions({topic: NewPartitions(3)})
        assert len(admin.describe_topics([topic])[0]['partitions']) == 3
        admin.alter_configs([ConfigResource(ConfigResourceType.TOPIC, topic, configs={'retention.ms': '5000'})])
        assert 'retention.ms' in str(admin.describe_configs([ConfigResource(ConfigResourceType.TOPIC, topic)]))
        admin.list_consumer_groups()
        admin.delete_topics([topic])
        assert topic not in admin.list_topics()


class confluent_kafka:
    def __init__(self, at):
        import confluent_kafka
        self.ck, self.at = confluent_kafka, {'bootstrap.servers': at}

    def write(self, topic, count=1000, **options):
        failed = []
        producer = self.ck.Producer({**self.at, **options})
        for i in range(count):
            producer.produce(topic, b'v%d' % i, b'%d' % i, on_delivery=lambda err, _: err and failed.append(err))
        assert producer.flush(30) == 0 and not failed, failed

    def read(self, topic, count, **options):
        consumer = self.ck.Consumer({**self.at, 'group.id': name(), 'auto.offset.reset': 'earliest', **options})
        consumer.subscribe([topic])
        rows, end = [], time.monotonic() + 30
        while len(rows) < count and time.monotonic() < end:
            message = consumer.poll(1)
            if message and not message.error():
                rows.append(message.value())
        consumer.close()
        assert sorted(rows) == sorted(b'v%d' % i for i in range(count)), len(rows)

    def each_codec(self, **options):
        for codec in 'none', 'gzip', 'snappy', 'lz4', 'zstd':
            topic = name()
            self.write(topic, **{'compression.type': codec}, **options)
            self.read(topic, 1000)

    def test_each_codec(self):
        self.each_codec()

    def test_each_codec_idempotent(self):
        self.each_codec(**{'enable.idempotence': True})

    def test_group_protocol_consumer(self):
        topic = name()
        self.write(topic)
        self.read(topic, 1000, **{'group.protocol': 'consumer'})

    def test_cooperative_sticky(self):
        topic = name()
        self.write(topic)
        self.read(topic, 1000, **{'partition.assignment.strategy': 'cooperative-sticky', 'group.instance.id': 'a'})

    def test_transactions(self):
        topic, txn = name(), self.ck.Producer({**self.at, 'transactional.id': name()})
        txn.init_transactions(30)
        for abort in True, False:
            txn.begin_transaction()
            for i in range(10):
                txn.produce(topic, b'lost' if abort else b'v%d' % i)
            txn.abort_transaction(30) if abort else txn.commit_transaction(30)
        self.read(topic, 10, **{'isolation.level': 'read_committed'})

    def test_consume_transform_produce(self):
        source, target, group = name(), name(), name()
        self.write(source, 100)
        consumer = self.ck.Consumer({**self.at, 'group.id': group, 'auto.offset.reset': 'earliest', 'enable.auto.commit': False})
        consumer.subscribe([source])
        txn, count, end = self.ck.Producer({**self.at, 'transactional.id': group}), 0, time.monotonic() + 60
        txn.init_transactions(30)
        while count < 100 and time.monotonic() < end:
            message = consumer.poll(1)
            if not message or message.error():
                continue
            txn.begin_transaction()
            txn.produce(target, message.value())
            txn.send_offsets_to_transaction(consumer.position(consumer.assignment()), consumer.consumer_group_metadata(), 30)
            txn.commit_transaction(30)
            count += 1
        consumer.close()
        self.read(target, 100, **{'isolation.level': 'read_committed'})

    def test_admin(self):
        from confluent_kafka.admin import AdminClient, AlterConfigOpType, ConfigEntry, ConfigResource, NewPartitions, NewTopic
        admin, topic = AdminClient(self.at), name()
        each = lambda futures: [f.result(30) for f in futures.values()]
        each(admin.create_topics([NewTopic(topic, 2, 1)]))
        each(admin.create_partitions([NewPartitions(topic, 3)]))
        assert len(admin.list_topics(topic).topics[topic].partitions) == 3
        change = ConfigEntry('retention.ms', '7000', incremental_operation=AlterConfigOpType.SET)
        each(admin.incremental_alter_configs([ConfigResource('topic', topic, incremental_configs=[change])]))
        assert each(admin.describe_configs([ConfigResource('topic', topic)]))[0]['retention.ms'].value == '7000'
        admin.list_consumer_groups().result(30)
        admin.describe_cluster().result(30)
        each(admin.delete_topics([topic]))


client = globals()[sys.argv[1]]
if len(sys.argv) == 2:
    print(*(test[5:] for test in vars(client) if test.startswith('test_')))
else:
    getattr(client(sys.argv[3]), 'test_' + sys.argv[2])()
