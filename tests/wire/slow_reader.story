# A client that asks and does not take what it gets holds up nobody, and is let go after a minute.

a > CreateTopics 7 {Topics: [{Name: t, NumPartitions: 1, ReplicationFactor: 1}]}
a < {}
let $k = 0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef
let $m = $k$k$k$k$k$k$k$k
let $l = $m$m$m
a > Produce 9 {Acks: -1, TopicData: [{Name: t, PartitionData: [{Index: 0, Records: records(a=$l,a=$l,a=$l,a=$l,a=$l,a=$l,a=$l,a=$l,a=$l,a=$l,a=$l,a=$l,a=$l,a=$l,a=$l,a=$l,a=$l,a=$l,a=$l,a=$l,a=$l,a=$l,a=$l,a=$l,a=$l,a=$l)}]}]}
a < {Responses: [{PartitionResponses: [{ErrorCode: NONE}]}]}
slow > Fetch 4 {MaxWaitMs: 0, Topics: [{Topic: t, Partitions: [{Partition: 0, FetchOffset: 0, PartitionMaxBytes: 1000000}]}]}
slow > Fetch 4 {MaxWaitMs: 0, Topics: [{Topic: t, Partitions: [{Partition: 0, FetchOffset: 0, PartitionMaxBytes: 1000000}]}]}
slow > Fetch 4 {MaxWaitMs: 0, Topics: [{Topic: t, Partitions: [{Partition: 0, FetchOffset: 0, PartitionMaxBytes: 1000000}]}]}
wait 30 s
a > Fetch 4 {MaxWaitMs: 0, Topics: [{Topic: t, Partitions: [{Partition: 0, FetchOffset: 0, PartitionMaxBytes: 1000000}]}]}
a < {Responses: [{Partitions: [{ErrorCode: NONE, HighWatermark: 26}]}]}
wait 40 s
slow is cut off
