# What a consumer gets, and when.

a > CreateTopics 7 {Topics: [{Name: t, NumPartitions: 2, ReplicationFactor: 1}]}
a < {Topics: [{ErrorCode: NONE, TopicId: $t}]}
a > Produce 9 {Acks: -1, TopicData: [{Name: t, PartitionData: [{Index: 0, Records: records(a=0)}]}]}
a > Produce 9 {Acks: -1, TopicData: [{Name: t, PartitionData: [{Index: 0, Records: records(a=1, a=2)}]}]}
a > Produce 9 {Acks: -1, TopicData: [{Name: t, PartitionData: [{Index: 0, Records: records(a=3)}]}]}
a < {}
a < {}
a < {Responses: [{PartitionResponses: [{BaseOffset: 3}]}]}

# Batches are whole: from the one that has the offset.
a > Fetch 4 {MaxWaitMs: 0, Topics: [{Topic: t, Partitions: [{Partition: 0, FetchOffset: 2, PartitionMaxBytes: 100000}]}]}
a < {Responses: [{Topic: t, Partitions: [{PartitionIndex: 0, ErrorCode: NONE, HighWatermark: 4, Records: records(1: a=1, a=2)(3: a=3)}]}]}
# The limit counts, but not for the first batch; of the whole answer too.
a > Fetch 4 {MaxWaitMs: 0, Topics: [{Topic: t, Partitions: [{Partition: 0, FetchOffset: 0, PartitionMaxBytes: 1}]}]}
a < {Responses: [{Partitions: [{Records: records(0: a=0)}]}]}
a > Fetch 4 {MaxWaitMs: 0, Topics: [{Topic: t, Partitions: [{Partition: 0, FetchOffset: 0, PartitionMaxBytes: 160}]}]}
a < {Responses: [{Partitions: [{Records: records(0: a=0)(1: a=1, a=2)}]}]}
a > Fetch 4 {MaxWaitMs: 0, MaxBytes: 1, Topics: [{Topic: t, Partitions: [
        {Partition: 0, FetchOffset: 0, PartitionMaxBytes: 100000} {Partition: 1, FetchOffset: 0, PartitionMaxBytes: 100000}]}]}
a < {Responses: [{Partitions: [{Records: records(0: a=0)}, {PartitionIndex: 1, Records: records()}]}]}

# At the end it waits, and is woken.
a > Fetch 4 {MaxWaitMs: 500, MinBytes: 1, Topics: [{Topic: t, Partitions: [{Partition: 0, FetchOffset: 4, PartitionMaxBytes: 100000}]}]}
a < {Responses: [{Partitions: [{HighWatermark: 4, Records: records()}]}]} after 500 ms
a > Fetch 4 {MaxWaitMs: 30000, MinBytes: 1, Topics: [{Topic: t, Partitions: [{Partition: 0, FetchOffset: 4, PartitionMaxBytes: 100000}]}]}
a < nothing for 10 s
b > Produce 9 {Acks: -1, TopicData: [{Name: t, PartitionData: [{Index: 0, Records: records(a=4)}]}]}
a < {Responses: [{Partitions: [{HighWatermark: 5, Records: records(4: a=4)}]}]} after 0 ms
b < {}
# min_bytes: one record is not enough, two are; and the time has its end
a > Fetch 4 {MaxWaitMs: 20000, MinBytes: 140, Topics: [{Topic: t, Partitions: [
        {Partition: 0, FetchOffset: 5, PartitionMaxBytes: 100000}, {Partition: 1, FetchOffset: 0, PartitionMaxBytes: 100000}]}]}
b > Produce 9 {Acks: -1, TopicData: [{Name: t, PartitionData: [{Index: 0, Records: records(a=5)}]}]}
b < {}
a < nothing for 3 s
b > Produce 9 {Acks: -1, TopicData: [{Name: t, PartitionData: [{Index: 1, Records: records(b=0)}]}]}
a < {Responses: [{Partitions: [{Records: records(5: a=5)}, {Records: records(0: b=0)}]}]} after 0 ms
b < {}
# an error is news at once
a > Fetch 4 {MaxWaitMs: 20000, MinBytes: 1, Topics: [{Topic: t, Partitions: [
        {Partition: 0, FetchOffset: 6, PartitionMaxBytes: 100000}, {Partition: 9, FetchOffset: 0, PartitionMaxBytes: 100000}]}]}
a < {Responses: [{Partitions: [{ErrorCode: NONE}, {PartitionIndex: 9, ErrorCode: UNKNOWN_TOPIC_OR_PARTITION, HighWatermark: -1}]}]} after 0 ms
# beyond what is there
a > Fetch 4 {MaxWaitMs: 20000, MinBytes: 1, Topics: [{Topic: t, Partitions: [{Partition: 0, FetchOffset: 7, PartitionMaxBytes: 100000}]}]}
a < {Responses: [{Partitions: [{ErrorCode: OFFSET_OUT_OF_RANGE}]}]} after 0 ms
a > Fetch 4 {MaxWaitMs: 20000, MinBytes: 1, Topics: [{Topic: t, Partitions: [{Partition: 0, FetchOffset: -1, PartitionMaxBytes: 100000}]}]}
a < {Responses: [{Partitions: [{ErrorCode: OFFSET_OUT_OF_RANGE}]}]} after 0 ms
a > Fetch 4 {MaxWaitMs: 20000, MinBytes: 1, Topics: []}
a < {Responses: []} after 0 ms

# A client that goes while it waits is forgotten.
c > Fetch 4 {MaxWaitMs: 60000, MinBytes: 1, Topics: [{Topic: t, Partitions: [{Partition: 0, FetchOffset: 6, PartitionMaxBytes: 100000}]}]}
wait 1 s
c closes
b > Produce 9 {Acks: -1, TopicData: [{Name: t, PartitionData: [{Index: 0, Records: records(a=6)}]}]}
b < {Responses: [{PartitionResponses: [{BaseOffset: 6}]}]}

# DeleteRecords moves the beginning.
a > DeleteRecords 2 {Topics: [{Name: t, Partitions: [{PartitionIndex: 0, Offset: 3}, {PartitionIndex: 1, Offset: 99}, {PartitionIndex: 7, Offset: 0}]}]}
a < {Topics: [{Partitions: [{PartitionIndex: 0, LowWatermark: 3, ErrorCode: NONE}
        {PartitionIndex: 1, ErrorCode: OFFSET_OUT_OF_RANGE}, {PartitionIndex: 7, ErrorCode: UNKNOWN_TOPIC_OR_PARTITION}]}]}
a > Fetch 5 {MaxWaitMs: 0, Topics: [{Topic: t, Partitions: [{Partition: 0, FetchOffset: 2, PartitionMaxBytes: 100000}]}]}
a < {Responses: [{Partitions: [{ErrorCode: OFFSET_OUT_OF_RANGE}]}]}
a > Fetch 5 {MaxWaitMs: 0, Topics: [{Topic: t, Partitions: [{Partition: 0, FetchOffset: 3, PartitionMaxBytes: 100000}]}]}
a < {Responses: [{Partitions: [{LogStartOffset: 3, Records: records(3: a=3)(4: a=4)(5: a=5)(6: a=6)}]}]}
a > DeleteRecords 2 {Topics: [{Name: t, Partitions: [{PartitionIndex: 0, Offset: -1}]}]}
a < {Topics: [{Partitions: [{LowWatermark: 7, ErrorCode: NONE}]}]}
power cut
a > Fetch 5 {MaxWaitMs: 0, Topics: [{Topic: t, Partitions: [{Partition: 0, FetchOffset: 7, PartitionMaxBytes: 100000}]}]}
a < {Responses: [{Partitions: [{ErrorCode: NONE, LogStartOffset: 7, HighWatermark: 7, Records: records()}]}]}

# Epochs: one that nobody has heard of is told.
a > Metadata 12 {Topics: [{Name: t}]}
a < {Topics: [{Partitions: [{LeaderEpoch: $epoch}, ...]}]}
a > Fetch 12 {MaxWaitMs: 0, Topics: [{Topic: t, Partitions: [{Partition: 0, CurrentLeaderEpoch: $epoch, FetchOffset: 7, PartitionMaxBytes: 1000}]}]}
a < {Responses: [{Partitions: [{ErrorCode: NONE}]}]}
a > Fetch 12 {MaxWaitMs: 0, Topics: [{Topic: t, Partitions: [{Partition: 0, CurrentLeaderEpoch: 1000000, FetchOffset: 7, PartitionMaxBytes: 1000}]}]}
a < {Responses: [{Partitions: [{ErrorCode: UNKNOWN_LEADER_EPOCH}]}]}
a > OffsetForLeaderEpoch 4 {Topics: [{Topic: t, Partitions: [{Partition: 1, CurrentLeaderEpoch: -1, LeaderEpoch: $epoch}]}]}
a < {Topics: [{Partitions: [{ErrorCode: NONE, LeaderEpoch: $epoch, EndOffset: 1}]}]}
a > OffsetForLeaderEpoch 4 {Topics: [{Topic: t, Partitions: [{Partition: 1, CurrentLeaderEpoch: -1, LeaderEpoch: 1000}]}]}
a < {Topics: [{Partitions: [{ErrorCode: NONE, LeaderEpoch: -1, EndOffset: -1}]}]}
