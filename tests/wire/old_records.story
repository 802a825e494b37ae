# Records that are no longer in memory go from their files to the client, in the same answers: several partitions, in pieces, and none to those who stop
# taking them.

a > CreateTopics 7 {Topics: [{Name: t, NumPartitions: 2, ReplicationFactor: 1}]}
a < {}
let $k = 0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef
let $m = $k$k$k$k$k$k$k$k
let $l = $m$m$m
a > Produce 9 {Acks: -1, TopicData: [{Name: t, PartitionData: [{Index: 0, Records: records(a=$l, a=$l, a=$l, a=$l, a=$l, a=$l, a=$l, a=$l, a=$l, a=$l, a=$l, a=$l, a=$l, a=$l, a=$l, a=$l, a=$l, a=$l, a=$l, a=$l, a=$l, a=$l)}, {Index: 1, Records: records(a=$l, a=$l, a=$l, a=$l, a=$l, a=$l, a=$l, a=$l, a=$l, a=$l, a=$l, a=$l, a=$l, a=$l, a=$l, a=$l, a=$l, a=$l, a=$l, a=$l, a=$l, a=$l)}]}]}
a < {}
a > Produce 9 {Acks: -1, TopicData: [{Name: t, PartitionData: [{Index: 0, Records: records(a=$l, a=$l, a=$l, a=$l, a=$l, a=$l, a=$l, a=$l, a=$l, a=$l, a=$l, a=$l, a=$l, a=$l, a=$l, a=$l, a=$l, a=$l, a=$l, a=$l, a=$l, a=$l)}, {Index: 1, Records: records(b=1)}]}]}
a < {}
a > Produce 9 {Acks: -1, TopicData: [{Name: t, PartitionData: [{Index: 0, Records: records(c=2)}]}]}
a < {}
restart

# All of it; from the middle of a batch; as much as the limit allows, but one batch.
b > Fetch 4 {MaxWaitMs: 0, Topics: [{Topic: t, Partitions: [{Partition: 0, FetchOffset: 0, PartitionMaxBytes: 1000000}, {Partition: 1, FetchOffset: 0, PartitionMaxBytes: 1000000}]}]}
b < {Responses: [{Partitions: [{ErrorCode: NONE, HighWatermark: 45, Records: records(0: a=$l, a=$l, a=$l, a=$l, a=$l, a=$l, a=$l, a=$l, a=$l, a=$l, a=$l, a=$l, a=$l, a=$l, a=$l, a=$l, a=$l, a=$l, a=$l, a=$l, a=$l, a=$l)(22: a=$l, a=$l, a=$l, a=$l, a=$l, a=$l, a=$l, a=$l, a=$l, a=$l, a=$l, a=$l, a=$l, a=$l, a=$l, a=$l, a=$l, a=$l, a=$l, a=$l, a=$l, a=$l)(44: c=2)}, {ErrorCode: NONE, HighWatermark: 23, Records: records(0: a=$l, a=$l, a=$l, a=$l, a=$l, a=$l, a=$l, a=$l, a=$l, a=$l, a=$l, a=$l, a=$l, a=$l, a=$l, a=$l, a=$l, a=$l, a=$l, a=$l, a=$l, a=$l)(22: b=1)}]}]}
b > Fetch 4 {MaxWaitMs: 0, Topics: [{Topic: t, Partitions: [{Partition: 0, FetchOffset: 27, PartitionMaxBytes: 1000000}]}]}
b > Fetch 4 {MaxWaitMs: 0, Topics: [{Topic: t, Partitions: [{Partition: 0, FetchOffset: 0, PartitionMaxBytes: 130000}]}]}
b > Fetch 4 {MaxWaitMs: 0, Topics: [{Topic: t, Partitions: [{Partition: 0, FetchOffset: 0, PartitionMaxBytes: 70000}]}]}
b < {Responses: [{Partitions: [{Records: records(22: a=$l, a=$l, a=$l, a=$l, a=$l, a=$l, a=$l, a=$l, a=$l, a=$l, a=$l, a=$l, a=$l, a=$l, a=$l, a=$l, a=$l, a=$l, a=$l, a=$l, a=$l, a=$l)(44: c=2)}]}]}
b < {Responses: [{Partitions: [{Records: records(0: a=$l, a=$l, a=$l, a=$l, a=$l, a=$l, a=$l, a=$l, a=$l, a=$l, a=$l, a=$l, a=$l, a=$l, a=$l, a=$l, a=$l, a=$l, a=$l, a=$l, a=$l, a=$l)}]}]}
b < {Responses: [{Partitions: [{Records: records(0: a=$l, a=$l, a=$l, a=$l, a=$l, a=$l, a=$l, a=$l, a=$l, a=$l, a=$l, a=$l, a=$l, a=$l, a=$l, a=$l, a=$l, a=$l, a=$l, a=$l, a=$l, a=$l)}]}]}

# One whose topic goes meanwhile still gets what it was promised.
b > Fetch 4 {MaxWaitMs: 0, Topics: [{Topic: t, Partitions: [{Partition: 0, FetchOffset: 0, PartitionMaxBytes: 1000000}, {Partition: 1, FetchOffset: 0, PartitionMaxBytes: 1000000}]}]}
slow > Fetch 4 {MaxWaitMs: 0, Topics: [{Topic: t, Partitions: [{Partition: 0, FetchOffset: 0, PartitionMaxBytes: 1000000}]}]}
slow > Fetch 4 {MaxWaitMs: 0, Topics: [{Topic: t, Partitions: [{Partition: 0, FetchOffset: 0, PartitionMaxBytes: 1000000}]}]}
gone > Fetch 4 {MaxWaitMs: 0, Topics: [{Topic: t, Partitions: [{Partition: 0, FetchOffset: 0, PartitionMaxBytes: 1000000}]}]}
wait 5 s
c > DeleteTopics 5 {TopicNames: [t]}
c < {}
b < {Responses: [{Partitions: [{ErrorCode: NONE, Records: records(0: a=$l, a=$l, a=$l, a=$l, a=$l, a=$l, a=$l, a=$l, a=$l, a=$l, a=$l, a=$l, a=$l, a=$l, a=$l, a=$l, a=$l, a=$l, a=$l, a=$l, a=$l, a=$l)(22: a=$l, a=$l, a=$l, a=$l, a=$l, a=$l, a=$l, a=$l, a=$l, a=$l, a=$l, a=$l, a=$l, a=$l, a=$l, a=$l, a=$l, a=$l, a=$l, a=$l, a=$l, a=$l)(44: c=2)}, {ErrorCode: NONE, Records: records(0: a=$l, a=$l, a=$l, a=$l, a=$l, a=$l, a=$l, a=$l, a=$l, a=$l, a=$l, a=$l, a=$l, a=$l, a=$l, a=$l, a=$l, a=$l, a=$l, a=$l, a=$l, a=$l)(22: b=1)}]}]}
gone closes
wait 70 s
slow is cut off
