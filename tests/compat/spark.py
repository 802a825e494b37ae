"""Spark's Kafka source and sink: spark.py runs all of it against one broker, and says for each test "name<TAB>outcome<TAB>what it said"."""
import json, os, sys, tempfile
from pyspark.sql import SparkSession
from pyspark.sql.functions import col, lit, struct, array

at = sys.argv[1]
spark = SparkSession.builder.master('local[2]').config('spark.ui.enabled', 'false').config('spark.sql.shuffle.partitions', '2') \
    .config('spark.driver.host', '127.0.0.1').config('spark.driver.bindAddress', '127.0.0.1').getOrCreate()
spark.sparkContext.setLogLevel('ERROR')
folder = tempfile.mkdtemp()


def write(topic, first, last, **options):
    rows = spark.range(first, last).select(col('id').cast('string').alias('key'), col('id').cast('string').alias('value'))
    rows.write.format('kafka').option('kafka.bootstrap.servers', at).option('topic', topic).options(**options).save()


def read(topic, **options):
    return spark.read.format('kafka').option('kafka.bootstrap.servers', at).option('subscribe', topic).options(**options).load()


def values(rows):
    return sorted(int(r.value) for r in rows.select(col('value').cast('string')).collect())


def stream(topic, name, **options):
    """All that there is, to memory; what was read is written down, so that the same name goes on where it was."""
    rows = spark.readStream.format('kafka').option('kafka.bootstrap.servers', at).option('subscribe', topic) \
        .option('startingOffsets', 'earliest').options(**options).load()
    out = os.path.join(folder, name)
    rows.select(col('value').cast('string')).writeStream.format('json').option('path', out + '.out') \
        .option('checkpointLocation', out + '.checkpoint').trigger(availableNow=True).start().awaitTermination()
    return sorted(int(r.value) for r in spark.read.json(out + '.out').collect())


def test_batch_write_and_read():
    write('b', 0, 1000)
    assert values(read('b')) == list(range(1000))
    row = read('b').orderBy('partition', 'offset').first()
    assert row.topic == 'b' and row.offset == 0 and row.timestampType == 0, row


def test_every_codec():
    for codec in 'none', 'gzip', 'snappy', 'lz4', 'zstd':
        write('c' + codec, 0, 500, **{'kafka.compression.type': codec})
        assert values(read('c' + codec)) == list(range(500)), codec


def test_headers_and_partition():
    rows = spark.createDataFrame([('k', 'v')], 'key string, value string') \
        .withColumn('headers', array(struct(lit('h').alias('key'), lit(b'x').cast('binary').alias('value')))) \
        .withColumn('partition', lit(2)).withColumn('topic', lit('h'))
    rows.write.format('kafka').option('kafka.bootstrap.servers', at).option('includeHeaders', 'true').save()
    row = read('h', includeHeaders='true').first()
    assert row.partition == 2 and row.headers[0].key == 'h' and bytes(row.headers[0].value) == b'x', row


def test_offsets_as_json():
    write('o', 0, 300)
    ends = {r.partition: r.max for r in read('o').groupBy('partition').agg({'offset': 'max'}).withColumnRenamed('max(offset)', 'max').collect()}
    from_2 = read('o', startingOffsets=json.dumps({'o': {str(p): 2 for p in ends}}),
                  endingOffsets=json.dumps({'o': {str(p): -1 for p in ends}}))
    assert from_2.count() == sum(e - 1 for e in ends.values())
    assert read('o', startingOffsets='earliest', endingOffsets=json.dumps({'o': {str(p): 5 for p in ends}})).count() == 5 * len(ends)


def test_offsets_by_time():
    write('t', 0, 100)
    middle = read('t').agg({'timestamp': 'max'}).first()[0].timestamp() * 1000
    write('t', 100, 200)
    after = values(read('t', startingTimestamp=str(int(middle) + 1), startingOffsetsByTimestampStrategy='latest'))
    assert after and set(after) <= set(range(200)) and set(range(100, 200)) - set(after) == set(), len(after)


def test_patterns_and_assign():
    write('p_1', 0, 10)
    write('p_2', 10, 20)
    rows = spark.read.format('kafka').option('kafka.bootstrap.servers', at).option('subscribePattern', 'p_.*').load()
    assert values(rows) == list(range(20))
    rows = spark.read.format('kafka').option('kafka.bootstrap.servers', at).option('assign', '{"p_1":[0,1,2]}').load()
    assert values(rows) == list(range(10))


def test_stream_from_earliest_goes_on():
    write('s', 0, 500)
    assert stream('s', 's') == list(range(500))
    write('s', 500, 800)
    assert stream('s', 's') == list(range(800))


def test_stream_by_small_batches():
    write('m', 0, 500)
    assert stream('m', 'm', maxOffsetsPerTrigger='70', minPartitions='4') == list(range(500))


def test_stream_from_latest():
    write('l', 0, 100)
    rows = spark.readStream.format('kafka').option('kafka.bootstrap.servers', at).option('subscribe', 'l') \
        .option('startingOffsets', 'latest').load()
    query = rows.select(col('value').cast('string')).writeStream.format('memory').queryName('latest').start()
    query.processAllAvailable()
    write('l', 100, 150)
    query.processAllAvailable()
    query.stop()
    assert sorted(int(r.value) for r in spark.sql('select * from latest').collect()) == list(range(100, 150))


def test_stream_to_kafka():
    write('i', 0, 400)
    rows = spark.readStream.format('kafka').option('kafka.bootstrap.servers', at).option('subscribe', 'i') \
        .option('startingOffsets', 'earliest').load()
    rows.writeStream.format('kafka').option('kafka.bootstrap.servers', at).option('topic', 'q') \
        .option('checkpointLocation', os.path.join(folder, 'q')).trigger(availableNow=True).start().awaitTermination()
    assert values(read('q')) == list(range(400))


def test_committed_alone():
    write('x', 0, 50)
    assert values(read('x', **{'kafka.isolation.level': 'read_committed'})) == list(range(50))


for test in [n for n in globals() if n.startswith('test_')]:
    try:
        globals()[test]()
        print('\t'.join([test[5:].replace('_', ' '), 'passed', '']), flush=True)
    except Exception as e:
        print('\t'.join([test[5:].replace('_', ' '), 'failed', ' '.join(f'{type(e).__name__} {e}'.split())[:160]]), flush=True)
spark.stop()
