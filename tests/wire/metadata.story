# A topic is there when it was made, or when somebody asks for it by name.
with partitions 3

a > Metadata 0 {Topics: []}
a < {Brokers: [{NodeId: 1, Host: "127.0.0.1", Port: 9092}], Topics: []}
a > Metadata 1 {Topics: []}
a < {Brokers: [{NodeId: 1, Rack: null}], ControllerId: 1, Topics: []}
a > Metadata 12 {Topics: null}
a < {ClusterId: $cluster, ControllerId: 1, Topics: []}

# It is made, but was not there when it was asked for; whoever asks again has it.
a > Metadata 4 {Topics: [{Name: made}], AllowAutoTopicCreation: false}
a < {Topics: [{ErrorCode: UNKNOWN_TOPIC_OR_PARTITION, Name: made, Partitions: []}]}
a > Metadata 12 {Topics: [{Name: made}], AllowAutoTopicCreation: true}
a < {Topics: [{ErrorCode: UNKNOWN_TOPIC_OR_PARTITION, Name: made, Partitions: []}]}
wait 1 s
a > Metadata 12 {Topics: [{Name: made}], IncludeTopicAuthorizedOperations: true}
a < {ClusterId: $cluster, Topics: [{ErrorCode: NONE, Name: made, TopicId: $id, IsInternal: false, Partitions: [
        {ErrorCode: NONE, PartitionIndex: 0, LeaderId: 1, ReplicaNodes: [1], IsrNodes: [1], OfflineReplicas: []}
        {PartitionIndex: 1}, {PartitionIndex: 2}], TopicAuthorizedOperations: 3576}]}
a > Metadata 12 {Topics: [{TopicId: $id, Name: null}]}
a < {Topics: [{ErrorCode: NONE, Name: made, TopicId: $id, TopicAuthorizedOperations: -2147483648}]}
a > Metadata 13 {Topics: [{TopicId: AAAAAAAAAAAAAAAAAAAABw, Name: null}]}
a < {ErrorCode: NONE, Topics: [{ErrorCode: UNKNOWN_TOPIC_ID, Name: null, TopicId: AAAAAAAAAAAAAAAAAAAABw}]}

# Names that cannot be.
a > Metadata 9 {Topics: [{Name: "a b"}, {Name: ".."}, {Name: made_}]}
a < {Topics: [{ErrorCode: INVALID_TOPIC_EXCEPTION, Name: "a b"}, {ErrorCode: INVALID_TOPIC_EXCEPTION}, *]}

kill

a > Metadata 12 {Topics: null}
a < {ClusterId: $cluster, Topics: [{Name: made, TopicId: $id, Partitions: [{}, {}, {}]}, {Name: made_}]}
a > DescribeTopicPartitions 0 {Topics: [{Name: made}, {Name: none}], ResponsePartitionLimit: 2000}
a < {Topics: [{ErrorCode: NONE, Name: made, TopicId: $id, Partitions: [{PartitionIndex: 0, LeaderId: 1}, ...]}
        {ErrorCode: UNKNOWN_TOPIC_OR_PARTITION, Name: none}], NextCursor: null}
a > DescribeTopicPartitions 0 {Topics: [{Name: made}, {Name: made_}], ResponsePartitionLimit: 2}
a < {Topics: [{Name: made, Partitions: [{PartitionIndex: 0}, {PartitionIndex: 1}]}], NextCursor: {TopicName: made, PartitionIndex: 2}}
a > DescribeTopicPartitions 0 {Topics: [{Name: made}, {Name: made_}], ResponsePartitionLimit: 2000, Cursor: {TopicName: made, PartitionIndex: 2}}
a < {Topics: [{Name: made, Partitions: [{PartitionIndex: 2}]}, {Name: made_, Partitions: [{}, {}, {}]}], NextCursor: null}

# Nor is one made whose name differs only by dots and underscores from that of another, be it asked for at the same time.
a > Metadata 9 {Topics: [{Name: made.}, {Name: x.y}, {Name: x_y}], AllowAutoTopicCreation: true}
a < {Topics: [{ErrorCode: INVALID_TOPIC_EXCEPTION, Name: made., Partitions: []}, {ErrorCode: UNKNOWN_TOPIC_OR_PARTITION, Name: x.y}, {ErrorCode: INVALID_TOPIC_EXCEPTION, Name: x_y}]}
a > Metadata 9 {Topics: [{Name: made.}], AllowAutoTopicCreation: false}
a < {Topics: [{ErrorCode: UNKNOWN_TOPIC_OR_PARTITION}]}

restart
with auto_create off

a > Metadata 12 {Topics: [{Name: another}]}
a < {Topics: [{ErrorCode: UNKNOWN_TOPIC_OR_PARTITION, Name: another}]}
wait 1 s
a > Metadata 12 {Topics: [{Name: another}]}
a < {Topics: [{ErrorCode: UNKNOWN_TOPIC_OR_PARTITION, Name: another}]}
