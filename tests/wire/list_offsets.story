# Offsets by time, and by what stands for one.

a > CreateTopics 7 {Topics: [{Name: t, NumPartitions: 1, ReplicationFactor: 1}, {Name: empty, NumPartitions: 1, ReplicationFactor: 1}]}
a < {}
a > Produce 9 {Acks: -1, TopicData: [{Name: t, PartitionData: [{Index: 0, Records: records(a=0; time 1000)}]}]}
a > Produce 9 {Acks: -1, TopicData: [{Name: t, PartitionData: [{Index: 0, Records: records(a=1; time 3000)}]}]}
a > Produce 9 {Acks: -1, TopicData: [{Name: t, PartitionData: [{Index: 0, Records: records(a=2; time 2000)}]}]}
a < {}
a < {}
a < {}
# latest, earliest, largest time, and those of tiers, which there are none of
a > ListOffsets 11 {Topics: [{Name: t, Partitions: [{PartitionIndex: 0, Timestamp: -1}]}]}
a < {Topics: [{Partitions: [{ErrorCode: NONE, Offset: 3, Timestamp: -1}]}]}
a > ListOffsets 11 {Topics: [{Name: t, Partitions: [{PartitionIndex: 0, Timestamp: -2}]}]}
a < {Topics: [{Partitions: [{ErrorCode: NONE, Offset: 0, Timestamp: -1}]}]}
a > ListOffsets 11 {Topics: [{Name: t, Partitions: [{PartitionIndex: 0, Timestamp: -3}]}]}
a < {Topics: [{Partitions: [{ErrorCode: NONE, Offset: 1, Timestamp: 3000}]}]}
a > ListOffsets 11 {Topics: [{Name: t, Partitions: [{PartitionIndex: 0, Timestamp: -4}]}]}
a < {Topics: [{Partitions: [{ErrorCode: NONE, Offset: 0}]}]}
a > ListOffsets 11 {Topics: [{Name: t, Partitions: [{PartitionIndex: 0, Timestamp: -5}]}]}
a < {Topics: [{Partitions: [{ErrorCode: NONE, Offset: -1}]}]}
# by time: the first whose time is not before it
a > ListOffsets 11 {Topics: [{Name: t, Partitions: [{PartitionIndex: 0, Timestamp: 0}]}]}
a < {Topics: [{Partitions: [{ErrorCode: NONE, Offset: 0, Timestamp: 1000}]}]}
a > ListOffsets 11 {Topics: [{Name: t, Partitions: [{PartitionIndex: 0, Timestamp: 1001}]}]}
a < {Topics: [{Partitions: [{Offset: 1, Timestamp: 3000}]}]}
a > ListOffsets 11 {Topics: [{Name: t, Partitions: [{PartitionIndex: 0, Timestamp: 3001}]}]}
a < {Topics: [{Partitions: [{ErrorCode: NONE, Offset: -1, Timestamp: -1}]}]}
# nothing there, and not there
a > ListOffsets 7 {Topics: [{Name: empty, Partitions: [{PartitionIndex: 0, Timestamp: -3}, {PartitionIndex: 1, Timestamp: -1}]}, {Name: none, Partitions: [{PartitionIndex: 0, Timestamp: -1}]}]}
a < {Topics: [{Partitions: [{ErrorCode: NONE, Offset: -1, Timestamp: -1}, {ErrorCode: UNKNOWN_TOPIC_OR_PARTITION, Offset: -1}]}
        {Partitions: [{ErrorCode: UNKNOWN_TOPIC_OR_PARTITION}]}]}
# a question that the version does not have
a > ListOffsets 5 {Topics: [{Name: t, Partitions: [{PartitionIndex: 0, Timestamp: -3}]}]}
a < {Topics: [{Partitions: [{ErrorCode: UNSUPPORTED_VERSION}]}]}
kill
a > ListOffsets 11 {Topics: [{Name: t, Partitions: [{PartitionIndex: 0, Timestamp: -3}]}]}
a < {Topics: [{Partitions: [{ErrorCode: NONE, Offset: 1, Timestamp: 3000}]}]}
