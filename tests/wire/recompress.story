# compression.type of a topic: batches are kept as they came (producer), or packed anew by the codec that the topic wants.

let $text = word-word-word-word-word-word-word-word-word-word-word-word-word-word-word-word-word-word-word-word-word-word-word-word-word-word-word-word-word-word-word-word-word-word-word-word-word-word-word-word
a > CreateTopics 7 {Topics: [
        {Name: zstd, NumPartitions: 1, ReplicationFactor: 1, Configs: [{Name: compression.type, Value: zstd}, {Name: compression.zstd.level, Value: "10"}]}
        {Name: gzip, NumPartitions: 1, ReplicationFactor: 1, Configs: [{Name: compression.type, Value: gzip}, {Name: message.timestamp.type, Value: LogAppendTime}]}
        {Name: plain, NumPartitions: 1, ReplicationFactor: 1, Configs: [{Name: compression.type, Value: uncompressed}, {Name: max.message.bytes, Value: "300"}]}
        {Name: free, NumPartitions: 1, ReplicationFactor: 1}]}
a < {Topics: [{ErrorCode: NONE}, {ErrorCode: NONE}, {ErrorCode: NONE}, {ErrorCode: NONE}]}
a > InitProducerId 4 {TransactionalId: null, TransactionTimeoutMs: 60000, ProducerId: -1, ProducerEpoch: -1}
a < {ErrorCode: NONE, ProducerId: $p, ProducerEpoch: 0}
a > Produce 9 {Acks: -1, TopicData: [
        {Name: zstd, PartitionData: [{Index: 0, Records: records(a=$text, b=$text; time 5000 producer $p epoch 0 sequence 0)}]}
        {Name: gzip, PartitionData: [{Index: 0, Records: records(a=$text, b=2; lz4)}]}
        {Name: plain, PartitionData: [{Index: 0, Records: records(a=$text; snappy)}]}
        {Name: free, PartitionData: [{Index: 0, Records: records(a=$text, b=2; lz4)}]}]}
a < {Responses: [{PartitionResponses: [{ErrorCode: NONE, BaseOffset: 0}]}, {PartitionResponses: [{ErrorCode: NONE}]}
        {PartitionResponses: [{ErrorCode: NONE}]}, {PartitionResponses: [{ErrorCode: NONE}]}]}
# The next one, by its own codec; and the same once more, which is there already.
a > Produce 9 {Acks: -1, TopicData: [{Name: zstd, PartitionData: [{Index: 0, Records: records(c=$text; gzip time 5000 producer $p epoch 0 sequence 2)}]}]}
a < {Responses: [{PartitionResponses: [{ErrorCode: NONE, BaseOffset: 2}]}]}
a > Produce 9 {Acks: -1, TopicData: [{Name: zstd, PartitionData: [{Index: 0, Records: records(c=$text; gzip time 5000 producer $p epoch 0 sequence 2)}]}]}
a < {Responses: [{PartitionResponses: [{ErrorCode: NONE, BaseOffset: 2}]}]}
a > Fetch 10 {MaxWaitMs: 0, MaxBytes: 100000, SessionEpoch: -1, Topics: [
        {Topic: zstd, Partitions: [{Partition: 0, FetchOffset: 0, PartitionMaxBytes: 10000}]}
        {Topic: gzip, Partitions: [{Partition: 0, FetchOffset: 0, PartitionMaxBytes: 10000}]}
        {Topic: plain, Partitions: [{Partition: 0, FetchOffset: 0, PartitionMaxBytes: 10000}]}
        {Topic: free, Partitions: [{Partition: 0, FetchOffset: 0, PartitionMaxBytes: 10000}]}]}
a < {Responses: [
        {Topic: zstd, Partitions: [{Records: records(0: a=$text, b=$text; zstd time 5000 producer $p epoch 0 sequence 0)(2: c=$text; zstd producer $p sequence 2)}]}
        {Topic: gzip, Partitions: [{Records: records(0: a=$text, b=2; gzip append-time)}]}
        {Topic: plain, Partitions: [{Records: records(0: a=$text; none)}]}
        {Topic: free, Partitions: [{Records: records(0: a=$text, b=2; lz4)}]}]}

# What is too large only when it is unpacked; and what is damaged.
a > Produce 9 {Acks: -1, TopicData: [{Name: plain, PartitionData: [{Index: 0, Records: records(a=$text, b=$text; gzip)}]}
        {Name: zstd, PartitionData: [{Index: 0, Records: records(a=$text; lz4 corrupt)}]}]}
a < {Responses: [{PartitionResponses: [{ErrorCode: MESSAGE_TOO_LARGE}]}, {PartitionResponses: [{ErrorCode: CORRUPT_MESSAGE}]}]}

# Who does not know zstd is told that the topic is not for him.
a > Fetch 9 {MaxWaitMs: 0, MaxBytes: 100000, SessionEpoch: -1, Topics: [{Topic: zstd, Partitions: [{Partition: 0, FetchOffset: 0, PartitionMaxBytes: 10000}]}]}
a < {Responses: [{Partitions: [{ErrorCode: UNSUPPORTED_COMPRESSION_TYPE}]}]}

# It is the topic's as long as it is; and outlives the broker.
kill
a > IncrementalAlterConfigs 1 {Resources: [{ResourceType: 2, ResourceName: zstd, Configs: [{Name: compression.type, ConfigOperation: 0, Value: producer}]}]}
a < {Responses: [{ErrorCode: NONE}]}
a > Produce 9 {Acks: -1, TopicData: [{Name: zstd, PartitionData: [{Index: 0, Records: records(d=$text; lz4)}]}, {Name: gzip, PartitionData: [{Index: 0, Records: records(d=$text; lz4)}]}]}
a < {Responses: [{PartitionResponses: [{ErrorCode: NONE, BaseOffset: 3}]}, {PartitionResponses: [{ErrorCode: NONE, BaseOffset: 2}]}]}
a > Fetch 10 {MaxWaitMs: 0, MaxBytes: 100000, SessionEpoch: -1, Topics: [{Topic: zstd, Partitions: [{Partition: 0, FetchOffset: 3, PartitionMaxBytes: 10000}]}
        {Topic: gzip, Partitions: [{Partition: 0, FetchOffset: 2, PartitionMaxBytes: 10000}]}]}
a < {Responses: [{Partitions: [{Records: records(3: d=$text; lz4)}]}, {Partitions: [{Records: records(2: d=$text; gzip append-time)}]}]}
