# What is wrong with one batch leaves the others alone, and says why.

a > CreateTopics 7 {Topics: [{Name: t, NumPartitions: 3, ReplicationFactor: 1}]}
a < {Topics: [{ErrorCode: NONE, TopicId: $t}]}

# Acknowledgements are 0, 1, or -1.
a > Produce 9 {Acks: 2, TopicData: [{Name: t, PartitionData: [{Index: 0, Records: records(a=1)}]}]}
a < {Responses: [{Name: t, PartitionResponses: [{Index: 0, ErrorCode: INVALID_REQUIRED_ACKS, BaseOffset: -1}]}]}

# One good among the bad.
a > Produce 9 {Acks: -1, TopicData: [
        {Name: t, PartitionData: [{Index: 0, Records: records(a=1; corrupt)}, {Index: 1, Records: records(a=1)}, {Index: 7, Records: records(a=1)}]}
        {Name: none, PartitionData: [{Index: 0, Records: records(a=1)}]}]}
a < {Responses: [
        {Name: t, PartitionResponses: [{Index: 0, ErrorCode: CORRUPT_MESSAGE, BaseOffset: -1}
            {Index: 1, ErrorCode: NONE, BaseOffset: 0}, {Index: 7, ErrorCode: UNKNOWN_TOPIC_OR_PARTITION}]}
        {Name: none, PartitionResponses: [{Index: 0, ErrorCode: UNKNOWN_TOPIC_OR_PARTITION}]}]}

# What a batch must be like.
a > Produce 9 {Acks: -1, TopicData: [{Name: t, PartitionData: [{Index: 0, Records: records(a=1)(b=2)}]}]}
a < {Responses: [{PartitionResponses: [{ErrorCode: INVALID_RECORD}]}]}
a > Produce 9 {Acks: -1, TopicData: [{Name: t, PartitionData: [{Index: 0, Records: records(a=1; count 2)}]}]}
a < {Responses: [{PartitionResponses: [{ErrorCode: INVALID_RECORD}]}]}
a > Produce 9 {Acks: -1, TopicData: [{Name: t, PartitionData: [{Index: 0, Records: records(a=1; delta 5)}]}]}
a < {Responses: [{PartitionResponses: [{ErrorCode: INVALID_RECORD}]}]}
a > Produce 9 {Acks: -1, TopicData: [{Name: t, PartitionData: [{Index: 0, Records: records(a=1; control)}]}]}
a < {Responses: [{PartitionResponses: [{ErrorCode: INVALID_RECORD}]}]}
a > Produce 9 {Acks: -1, TopicData: [{Name: t, PartitionData: [{Index: 0, Records: records(a=1; producer 5 epoch 0 sequence -1)}]}]}
a < {Responses: [{PartitionResponses: [{ErrorCode: INVALID_RECORD}]}]}
a > Produce 9 {Acks: -1, TopicData: [{Name: t, PartitionData: [{Index: 0, Records: records(a=1; magic 1)}]}]}
a < {Responses: [{PartitionResponses: [{ErrorCode: INVALID_RECORD}]}]}
a > Produce 9 {Acks: -1, TopicData: [{Name: t, PartitionData: [{Index: 0, Records: null}]}]}
a < {Responses: [{PartitionResponses: [{ErrorCode: INVALID_RECORD}]}]}
a > Produce 6 {Acks: -1, TopicData: [{Name: t, PartitionData: [{Index: 0, Records: records(a=11111111111111111111111111111111111111111111111; zstd)}]}]}
a < {Responses: [{PartitionResponses: [{ErrorCode: UNSUPPORTED_COMPRESSION_TYPE}]}]}
a > Produce 9 {Acks: -1, TopicData: [{Name: t, PartitionData: [{Index: 0, Records: records(a=1; append-time)}]}]}
a < {Responses: [{PartitionResponses: [{ErrorCode: INVALID_TIMESTAMP}]}]}
a > Produce 9 {Acks: -1, TopicData: [{Name: t, PartitionData: [{Index: 0, Records: records(a=1; time 99999999999999)}]}]}
a < {Responses: [{PartitionResponses: [{ErrorCode: INVALID_TIMESTAMP}]}]}

# By id.
a > Produce 13 {Acks: 1, TopicData: [{TopicId: $t, PartitionData: [{Index: 1, Records: records(b=2)}]}
        {TopicId: AAAAAAAAAAAAAAAAAAAABw, PartitionData: [{Index: 1, Records: records(b=2)}]}]}
a < {Responses: [{TopicId: $t, PartitionResponses: [{Index: 1, ErrorCode: NONE, BaseOffset: 1}]}
        {TopicId: AAAAAAAAAAAAAAAAAAAABw, PartitionResponses: [{ErrorCode: UNKNOWN_TOPIC_ID}]}]}

# Not where coordinators keep their state, which the broker knows how to write.
a > OffsetCommit 2 {GroupId: g, GenerationIdOrMemberEpoch: -1, Topics: [{Name: t, Partitions: [{PartitionIndex: 0, CommittedOffset: 3}]}]}
a < {Topics: [{Partitions: [{ErrorCode: NONE}]}]}
a > Produce 9 {Acks: -1, TopicData: [{Name: __consumer_offsets, PartitionData: [{Index: 0, Records: records(a=1)}]}]}
a < {Responses: [{PartitionResponses: [{ErrorCode: INVALID_TOPIC_EXCEPTION}]}]}

# Who waits for no answer learns of an error by the end of the connection.
b > Produce 9 {Acks: 0, TopicData: [{Name: none, PartitionData: [{Index: 0, Records: records(a=1)}]}]}
b < closed

# Old records, and versions that had them, are refused.
c >> 00000014 00000002 00000001 ffff ffff 000003e8 00000000
c < closed
