# What topics are configured to be decides what they take.

a > CreateTopics 7 {Topics: [
        {Name: small, NumPartitions: 1, ReplicationFactor: 1, Configs: [{Name: max.message.bytes, Value: "100"}]}
        {Name: compact, NumPartitions: 1, ReplicationFactor: 1, Configs: [{Name: cleanup.policy, Value: compact}]}
        {Name: stamped, NumPartitions: 1, ReplicationFactor: 1, Configs: [{Name: message.timestamp.type, Value: LogAppendTime}]}
        {Name: odd, NumPartitions: 1, ReplicationFactor: 1, Configs: [{Name: no.such.thing, Value: "1"}]}
        {Name: wrong, NumPartitions: 1, ReplicationFactor: 1, Configs: [{Name: retention.ms, Value: "much"}]}]}
a < {Topics: [{ErrorCode: NONE}, {ErrorCode: NONE}, {ErrorCode: NONE}, {ErrorCode: INVALID_CONFIG}, {ErrorCode: INVALID_CONFIG}]}

# A batch that is too large.
a > Produce 9 {Acks: -1, TopicData: [{Name: small, PartitionData: [{Index: 0, Records: records(a=12345678901234567890123456789012345678901234567890)}]}]}
a < {Responses: [{Name: small, PartitionResponses: [{Index: 0, ErrorCode: MESSAGE_TOO_LARGE}]}]}

# A compacted topic needs keys; the record to blame is named.
a > Produce 9 {Acks: -1, TopicData: [{Name: compact, PartitionData: [{Index: 0, Records: records(a=1, ~=2)}]}]}
a < {Responses: [{PartitionResponses: [{ErrorCode: INVALID_RECORD, RecordErrors: [{BatchIndex: 1, BatchIndexErrorMessage: *}]}]}]}

a > Produce 9 {Acks: -1, TopicData: [{Name: compact, PartitionData: [{Index: 0, Records: records(~=1, a=2, ~=3, ~=4, b=5; gzip)}]}]}
a < {Responses: [{PartitionResponses: [{ErrorCode: INVALID_RECORD, RecordErrors: [{BatchIndex: 0}, {BatchIndex: 2}, {BatchIndex: 3}]}]}]}
a > Produce 9 {Acks: -1, TopicData: [{Name: compact, PartitionData: [{Index: 0, Records: records(~=1, a=2; time 99999999999999)}]}]}
a < {Responses: [{PartitionResponses: [{ErrorCode: INVALID_TIMESTAMP, RecordErrors: [{BatchIndex: 0}, {BatchIndex: 1}]}]}]}

# Topics with the broker's time say which time it was.
a > Produce 9 {Acks: -1, TopicData: [{Name: stamped, PartitionData: [{Index: 0, Records: records(a=1; time 1000)}]}]}
a < {Responses: [{PartitionResponses: [{ErrorCode: NONE, LogAppendTimeMs: $time}]}]}
a > Fetch 4 {MaxWaitMs: 0, Topics: [{Topic: stamped, Partitions: [{Partition: 0, FetchOffset: 0, PartitionMaxBytes: 1000}]}]}
a < {Responses: [{Partitions: [{Records: records(0: a=1; append-time)}]}]}

# What is set for all topics counts for those that were made before, too, unless they say otherwise themselves; and is taken back from them.
a > IncrementalAlterConfigs 1 {Resources: [{ResourceType: 4, ResourceName: "", Configs: [{Name: message.max.bytes, Value: "200"}, {Name: log.retention.ms, Value: "5000"}]}]}
a < {Responses: [{ErrorCode: NONE}]}
a > DescribeConfigs 4 {IncludeSynonyms: true, Resources: [
        {ResourceType: 2, ResourceName: compact, ConfigurationKeys: [max.message.bytes]}
        {ResourceType: 2, ResourceName: small, ConfigurationKeys: [max.message.bytes]}
        {ResourceType: 2, ResourceName: small, ConfigurationKeys: [retention.ms]}
        {ResourceType: 4, ResourceName: "", ConfigurationKeys: [log.retention.ms]}]}
a < {Results: [
        {Configs: [{Value: "200", ConfigSource: 3, Synonyms: [{Name: message.max.bytes, Value: "200", Source: 3}, {Value: "1048588", Source: 5}]}]}
        {Configs: [{Value: "100", ConfigSource: 1, Synonyms: [{Name: max.message.bytes, Source: 1}, {Source: 3}, {Source: 5}]}]}
        {Configs: [{Value: "5000", ConfigSource: 3, Synonyms: [{Name: log.retention.ms, Source: 3}, {Name: log.retention.hours, Source: 5}]}]}
        {Configs: [{Value: "5000", ConfigSource: 3, Synonyms: [{Name: log.retention.ms, Source: 3}]}]}]}
let $v = 12345678901234567890123456789012345678901234567890
a > Produce 9 {Acks: -1, TopicData: [{Name: compact, PartitionData: [{Index: 0, Records: records(a=$v$v$v$v)}]}]}
a < {Responses: [{PartitionResponses: [{ErrorCode: MESSAGE_TOO_LARGE}]}]}
restart
a > IncrementalAlterConfigs 1 {Resources: [{ResourceType: 4, ResourceName: "", Configs: [{Name: message.max.bytes, ConfigOperation: 1}, {Name: log.retention.ms, ConfigOperation: 1}]}]}
a < {Responses: [{ErrorCode: NONE}]}
a > Produce 9 {Acks: -1, TopicData: [{Name: compact, PartitionData: [{Index: 0, Records: records(a=$v$v$v$v)}]}]}
a < {Responses: [{PartitionResponses: [{ErrorCode: NONE}]}]}
a > DescribeConfigs 4 {IncludeSynonyms: true, Resources: [{ResourceType: 2, ResourceName: compact, ConfigurationKeys: [max.message.bytes]}, {ResourceType: 2, ResourceName: small, ConfigurationKeys: [retention.ms]}]}
a < {Results: [{Configs: [{Value: "1048588", ConfigSource: 5}]}, {Configs: [{Value: "604800000", ConfigSource: 5, Synonyms: []}]}]}
