# Requests are answered in their order, however they come; what is no request ends its own connection and no other.

good > ApiVersions 2 {}
good < {ErrorCode: NONE}

# Many requests ahead of their answers; a fetch that waits holds up what is behind it, but not other connections.
a > CreateTopics 7 {Topics: [{Name: t, NumPartitions: 1, ReplicationFactor: 1}]}
a > Metadata 1 {Topics: [{Name: t}]}
a > Produce 9 {Acks: -1, TopicData: [{Name: t, PartitionData: [{Index: 0, Records: records(a=1)}]}]}
a > Produce 9 {Acks: -1, TopicData: [{Name: t, PartitionData: [{Index: 0, Records: records(a=2)}]}]}
a > Produce 9 {Acks: -1, TopicData: [{Name: t, PartitionData: [{Index: 0, Records: records(a=3)}]}]}
a > Fetch 4 {MaxWaitMs: 5000, MinBytes: 1, Topics: [{Topic: t, Partitions: [{Partition: 0, FetchOffset: 3, PartitionMaxBytes: 1000}]}]}
a > ApiVersions 0 {}
a < {Topics: [{ErrorCode: NONE}]}
a < {Topics: [{ErrorCode: NONE, Name: t, Partitions: [{LeaderId: 1}]}]}
a < {Responses: [{PartitionResponses: [{BaseOffset: 0}]}]}
a < {Responses: [{PartitionResponses: [{BaseOffset: 1}]}]}
a < {Responses: [{PartitionResponses: [{BaseOffset: 2}]}]}
good > Metadata 1 {Topics: [{Name: t}]}
good < {Topics: [{Name: t}]}
a < nothing for 1 s
good > Produce 9 {Acks: -1, TopicData: [{Name: t, PartitionData: [{Index: 0, Records: records(a=4)}]}]}
a < {Responses: [{Partitions: [{Records: records(3: a=4)}]}]} after 0 ms
a < {ErrorCode: NONE} after 0 ms
good < {Responses: [{PartitionResponses: [{BaseOffset: 3}]}]}

# A request may come in pieces, byte by byte; slowly, but not for ever.
b >> 000000
wait 2 s
b >> 0b 00120000
wait 40 s
b >> 00000007 0001
b < nothing for 5 s
b >> 61
# (its answer is not looked at: the story does not know what was asked)
b closes
c >> 0000000b 0012
c < nothing for 50 s
c < closed

# Lengths that cannot be: negative, too short for a header, too large; and garbage of all kinds.
d >> ffffffff
d < closed
e >> 00000003 001200
e < closed
f >> 06400001
f < closed
g >> "GET / HTTP/1.1" 0d0a0d0a
g < closed
h >> 16030100 c5010000 c10303
h < closed
# an API that nobody knows; one that only brokers use; a version that is not served; a body that is cut off
i >> 0000000a 03e80000 00000001 ffff
i < closed
j >> 0000000a 001b0001 00000001 ffff
j < closed
k >> 0000000a 00010003 00000001 ffff
k < closed
l >> 0000000e 00030001 00000001 ffff 00000005
l < closed
# a count of elements that no request could hold
m >> 0000000e 00030001 00000001 ffff 7fffffff
m < closed
# an announced length takes nothing
n >> 063fffff
n < nothing for 10 s

good > ApiVersions 0 {}
good < {ErrorCode: NONE}

# What was asked before the garbage is answered.
o > ApiVersions 0 {}
o >> ffffffff
o < {ErrorCode: NONE}
o < closed

# Who says nothing for ten minutes is let go.
p > ApiVersions 0 {}
p < {ErrorCode: NONE}
wait 580 s
p < nothing for 10 s
p < closed

# What a client sent before it went is done, also if it had not waited for an answer.
q > Produce 9 {Acks: 0, TopicData: [{Name: t, PartitionData: [{Index: 0, Records: records(q=1)}]}]}
q > Produce 9 {Acks: 0, TopicData: [{Name: t, PartitionData: [{Index: 0, Records: records(q=2)}]}]}
q closes
wait 1 s
r > Fetch 4 {MaxWaitMs: 0, Topics: [{Topic: t, Partitions: [{Partition: 0, FetchOffset: 4, PartitionMaxBytes: 100000}]}]}
r < {Responses: [{Partitions: [{Records: records(4: q=1)(5: q=2)}]}]}
