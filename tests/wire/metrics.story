# What /metrics says of the broker: requests and errors by API, and how far groups are behind.

a > CreateTopics 7 {Topics: [{Name: t, NumPartitions: 2, ReplicationFactor: 1}]}
a < {Topics: [{ErrorCode: NONE}]}
a > Produce 9 {Acks: -1, TopicData: [{Name: t, PartitionData: [{Index: 1, Records: records(a=1, b=2, c=3)}]}, {Name: none, PartitionData: [{Index: 0, Records: records(a=1)}]}]}
a < {Responses: [{PartitionResponses: [{ErrorCode: NONE}]}, {PartitionResponses: [{ErrorCode: UNKNOWN_TOPIC_OR_PARTITION}]}]}
metrics say sluice_kafka_connections 1
metrics say sluice_kafka_request_seconds_count{api="Produce"} 1
metrics say sluice_kafka_request_seconds_bucket{api="Produce",le="+Inf"} 1
metrics say sluice_kafka_errors_total{api="Produce",error="UNKNOWN_TOPIC_OR_PARTITION"} 1
a > OffsetCommit 8 {GroupId: g, GenerationIdOrMemberEpoch: -1, Topics: [{Name: t, Partitions: [{PartitionIndex: 1, CommittedOffset: 1}]}]}
a < {Topics: [{Partitions: [{ErrorCode: NONE}]}]}
metrics say sluice_kafka_group_lag_records{group="g",topic="t",partition="1"} 2
metrics say sluice_kafka_group_lag_left_out 0
metrics say sluice_kafka_groups{state="empty"} 1
a > OffsetCommit 8 {GroupId: g, GenerationIdOrMemberEpoch: -1, Topics: [{Name: t, Partitions: [{PartitionIndex: 1, CommittedOffset: 3}]}]}
a < {Topics: [{Partitions: [{ErrorCode: NONE}]}]}
metrics say sluice_kafka_group_lag_records{group="g",topic="t",partition="1"} 0
# A group that is gone lags no more.
a > DeleteGroups 2 {GroupsNames: [g]}
a < {Results: [{ErrorCode: NONE}]}
metrics say sluice_kafka_groups{state="empty"} 0
