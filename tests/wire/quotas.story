# Client quotas: what they are, that they are kept, and what becomes of those who use more.

a > AlterClientQuotas 1 {Entries: [
        {Entity: [{EntityType: client-id, EntityName: fast}], Ops: [{Key: producer_byte_rate, Value: 100}, {Key: consumer_byte_rate, Value: 100}]}
        {Entity: [{EntityType: client-id, EntityName: slow}], Ops: [{Key: consumer_byte_rate, Value: 10}]}
        {Entity: [{EntityType: user, EntityName: null}, {EntityType: client-id, EntityName: maker}], Ops: [{Key: controller_mutation_rate, Value: 1}]}
        {Entity: [{EntityType: client-id, EntityName: odd}], Ops: [{Key: happiness, Value: 1}]}
        {Entity: [{EntityType: planet, EntityName: mars}], Ops: [{Key: request_percentage, Value: 1}]}]}
a < {ThrottleTimeMs: 0, Entries: [{ErrorCode: NONE, Entity: [{EntityType: client-id, EntityName: fast}]}, {ErrorCode: NONE}, {ErrorCode: NONE}
        {ErrorCode: INVALID_REQUEST, ErrorMessage: *}, {ErrorCode: INVALID_REQUEST, ErrorMessage: *}]}
# Only looked at.
a > AlterClientQuotas 1 {ValidateOnly: true, Entries: [{Entity: [{EntityType: client-id, EntityName: other}], Ops: [{Key: producer_byte_rate, Value: 1}]}]}
a < {Entries: [{ErrorCode: NONE}]}
a > DescribeClientQuotas 1 {Components: []}
a < {ErrorCode: NONE, Entries: [*, *, *]}

# They outlive the broker.
kill
a > DescribeClientQuotas 1 {Components: [{EntityType: client-id, MatchType: 0, Match: fast}], Strict: true}
a < {ErrorCode: NONE, Entries: [{Entity: [{EntityType: client-id, EntityName: fast}]
        Values: [{Key: producer_byte_rate, Value: 100}, {Key: consumer_byte_rate, Value: 100}]}]}
a > DescribeClientQuotas 0 {Components: [{EntityType: client-id, MatchType: 0, Match: maker}]}
a < {ErrorCode: NONE, Entries: [{Values: [{Key: controller_mutation_rate, Value: 1}]}]}

# What ten seconds allow may be sent at once. Who sends more has his answer at once, and is not listened to for a while: nor to what he has sent already.
a > CreateTopics 7 {Topics: [{Name: t, NumPartitions: 1, ReplicationFactor: 1}]}
a < {ThrottleTimeMs: 0, Topics: [{ErrorCode: NONE}]}
b(fast) > Produce 9 {Acks: -1, TopicData: [{Name: t, PartitionData: [{Index: 0, Records: records(k=v)}]}]}
b < {ThrottleTimeMs: 0, Responses: [{PartitionResponses: [{ErrorCode: NONE}]}]}
let $large = xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx
b > Produce 9 {Acks: -1, TopicData: [{Name: t, PartitionData: [{Index: 0, Records: records(k=$large$large$large$large$large$large$large$large$large$large)}]}]}
b > ApiVersions 0
b < {ThrottleTimeMs: *, Responses: [{PartitionResponses: [{ErrorCode: NONE, BaseOffset: 1}]}]} after 0 ms
b > ApiVersions 0
b < nothing for 1900 ms
b < {ErrorCode: NONE}
b < {ErrorCode: NONE}
# The same without an answer to wait for.
b > Produce 9 {Acks: 0, TopicData: [{Name: t, PartitionData: [{Index: 0, Records: records(k=$large)}]}]}
b > ApiVersions 0
b < nothing for 1500 ms
b < {ErrorCode: NONE}
# Others are not concerned.
c > Produce 9 {Acks: -1, TopicData: [{Name: t, PartitionData: [{Index: 0, Records: records(k=$large$large$large$large$large$large$large$large$large$large)}]}]}
c < {ThrottleTimeMs: 0, Responses: [{PartitionResponses: [{ErrorCode: NONE, BaseOffset: 3}]}]}

# A Fetch that would be too much is answered at once, with nothing, and has not been.
a > CreateTopics 7 {Topics: [{Name: f, NumPartitions: 1, ReplicationFactor: 1}]}
a < {Topics: [{ErrorCode: NONE, TopicId: $f}]}
a > Produce 9 {Acks: -1, TopicData: [{Name: f, PartitionData: [{Index: 0, Records: records(k=v)}]}]}
a < {Responses: [{PartitionResponses: [{ErrorCode: NONE}]}]}
d(slow) > Fetch 13 {MaxWaitMs: 500, MinBytes: 1, MaxBytes: 1000000, SessionEpoch: 0, Topics: [{TopicId: $f, Partitions: [{Partition: 0, FetchOffset: 0, PartitionMaxBytes: 100000}]}]}
d < {ThrottleTimeMs: 0, SessionId: $s, Responses: [{Partitions: [{Records: records(0: k=v)}]}]}
d > Fetch 13 {MaxWaitMs: 500, MinBytes: 1, MaxBytes: 1000000, SessionId: $s, SessionEpoch: 1}
d < {ThrottleTimeMs: *, ErrorCode: NONE, SessionId: $s, Responses: []} after 0 ms
d > Fetch 13 {MaxWaitMs: 500, MinBytes: 1, MaxBytes: 1000000, SessionId: $s, SessionEpoch: 2}
d < {ThrottleTimeMs: 0, Responses: [{Partitions: [{Records: records(0: k=v)}]}]} after 3900 ms
# A new session comes to nothing; and no session at all has nothing, either.
d > Fetch 13 {MaxWaitMs: 500, MinBytes: 1, MaxBytes: 1000000, SessionEpoch: 0, Topics: [{TopicId: $f, Partitions: [{Partition: 0, FetchOffset: 0, PartitionMaxBytes: 100000}]}]}
d < {ThrottleTimeMs: *, ErrorCode: NONE, SessionId: 0, Responses: []} after 0 ms
e(slow) > Fetch 4 {MaxWaitMs: 500, MinBytes: 1, MaxBytes: 1000000, Topics: [{Topic: f, Partitions: [{Partition: 0, FetchOffset: 0, PartitionMaxBytes: 100000}]}]}
e < {ThrottleTimeMs: *, Responses: []} after 0 ms
wait 20 s
# No more is asked for than what ten seconds allow.
a > Produce 9 {Acks: -1, TopicData: [{Name: f, PartitionData: [{Index: 0, Records: records(k=v)}]}]}
a < {Responses: [{PartitionResponses: [{ErrorCode: NONE}]}]}
e > Fetch 4 {MaxWaitMs: 500, MinBytes: 1000, MaxBytes: 1000000, Topics: [{Topic: f, Partitions: [{Partition: 0, FetchOffset: 0, PartitionMaxBytes: 100000}]}]}
e < {ThrottleTimeMs: 0, Responses: [{Partitions: [{Records: records(0: k=v)}]}]}

# Topics and partitions, made and deleted: who has used up what he may is told so, and asks again.
g(maker) > CreateTopics 7 {Topics: [{Name: m1, NumPartitions: 14, ReplicationFactor: 1}, {Name: m2, NumPartitions: 1, ReplicationFactor: 1}]}
g < {ThrottleTimeMs: *, Topics: [{ErrorCode: NONE}, {ErrorCode: THROTTLING_QUOTA_EXCEEDED, ErrorMessage: *}]} after 0 ms
g > CreatePartitions 3 {Topics: [{Name: m1, Count: 15, Assignments: null}]}
g < {ThrottleTimeMs: 0, Results: [{ErrorCode: NONE}]} after 2900 ms
g > DeleteTopics 6 {Topics: [{Name: m1}]}
g < {ThrottleTimeMs: *, Responses: [{ErrorCode: THROTTLING_QUOTA_EXCEEDED}]} after 0 ms
# A client that does not know that has its way, and waits.
g > DeleteTopics 4 {TopicNames: [m1]}
g < {ThrottleTimeMs: *, Responses: [{ErrorCode: NONE}]} after 900 ms
# Nor are topics made by their first use.
h(maker) > Metadata 12 {Topics: [{Name: m3}], AllowAutoTopicCreation: true}
h < {ThrottleTimeMs: 0, Topics: [{ErrorCode: UNKNOWN_TOPIC_OR_PARTITION}]}
g > ApiVersions 0
g < {ErrorCode: NONE} after 14900 ms
h > Metadata 12 {Topics: [{Name: m3}], AllowAutoTopicCreation: true}
h < {Topics: [{ErrorCode: UNKNOWN_TOPIC_OR_PARTITION}]}
h > Metadata 12 {Topics: [{Name: m3}], AllowAutoTopicCreation: true}
h < {Topics: [{ErrorCode: NONE}]}

# Time: a quota that is all but nothing makes everybody wait; a second at most.
a > AlterClientQuotas 1 {Entries: [{Entity: [{EntityType: user, EntityName: null}], Ops: [{Key: request_percentage, Value: 0.000001}]}]}
a < {Entries: [{ErrorCode: NONE}]}
a > ApiVersions 2
a < {ThrottleTimeMs: *}
a > AlterClientQuotas 1 {Entries: [{Entity: [{EntityType: user, EntityName: null}], Ops: [{Key: request_percentage, Remove: true}]}]}
a < {Entries: [{ErrorCode: NONE}]}

metrics say sluice_kafka_throttled_total{quota="controller_mutation_rate"} 3

# Connections of an address: those that are too many are held for the time that they would have had to wait, and end.
a > AlterClientQuotas 1 {Entries: [{Entity: [{EntityType: ip, EntityName: 127.0.0.1}], Ops: [{Key: connection_creation_rate, Value: 1}]}]}
a < {Entries: [{ErrorCode: NONE}]}
i0 > ApiVersions 0
i0 < {ErrorCode: NONE}
i1 > ApiVersions 0
i1 < {ErrorCode: NONE}
i2 > ApiVersions 0
i2 < {ErrorCode: NONE}
i3 > ApiVersions 0
i3 < {ErrorCode: NONE}
i4 > ApiVersions 0
i4 < {ErrorCode: NONE}
i5 > ApiVersions 0
i5 < {ErrorCode: NONE}
i6 > ApiVersions 0
i6 < {ErrorCode: NONE}
i7 > ApiVersions 0
i7 < {ErrorCode: NONE}
i8 > ApiVersions 0
i8 < {ErrorCode: NONE}
i9 > ApiVersions 0
i9 < {ErrorCode: NONE}
j > ApiVersions 0
j < closed
metrics say sluice_kafka_throttled_total{quota="connection_creation_rate"} 1
wait 2 s
k > ApiVersions 0
k < {ErrorCode: NONE}
