# Clients that begin large requests and do not go on hold up nobody.

good > CreateTopics 7 {Topics: [{Name: t, NumPartitions: 1, ReplicationFactor: 1}]}
good < {Topics: [{ErrorCode: NONE}]}

# An announced length takes nothing, however many announce one: small requests and large ones of others are answered as ever.
let $k = 0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef
let $l = $k$k$k$k$k$k$k$k$k$k$k$k$k$k$k$k$k$k$k$k$k$k$k$k
a1 >> 06000000 0000
a2 >> 06000000 0000
a3 >> 06000000 0000
a4 >> 06000000 0000
a5 >> 06000000 0000
a6 >> 06000000 0000
a7 >> 06000000 0000 20000*00
a8 >> 06000000 0000 20000*00
a9 >> 06000000 0000 20000*00
a10 >> 06000000 0000 20000*00
a11 >> 06000000 0000 20000*00
a12 >> 06000000 0000 20000*00
a13 >> 06000000 0000 20000*00
a14 >> 06000000 0000 20000*00
wait 2 s
good > ApiVersions 0 {}
good < {ErrorCode: NONE} after 0 ms
good > Produce 9 {Acks: -1, TopicData: [{Name: t, PartitionData: [{Index: 0, Records: records(a=$l,b=$l,c=$l,d=$l,e=$l,f=$l,g=$l,h=$l)}]}]}
good < {Responses: [{PartitionResponses: [{ErrorCode: NONE, BaseOffset: 0}]}]} after 0 ms

# What has come counts. Where there is no more memory for it the eldest goes on nevertheless, and is cut off when it does not though others wait.
# (What `whole` sends are no records, but they do come whole.)
restart
b >> 00800000 0000 0003 00000001 ffff ffff 0001 00000000 00000001 0001 "t" 00000001 00000000 007fffdb 7000000*00
whole >> 00800000 0000 0003 00000001 ffff ffff 0001 00000000 00000001 0001 "t" 00000001 00000000 007fffdb 7000000*00
wait 50 s
c >> 00800000 0000 0003 00000001 ffff ffff 0001 00000000 00000001 0001 "t" 00000001 00000000 007fffdb 5000000*00
b is cut off
whole >> 1388571*00
wait 100 ms
metrics say sluice_kafka_request_seconds_count{api="Produce"} 1
c >> 3388571*00
wait 100 ms
metrics say sluice_kafka_request_seconds_count{api="Produce"} 2

# All that there may be is requests that have come in part; nobody is cut off who goes on, and one after the other gets whole.
restart
a >> 00800000 0000 0003 00000001 ffff ffff 0001 00000000 00000001 0001 "t" 00000001 00000000 007fffdb 8000000*00
b >> 00800000 0000 0003 00000001 ffff ffff 0001 00000000 00000001 0001 "t" 00000001 00000000 007fffdb 8000000*00
a >> 300000*00
b >> 300000*00
c >> 00800000 0000 0003 00000001 ffff ffff 0001 00000000 00000001 0001 "t" 00000001 00000000 007fffdb 200000*00
good > ApiVersions 0 {}
good < {ErrorCode: NONE} after 0 ms
a >> 88571*00
b >> 88571*00
c >> 8188571*00
wait 100 ms
metrics say sluice_kafka_request_seconds_count{api="Produce"} 3

# Who sends a little now and then is no better off than who sends nothing.
restart
trickles >> 00800000 0000 0003 00000001 ffff ffff 0001 00000000 00000001 0001 "t" 00000001 00000000 007fffdb 8000000*00
b >> 00800000 0000 0003 00000001 ffff ffff 0001 00000000 00000001 0001 "t" 00000001 00000000 007fffdb 8000000*00
c >> 00800000 0000 0003 00000001 ffff ffff 0001 00000000 00000001 0001 "t" 00000001 00000000 007fffdb 700000*00
wait 400 ms
trickles >> 00
wait 400 ms
trickles >> 00
good > Produce 9 {Acks: -1, TopicData: [{Name: t, PartitionData: [{Index: 0, Records: records(a=$l,b=$l,c=$l,d=$l,e=$l,f=$l,g=$l,h=$l)}]}]}
good < {Responses: [{PartitionResponses: [{ErrorCode: NONE}]}]}
wait 400 ms
trickles >> 00
wait 400 ms
trickles is cut off
