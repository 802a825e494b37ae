# A member with a name of its own comes back as itself.

a > JoinGroup 7 {GroupId: g, GroupInstanceId: one, SessionTimeoutMs: 10000, RebalanceTimeoutMs: 60000, ProtocolType: consumer, Protocols: [{Name: range, Metadata: "x"}]}
a < {ErrorCode: NONE, GenerationId: 1, MemberId: $one, Members: [{GroupInstanceId: one}]}
a > SyncGroup 5 {GroupId: g, GenerationId: 1, MemberId: $one, GroupInstanceId: one, ProtocolType: consumer, ProtocolName: range, Assignments: [{MemberId: $one, Assignment: "all"}]}
a < {ErrorCode: NONE, Assignment: "all"}

# It died and is back, with another member id and no rebalance; its former self is shut out.
b > JoinGroup 7 {GroupId: g, GroupInstanceId: one, SessionTimeoutMs: 10000, RebalanceTimeoutMs: 60000, ProtocolType: consumer, Protocols: [{Name: range, Metadata: "x"}]}
b < {ErrorCode: NONE, GenerationId: 1, MemberId: $again}
b > SyncGroup 5 {GroupId: g, GenerationId: 1, MemberId: $again, GroupInstanceId: one, ProtocolType: consumer, ProtocolName: range}
b < {ErrorCode: NONE, Assignment: "all"}
a > Heartbeat 4 {GroupId: g, GenerationId: 1, MemberId: $one, GroupInstanceId: one}
a < {ErrorCode: FENCED_INSTANCE_ID}
a > JoinGroup 7 {GroupId: g, MemberId: $one, GroupInstanceId: one, SessionTimeoutMs: 10000, RebalanceTimeoutMs: 60000, ProtocolType: consumer, Protocols: [{Name: range, Metadata: "x"}]}
a < {ErrorCode: FENCED_INSTANCE_ID}

power cut

b > Heartbeat 4 {GroupId: g, GenerationId: 1, MemberId: $again, GroupInstanceId: one}
b < {ErrorCode: NONE}
a > Heartbeat 4 {GroupId: g, GenerationId: 1, MemberId: $one, GroupInstanceId: one}
a < {ErrorCode: FENCED_INSTANCE_ID}

# Another joins, and meanwhile the first one dies and comes again: its new member id is of a generation that is not durable yet.
c > JoinGroup 7 {GroupId: g, GroupInstanceId: two, SessionTimeoutMs: 10000, RebalanceTimeoutMs: 60000, ProtocolType: consumer, Protocols: [{Name: range, Metadata: "y"}]}
c < nothing for 1 s
a > JoinGroup 7 {GroupId: g, GroupInstanceId: one, SessionTimeoutMs: 10000, RebalanceTimeoutMs: 60000, ProtocolType: consumer, Protocols: [{Name: range, Metadata: "x"}]}
a < {ErrorCode: NONE, GenerationId: 2, MemberId: $third}
c < {ErrorCode: NONE, GenerationId: 2}

kill

# The broker knows nothing of that id. That is no proof of another holder of the name: the member is told to come anew.
a > SyncGroup 5 {GroupId: g, GenerationId: 2, MemberId: $third, GroupInstanceId: one, ProtocolType: consumer, ProtocolName: range}
a < {ErrorCode: UNKNOWN_MEMBER_ID}
a > JoinGroup 7 {GroupId: g, MemberId: $third, GroupInstanceId: one, SessionTimeoutMs: 10000, RebalanceTimeoutMs: 60000, ProtocolType: consumer, Protocols: [{Name: range, Metadata: "x"}]}
a < {ErrorCode: UNKNOWN_MEMBER_ID}
a > JoinGroup 7 {GroupId: g, GroupInstanceId: one, SessionTimeoutMs: 10000, RebalanceTimeoutMs: 60000, ProtocolType: consumer, Protocols: [{Name: range, Metadata: "x"}]}
a < {ErrorCode: NONE, MemberId: $fourth}

# It leaves by its name.
a > LeaveGroup 3 {GroupId: g, Members: [{MemberId: "", GroupInstanceId: one}, {MemberId: "", GroupInstanceId: none}]}
a < {Members: [{GroupInstanceId: one, ErrorCode: NONE}, {GroupInstanceId: none, ErrorCode: UNKNOWN_MEMBER_ID}]}
