# A consumer names its partitions once, and then hears only of those that have news.

a > CreateTopics 7 {Topics: [{Name: t, NumPartitions: 3, ReplicationFactor: 1}, {Name: u, NumPartitions: 1, ReplicationFactor: 1}]}
a < {Topics: [{TopicId: $t}, {TopicId: $u}]}

a > Fetch 12 {MaxWaitMs: 0, SessionEpoch: 0, Topics: [{Topic: t, Partitions: [{Partition: 0, PartitionMaxBytes: 1000}
        {Partition: 1, PartitionMaxBytes: 1000}, {Partition: 2, PartitionMaxBytes: 1000}]}]}
a < {ErrorCode: NONE, SessionId: $s, Responses: [{Topic: t, Partitions: [{PartitionIndex: 0}, {PartitionIndex: 1}, {PartitionIndex: 2}]}]}
# no news
a > Fetch 12 {MaxWaitMs: 300, MinBytes: 1, SessionId: $s, SessionEpoch: 1}
a < {ErrorCode: NONE, SessionId: $s, Responses: []} after 300 ms
# news of one
a > Fetch 12 {MaxWaitMs: 10000, MinBytes: 1, SessionId: $s, SessionEpoch: 2}
b > Produce 9 {Acks: -1, TopicData: [{Name: t, PartitionData: [{Index: 1, Records: records(a=0)}]}]}
b < {}
a < {SessionId: $s, Responses: [{Topic: t, Partitions: [{PartitionIndex: 1, HighWatermark: 1, Records: records(0: a=0)}]}]}
# its place is moved on, and one goes
a > Fetch 12 {MaxWaitMs: 0, MinBytes: 1, SessionId: $s, SessionEpoch: 3, Topics: [{Topic: t, Partitions: [{Partition: 1, FetchOffset: 1, PartitionMaxBytes: 1000}]}],
        ForgottenTopicsData: [{Topic: t, Partitions: [2]}]}
a < {SessionId: $s, Responses: []}
b > Produce 9 {Acks: -1, TopicData: [{Name: t, PartitionData: [{Index: 2, Records: records(c=0)}]}]}
b < {}
a > Fetch 12 {MaxWaitMs: 200, MinBytes: 1, SessionId: $s, SessionEpoch: 4}
a < {SessionId: $s, Responses: []} after 200 ms
# one comes
a > Fetch 12 {MaxWaitMs: 5000, MinBytes: 1, SessionId: $s, SessionEpoch: 5, Topics: [{Topic: u, Partitions: [{Partition: 0, PartitionMaxBytes: 1000}]}]}
b > Produce 9 {Acks: -1, TopicData: [{Name: u, PartitionData: [{Index: 0, Records: records(u=0)}]}]}
b < {}
a < {SessionId: $s, Responses: [{Topic: u, Partitions: [{PartitionIndex: 0, Records: records(0: u=0)}]}]}

# What cannot be: an epoch out of turn, a session that nobody knows, ids where there were names.
a > Fetch 12 {MaxWaitMs: 0, SessionId: $s, SessionEpoch: 9}
a < {ErrorCode: INVALID_FETCH_SESSION_EPOCH, Responses: []}
a > Fetch 12 {MaxWaitMs: 0, SessionId: 12345, SessionEpoch: 1}
a < {ErrorCode: FETCH_SESSION_ID_NOT_FOUND, Responses: []}
a > Fetch 13 {MaxWaitMs: 0, SessionId: $s, SessionEpoch: 6}
a < {ErrorCode: FETCH_SESSION_TOPIC_ID_ERROR}

# A topic that is made anew is another one to those who know it by its id.
a > Fetch 13 {MaxWaitMs: 0, SessionEpoch: 0, Topics: [{TopicId: $u, Partitions: [{Partition: 0, FetchOffset: 1, PartitionMaxBytes: 1000}]}]}
a < {SessionId: $by_id, Responses: [{TopicId: $u, Partitions: [{ErrorCode: NONE}]}]}
b > DeleteTopics 6 {Topics: [{Name: u}]}
b < {Responses: [{Name: u, ErrorCode: NONE}]}
b > CreateTopics 7 {Topics: [{Name: u, NumPartitions: 1, ReplicationFactor: 1}]}
b < {Topics: [{ErrorCode: NONE, TopicId: $u2}]}
a > Fetch 13 {MaxWaitMs: 5000, MinBytes: 1, SessionId: $by_id, SessionEpoch: 1}
a < {ErrorCode: NONE, Responses: [{TopicId: $u, Partitions: [{PartitionIndex: 0, ErrorCode: UNKNOWN_TOPIC_ID}]}]} after 0 ms
a > Fetch 13 {MaxWaitMs: 0, SessionId: $by_id, SessionEpoch: 2, Topics: [{TopicId: $u2, Partitions: [{Partition: 0, FetchOffset: 0, PartitionMaxBytes: 1000}]}],
        ForgottenTopicsData: [{TopicId: $u, Partitions: [0]}]}
a < {ErrorCode: NONE, Responses: [{TopicId: $u2, Partitions: [{ErrorCode: NONE, HighWatermark: 0}]}]}

# A session is closed by its client, and does not outlive the broker.
a > Fetch 13 {MaxWaitMs: 0, SessionId: $by_id, SessionEpoch: -1}
a < {ErrorCode: NONE, SessionId: 0, Responses: []}
a > Fetch 13 {MaxWaitMs: 0, SessionId: $by_id, SessionEpoch: 3}
a < {ErrorCode: FETCH_SESSION_ID_NOT_FOUND}
kill
a > Fetch 12 {MaxWaitMs: 0, SessionId: $s, SessionEpoch: 6}
a < {ErrorCode: FETCH_SESSION_ID_NOT_FOUND}
