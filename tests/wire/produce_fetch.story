# What is produced is fetched, in order, whatever dies in between.

a > CreateTopics 7 {Topics: [{Name: t, NumPartitions: 2, ReplicationFactor: 1}]}
a < {Topics: [{Name: t, TopicId: $id, ErrorCode: NONE, NumPartitions: 2}]}

# acks -1 and 1 are answered when the records are durable; 0 is not answered at all.
a > Produce 9 {Acks: -1, TopicData: [{Name: t, PartitionData: [
        {Index: 0, Records: records(a=1, b=2)} {Index: 1, Records: records(c=3)}]}]}
a < {Responses: [{Name: t, PartitionResponses: [
        {Index: 0, ErrorCode: NONE, BaseOffset: 0, LogAppendTimeMs: -1, LogStartOffset: 0}
        {Index: 1, ErrorCode: NONE, BaseOffset: 0}]}]}
a > Produce 9 {Acks: 0, TopicData: [{Name: t, PartitionData: [{Index: 0, Records: records(d=4)}]}]}
a > Produce 9 {Acks: 1, TopicData: [{Name: t, PartitionData: [{Index: 0, Records: records(~=5, f=~; lz4)}]}]}
a < {Responses: [{PartitionResponses: [{ErrorCode: NONE, BaseOffset: 3}]}]}

power cut

a > Fetch 12 {MaxWaitMs: 0, MinBytes: 1, Topics: [{Topic: t, Partitions: [
        {Partition: 0, FetchOffset: 0, PartitionMaxBytes: 1000000}]}]}
a < {Responses: [{Topic: t, Partitions: [{PartitionIndex: 0, HighWatermark: 5, LastStableOffset: 5, LogStartOffset: 0,
        AbortedTransactions: null, Records: records(0: a=1, b=2)(2: d=4)(3: ~=5, f=~)}]}]}
a > Fetch 13 {MaxWaitMs: 0, Topics: [{TopicId: $id, Partitions: [{Partition: 1, FetchOffset: 0, PartitionMaxBytes: 1000000}]}]}
a < {Responses: [{TopicId: $id, Partitions: [{Records: records(0: c=3)}]}]}
