# A consumer group of the first protocol, from its first member to its last.

a > CreateTopics 7 {Topics: [{Name: t, NumPartitions: 2, ReplicationFactor: 1}]}
a < {}

# Who has no member id yet gets one, and comes again with it. The first generation waits for others, 3 s.
a > JoinGroup 5 {GroupId: g, SessionTimeoutMs: 10000, RebalanceTimeoutMs: 60000, ProtocolType: consumer, Protocols: [{Name: range, Metadata: "about a"}]}
a < {ErrorCode: MEMBER_ID_REQUIRED, GenerationId: -1, MemberId: $a}
b > JoinGroup 5 {GroupId: g, SessionTimeoutMs: 10000, RebalanceTimeoutMs: 60000, ProtocolType: consumer, Protocols: [{Name: range, Metadata: "about b"}]}
b < {ErrorCode: MEMBER_ID_REQUIRED, MemberId: $b}
a > JoinGroup 5 {GroupId: g, MemberId: $a, SessionTimeoutMs: 10000, RebalanceTimeoutMs: 60000, ProtocolType: consumer, Protocols: [{Name: range, Metadata: "about a"}]}
a < nothing for 1 s
b > JoinGroup 5 {GroupId: g, MemberId: $b, SessionTimeoutMs: 10000, RebalanceTimeoutMs: 60000, ProtocolType: consumer,
        Protocols: [{Name: other, Metadata: "x"}, {Name: range, Metadata: "about b"}]}
# The leader alone hears who is there, and what they said of themselves.
a < {ErrorCode: NONE, GenerationId: 1, ProtocolName: range, Leader: $a, MemberId: $a,
        Members: [{MemberId: $a, GroupInstanceId: null, Metadata: "about a"}, {MemberId: $b, Metadata: "about b"}]}
b < {ErrorCode: NONE, GenerationId: 1, ProtocolName: range, Leader: $a, MemberId: $b, Members: []}

# Nobody gets an assignment before the leader has made them.
b > SyncGroup 3 {GroupId: g, GenerationId: 1, MemberId: $b}
b < nothing for 2 s
a > SyncGroup 3 {GroupId: g, GenerationId: 1, MemberId: $a, Assignments: [{MemberId: $a, Assignment: "first half"}, {MemberId: $b, Assignment: "second half"}]}
a < {ErrorCode: NONE, Assignment: "first half"}
b < {ErrorCode: NONE, Assignment: "second half"}
a > Heartbeat 3 {GroupId: g, GenerationId: 1, MemberId: $a}
a < {ErrorCode: NONE}
a > Heartbeat 3 {GroupId: g, GenerationId: 7, MemberId: $a}
a < {ErrorCode: ILLEGAL_GENERATION}
a > Heartbeat 3 {GroupId: g, GenerationId: 1, MemberId: nobody}
a < {ErrorCode: UNKNOWN_MEMBER_ID}

# Offsets are committed by those who are in the group, in its generation.
a > OffsetCommit 7 {GroupId: g, GenerationIdOrMemberEpoch: 1, MemberId: $a, Topics: [{Name: t, Partitions: [{PartitionIndex: 0, CommittedOffset: 11, CommittedMetadata: "so far"}]}]}
a < {Topics: [{Name: t, Partitions: [{PartitionIndex: 0, ErrorCode: NONE}]}]}
a > OffsetCommit 7 {GroupId: g, GenerationIdOrMemberEpoch: 0, MemberId: $a, Topics: [{Name: t, Partitions: [{PartitionIndex: 0, CommittedOffset: 5}]}]}
a < {Topics: [{Partitions: [{ErrorCode: ILLEGAL_GENERATION}]}]}
a > OffsetFetch 7 {GroupId: g, Topics: [{Name: t, PartitionIndexes: [0, 1]}]}
a < {ErrorCode: NONE, Topics: [{Name: t, Partitions: [{PartitionIndex: 0, CommittedOffset: 11, Metadata: "so far"}, {PartitionIndex: 1, CommittedOffset: -1, ErrorCode: NONE}]}]}

a > DescribeGroups 5 {Groups: [g]}
a < {Groups: [{ErrorCode: NONE, GroupId: g, GroupState: Stable, ProtocolType: consumer, ProtocolData: range, Members: [
        {MemberId: $a, ClientId: story, MemberMetadata: "about a", MemberAssignment: "first half"}, {MemberId: $b}]}]}
a > ListGroups 5 {}
a < {ErrorCode: NONE, Groups: [{GroupId: g, ProtocolType: consumer, GroupState: Stable, GroupType: *}]}

power cut

# The group is as it was, with its members, generation and offsets.
a > Heartbeat 3 {GroupId: g, GenerationId: 1, MemberId: $a}
a < {ErrorCode: NONE}
b > Heartbeat 3 {GroupId: g, GenerationId: 1, MemberId: $b}
b < {ErrorCode: NONE}
a > OffsetFetch 7 {GroupId: g, Topics: null}
a < {ErrorCode: NONE, Topics: [{Name: t, Partitions: [{PartitionIndex: 0, CommittedOffset: 11, Metadata: "so far"}]}]}

# A third one comes: the others hear of it by their heartbeats, and join again.
c > JoinGroup 3 {GroupId: g, SessionTimeoutMs: 10000, RebalanceTimeoutMs: 30000, ProtocolType: consumer, Protocols: [{Name: range, Metadata: "about c"}]}
c < nothing for 1 s
a > Heartbeat 3 {GroupId: g, GenerationId: 1, MemberId: $a}
a < {ErrorCode: REBALANCE_IN_PROGRESS}
a > JoinGroup 5 {GroupId: g, MemberId: $a, SessionTimeoutMs: 10000, RebalanceTimeoutMs: 30000, ProtocolType: consumer, Protocols: [{Name: range, Metadata: "about a"}]}
b > JoinGroup 5 {GroupId: g, MemberId: $b, SessionTimeoutMs: 10000, RebalanceTimeoutMs: 30000, ProtocolType: consumer, Protocols: [{Name: range, Metadata: "about b"}]}
a < {ErrorCode: NONE, GenerationId: 2, Leader: $a, Members: [*, *, *]}
b < {ErrorCode: NONE, GenerationId: 2}
c < {ErrorCode: NONE, GenerationId: 2, MemberId: $c}
a > SyncGroup 3 {GroupId: g, GenerationId: 2, MemberId: $a, Assignments: [{MemberId: $c, Assignment: "all"}]}
a < {ErrorCode: NONE, Assignment: ""}
c > SyncGroup 3 {GroupId: g, GenerationId: 2, MemberId: $c}
c < {ErrorCode: NONE, Assignment: "all"}
b > SyncGroup 3 {GroupId: g, GenerationId: 2, MemberId: $b}
b < {ErrorCode: NONE}

# One leaves, and one is not heard of any more.
b > LeaveGroup 3 {GroupId: g, Members: [{MemberId: $b}]}
b < {ErrorCode: NONE, Members: [{MemberId: $b, ErrorCode: NONE}]}
wait 3 s
a > JoinGroup 5 {GroupId: g, MemberId: $a, SessionTimeoutMs: 10000, RebalanceTimeoutMs: 30000, ProtocolType: consumer, Protocols: [{Name: range, Metadata: "about a"}]}
a < {ErrorCode: NONE, GenerationId: 3, Leader: $a, Members: [{MemberId: $a}]}
a > LeaveGroup 0 {GroupId: g, MemberId: $a}
a < {ErrorCode: NONE}
a > DescribeGroups 5 {Groups: [g, none]}
a < {Groups: [{GroupState: Empty, Members: []}, {ErrorCode: NONE, GroupId: none, GroupState: Dead}]}
a > DescribeGroups 6 {Groups: [none]}
a < {Groups: [{ErrorCode: GROUP_ID_NOT_FOUND, GroupState: Dead}]}

# What cannot be.
a > JoinGroup 5 {GroupId: "", SessionTimeoutMs: 10000, RebalanceTimeoutMs: 60000, ProtocolType: consumer, Protocols: [{Name: range, Metadata: ""}]}
a < {ErrorCode: INVALID_GROUP_ID}
a > JoinGroup 5 {GroupId: h, SessionTimeoutMs: 1, RebalanceTimeoutMs: 60000, ProtocolType: consumer, Protocols: [{Name: range, Metadata: ""}]}
a < {ErrorCode: INVALID_SESSION_TIMEOUT}
a > JoinGroup 5 {GroupId: h, SessionTimeoutMs: 10000, RebalanceTimeoutMs: 60000, ProtocolType: consumer, Protocols: []}
a < {ErrorCode: INCONSISTENT_GROUP_PROTOCOL}

# Offsets go when they are told to, and with the group.
a > OffsetDelete 0 {GroupId: g, Topics: [{Name: t, Partitions: [{PartitionIndex: 0}]}]}
a < {ErrorCode: NONE, Topics: [{Partitions: [{ErrorCode: NONE}]}]}
a > OffsetFetch 8 {Groups: [{GroupId: g, Topics: null}]}
a < {Groups: [{GroupId: g, ErrorCode: NONE, Topics: []}]}
a > DeleteGroups 2 {GroupsNames: [g, none]}
a < {Results: [{GroupId: g, ErrorCode: NONE}, {GroupId: none, ErrorCode: GROUP_ID_NOT_FOUND}]}
a > ListGroups 5 {}
a < {Groups: []}
