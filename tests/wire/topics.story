# Topics are made, grown, and deleted.

a > CreateTopics 7 {Topics: [{Name: t, NumPartitions: 2, ReplicationFactor: 1, Configs: [{Name: retention.ms, Value: "3600000"}]}
        {Name: d, NumPartitions: -1, ReplicationFactor: -1}
        {Name: "a/b", NumPartitions: 1, ReplicationFactor: 1}
        {Name: three, NumPartitions: 1, ReplicationFactor: 3}
        {Name: zero, NumPartitions: 0, ReplicationFactor: 1}
        {Name: here, NumPartitions: -1, ReplicationFactor: -1, Assignments: [{PartitionIndex: 0, BrokerIds: [1]}, {PartitionIndex: 1, BrokerIds: [1]}]}
        {Name: there, NumPartitions: -1, ReplicationFactor: -1, Assignments: [{PartitionIndex: 0, BrokerIds: [2]}]}]}
a < {Topics: [{Name: t, ErrorCode: NONE, TopicId: $t, NumPartitions: 2, ReplicationFactor: 1}
        {Name: d, ErrorCode: NONE, NumPartitions: 1}
        {ErrorCode: INVALID_TOPIC_EXCEPTION}, {ErrorCode: INVALID_REPLICATION_FACTOR}, {ErrorCode: INVALID_PARTITIONS}
        {Name: here, ErrorCode: NONE, NumPartitions: 2}, {ErrorCode: INVALID_REPLICA_ASSIGNMENT}]}
a > CreateTopics 7 {Topics: [{Name: t, NumPartitions: 2, ReplicationFactor: 1}, {Name: x, NumPartitions: 1, ReplicationFactor: 1}, {Name: x, NumPartitions: 1, ReplicationFactor: 1}]}
a < {Topics: [{Name: t, ErrorCode: TOPIC_ALREADY_EXISTS}, {Name: x, ErrorCode: INVALID_REQUEST}, ...]}
# names that Kafka's metrics cannot tell apart
a > CreateTopics 7 {Topics: [{Name: a.b, NumPartitions: 1, ReplicationFactor: 1}]}
a < {Topics: [{ErrorCode: NONE}]}
a > CreateTopics 7 {Topics: [{Name: a_b, NumPartitions: 1, ReplicationFactor: 1}]}
a < {Topics: [{ErrorCode: INVALID_TOPIC_EXCEPTION}]}
# only asked
a > CreateTopics 7 {Topics: [{Name: v, NumPartitions: 4, ReplicationFactor: 1}], ValidateOnly: true}
a < {Topics: [{Name: v, ErrorCode: NONE, ErrorMessage: null, NumPartitions: 4}]}
a > Metadata 4 {Topics: [{Name: v}], AllowAutoTopicCreation: false}
a < {Topics: [{ErrorCode: UNKNOWN_TOPIC_OR_PARTITION}]}

a > CreatePartitions 3 {Topics: [{Name: t, Count: 4, Assignments: null}, {Name: d, Count: 1, Assignments: null}, {Name: none, Count: 3, Assignments: null}]}
a < {Results: [{Name: t, ErrorCode: NONE}, {Name: d, ErrorCode: INVALID_PARTITIONS}, {Name: none, ErrorCode: UNKNOWN_TOPIC_OR_PARTITION}]}
power cut
a > Metadata 12 {Topics: [{Name: t}]}
a < {Topics: [{TopicId: $t, Partitions: [{}, {}, {}, {}]}]}
a > Produce 9 {Acks: -1, TopicData: [{Name: t, PartitionData: [{Index: 3, Records: records(a=1)}]}]}
a < {Responses: [{PartitionResponses: [{ErrorCode: NONE, BaseOffset: 0}]}]}

a > DeleteTopics 6 {Topics: [{TopicId: $t}, {Name: none}, {TopicId: AAAAAAAAAAAAAAAAAAAABw}]}
a < {Responses: [{Name: t, TopicId: $t, ErrorCode: NONE}, {Name: none, ErrorCode: UNKNOWN_TOPIC_OR_PARTITION}, {ErrorCode: UNKNOWN_TOPIC_ID}]}
a > DeleteTopics 1 {TopicNames: [d]}
a < {Responses: [{Name: d, ErrorCode: NONE}]}
a > CreateTopics 7 {Topics: [{Name: t, NumPartitions: 1, ReplicationFactor: 1}]}
a < {Topics: [{ErrorCode: NONE, TopicId: $t2, NumPartitions: 1}]}
a > Fetch 4 {MaxWaitMs: 0, Topics: [{Topic: t, Partitions: [{Partition: 0, FetchOffset: 0, PartitionMaxBytes: 1000}]}]}
a < {Responses: [{Partitions: [{ErrorCode: NONE, HighWatermark: 0, Records: records()}]}]}

# What an administrator asks of a cluster of one.
a > DescribeCluster 2 {}
a < {ErrorCode: NONE, ControllerId: 1, Brokers: [{BrokerId: 1, Host: "127.0.0.1", Port: 9092}]}
a > DescribeLogDirs 4 {Topics: null}
a < {ErrorCode: NONE, Results: [{ErrorCode: NONE, LogDir: "/d", Topics: [...]}]}
a > ElectLeaders 2 {ElectionType: 0, TopicPartitions: [{Topic: t, Partitions: [0]}, {Topic: none, Partitions: [0]}]}
a < {ErrorCode: NONE, ReplicaElectionResults: [{Topic: t, PartitionResult: [{ErrorCode: ELECTION_NOT_NEEDED}]}
        {Topic: none, PartitionResult: [{ErrorCode: UNKNOWN_TOPIC_OR_PARTITION}]}]}
a > ListPartitionReassignments 0 {Topics: null}
a < {ErrorCode: NONE, Topics: []}
a > AlterPartitionReassignments 0 {Topics: [{Name: t, Partitions: [{PartitionIndex: 0, Replicas: [1]}, {PartitionIndex: 0, Replicas: [2]}]}]}
a < {Responses: [{Partitions: [{ErrorCode: NONE}, {ErrorCode: INVALID_REPLICA_ASSIGNMENT}]}]}
a > FindCoordinator 4 {KeyType: 0, CoordinatorKeys: [g, h]}
a < {Coordinators: [{Key: g, NodeId: 1, Host: "127.0.0.1", Port: 9092, ErrorCode: NONE}, {Key: h}]}
a > FindCoordinator 0 {Key: g}
a < {ErrorCode: NONE, NodeId: 1}
a > FindCoordinator 1 {Key: g}
a < {ErrorCode: NONE, ErrorMessage: NONE, NodeId: 1}

# Where nothing is wrong there is no message.
a > IncrementalAlterConfigs 1 {Resources: [{ResourceType: 2, ResourceName: t, Configs: [{Name: segment.bytes, ConfigOperation: 0, Value: "1048576"}]}]}
a < {Responses: [{ErrorCode: NONE, ErrorMessage: null}]}
a > AlterConfigs 1 {Resources: [{ResourceType: 2, ResourceName: t, Configs: [{Name: segment.bytes, Value: "2097152"}]}]}
a < {Responses: [{ErrorCode: NONE, ErrorMessage: null}]}
