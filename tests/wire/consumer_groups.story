# A group of the new protocol: one request for everything, and the broker assigns.

a > CreateTopics 7 {Topics: [{Name: t, NumPartitions: 2, ReplicationFactor: 1}]}
a < {Topics: [{TopicId: $t}]}

a > ConsumerGroupHeartbeat 1 {GroupId: g, MemberId: a, MemberEpoch: 0, RebalanceTimeoutMs: 60000, SubscribedTopicNames: [t], TopicPartitions: []}
a < {ErrorCode: NONE, MemberId: a, MemberEpoch: 1, HeartbeatIntervalMs: 5000, Assignment: {TopicPartitions: [{TopicId: $t, Partitions: [0, 1]}]}}
a > ConsumerGroupHeartbeat 1 {GroupId: g, MemberId: a, MemberEpoch: 1, TopicPartitions: [{TopicId: $t, Partitions: [0, 1]}]}
a < {ErrorCode: NONE, MemberEpoch: 1, Assignment: null}

# A second one: the first gives one up, and only then the second gets it.
b > ConsumerGroupHeartbeat 1 {GroupId: g, MemberId: b, MemberEpoch: 0, RebalanceTimeoutMs: 60000, SubscribedTopicNames: [t], TopicPartitions: []}
b < {ErrorCode: NONE, MemberEpoch: 2, Assignment: {TopicPartitions: []}}
a > ConsumerGroupHeartbeat 1 {GroupId: g, MemberId: a, MemberEpoch: 1}
a < {ErrorCode: NONE, MemberEpoch: 1, Assignment: {TopicPartitions: [{TopicId: $t, Partitions: [0]}]}}
b > ConsumerGroupHeartbeat 1 {GroupId: g, MemberId: b, MemberEpoch: 2}
b < {ErrorCode: NONE, Assignment: null}
a > ConsumerGroupHeartbeat 1 {GroupId: g, MemberId: a, MemberEpoch: 1, TopicPartitions: [{TopicId: $t, Partitions: [0]}]}
a < {ErrorCode: NONE, MemberEpoch: 2}
b > ConsumerGroupHeartbeat 1 {GroupId: g, MemberId: b, MemberEpoch: 2}
b < {ErrorCode: NONE, MemberEpoch: 2, Assignment: {TopicPartitions: [{TopicId: $t, Partitions: [1]}]}}

# Offsets by epoch; a former epoch is too old.
a > OffsetCommit 9 {GroupId: g, GenerationIdOrMemberEpoch: 2, MemberId: a, Topics: [{Name: t, Partitions: [{PartitionIndex: 0, CommittedOffset: 4}]}]}
a < {Topics: [{Partitions: [{ErrorCode: NONE}]}]}
a > OffsetCommit 9 {GroupId: g, GenerationIdOrMemberEpoch: 7, MemberId: a, Topics: [{Name: t, Partitions: [{PartitionIndex: 0, CommittedOffset: 4}]}]}
a < {Topics: [{Partitions: [{ErrorCode: STALE_MEMBER_EPOCH}]}]}
a > OffsetFetch 9 {Groups: [{GroupId: g, MemberId: a, MemberEpoch: 2, Topics: [{Name: t, PartitionIndexes: [0]}]}]}
a < {Groups: [{ErrorCode: NONE, Topics: [{Partitions: [{CommittedOffset: 4}]}]}]}
a > ConsumerGroupHeartbeat 1 {GroupId: g, MemberId: a, MemberEpoch: 9}
a < {ErrorCode: FENCED_MEMBER_EPOCH}
a > ConsumerGroupHeartbeat 1 {GroupId: g, MemberId: "", MemberEpoch: 0, RebalanceTimeoutMs: 60000, SubscribedTopicNames: [t], TopicPartitions: []}
a < {ErrorCode: INVALID_REQUEST}
a > JoinGroup 5 {GroupId: g, SessionTimeoutMs: 10000, RebalanceTimeoutMs: 60000, ProtocolType: consumer, Protocols: [{Name: range, Metadata: "not what a consumer says"}]}
a < {ErrorCode: *}

power cut

a > ConsumerGroupHeartbeat 1 {GroupId: g, MemberId: a, MemberEpoch: 2}
a < {ErrorCode: NONE, MemberEpoch: 2, Assignment: *}
a > ConsumerGroupDescribe 1 {GroupIds: [g, none]}
a < {Groups: [{ErrorCode: NONE, GroupId: g, GroupState: Stable, GroupEpoch: 2, AssignmentEpoch: 2, Members: [
        {MemberId: a, MemberEpoch: 2, SubscribedTopicNames: [t]}, {MemberId: b}]}, {ErrorCode: GROUP_ID_NOT_FOUND}]}

# One leaves, the other is not heard of; what is left is nobody.
a > ConsumerGroupHeartbeat 1 {GroupId: g, MemberId: a, MemberEpoch: -1}
a < {ErrorCode: NONE, MemberEpoch: -1}
wait 50 s
a > ConsumerGroupDescribe 1 {GroupIds: [g]}
a < {Groups: [{GroupState: Empty, Members: []}]}
b > ConsumerGroupHeartbeat 1 {GroupId: g, MemberId: b, MemberEpoch: 2}
b < {ErrorCode: UNKNOWN_MEMBER_ID}
