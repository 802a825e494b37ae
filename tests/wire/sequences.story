# An idempotent producer's batches are there once and in order, whatever it sends again; over restarts too.

a > CreateTopics 7 {Topics: [{Name: t, NumPartitions: 2, ReplicationFactor: 1}]}
a < {Topics: [{ErrorCode: NONE}]}
a > InitProducerId 4 {TransactionalId: null, TransactionTimeoutMs: 0}
a < {ErrorCode: NONE, ProducerId: $p, ProducerEpoch: 0}
a > InitProducerId 4 {TransactionalId: null, TransactionTimeoutMs: 0}
a < {ErrorCode: NONE, ProducerId: $other}

a > Produce 9 {Acks: -1, TopicData: [{Name: t, PartitionData: [{Index: 0, Records: records(a=0, a=1; producer $p epoch 0 sequence 0)}]}]}
a < {Responses: [{PartitionResponses: [{ErrorCode: NONE, BaseOffset: 0}]}]}
a > Produce 9 {Acks: -1, TopicData: [{Name: t, PartitionData: [{Index: 0, Records: records(a=2; producer $p epoch 0 sequence 2)}]}]}
a < {Responses: [{PartitionResponses: [{ErrorCode: NONE, BaseOffset: 2}]}]}
# again: the offset of the first time
a > Produce 9 {Acks: -1, TopicData: [{Name: t, PartitionData: [{Index: 0, Records: records(a=0, a=1; producer $p epoch 0 sequence 0)}]}]}
a < {Responses: [{PartitionResponses: [{ErrorCode: NONE, BaseOffset: 0}]}]}
# one that skips, one that goes back
a > Produce 9 {Acks: -1, TopicData: [{Name: t, PartitionData: [{Index: 0, Records: records(a=5; producer $p epoch 0 sequence 5)}]}]}
a < {Responses: [{PartitionResponses: [{ErrorCode: OUT_OF_ORDER_SEQUENCE_NUMBER, BaseOffset: -1}]}]}
a > Produce 9 {Acks: -1, TopicData: [{Name: t, PartitionData: [{Index: 0, Records: records(a=1; producer $p epoch 0 sequence 1)}]}]}
a < {Responses: [{PartitionResponses: [{ErrorCode: OUT_OF_ORDER_SEQUENCE_NUMBER}]}]}
# several at once, the second of which hangs on the first
a > Produce 9 {Acks: -1, TopicData: [{Name: t, PartitionData: [{Index: 0, Records: records(a=3; producer $p epoch 0 sequence 3)}]}]}
a > Produce 9 {Acks: -1, TopicData: [{Name: t, PartitionData: [{Index: 0, Records: records(a=4; producer $p epoch 0 sequence 4)}]}]}
a > Produce 9 {Acks: -1, TopicData: [{Name: t, PartitionData: [{Index: 0, Records: records(a=4; producer $p epoch 0 sequence 4)}]}]}
a < {Responses: [{PartitionResponses: [{ErrorCode: NONE, BaseOffset: 3}]}]}
a < {Responses: [{PartitionResponses: [{ErrorCode: NONE, BaseOffset: 4}]}]}
a < {Responses: [{PartitionResponses: [{ErrorCode: NONE, BaseOffset: 4}]}]}

power cut

# The first try was answered, or not: the client sends it again.
a > Produce 9 {Acks: -1, TopicData: [{Name: t, PartitionData: [{Index: 0, Records: records(a=4; producer $p epoch 0 sequence 4)}]}]}
a < {Responses: [{PartitionResponses: [{ErrorCode: NONE, BaseOffset: 4}]}]}
a > Produce 9 {Acks: -1, TopicData: [{Name: t, PartitionData: [{Index: 0, Records: records(a=6; producer $p epoch 0 sequence 6)}]}]}
a < {Responses: [{PartitionResponses: [{ErrorCode: OUT_OF_ORDER_SEQUENCE_NUMBER}]}]}
a > Produce 9 {Acks: -1, TopicData: [{Name: t, PartitionData: [{Index: 0, Records: records(a=5; producer $p epoch 0 sequence 5)}]}]}
a < {Responses: [{PartitionResponses: [{ErrorCode: NONE, BaseOffset: 5}]}]}

# A newer epoch begins with 0, and shuts the older one out.
a > Produce 9 {Acks: -1, TopicData: [{Name: t, PartitionData: [{Index: 0, Records: records(a=7; producer $p epoch 1 sequence 7)}]}]}
a < {Responses: [{PartitionResponses: [{ErrorCode: OUT_OF_ORDER_SEQUENCE_NUMBER}]}]}
a > Produce 9 {Acks: -1, TopicData: [{Name: t, PartitionData: [{Index: 0, Records: records(a=6; producer $p epoch 1 sequence 0)}]}]}
a < {Responses: [{PartitionResponses: [{ErrorCode: NONE, BaseOffset: 6}]}]}
a > Produce 9 {Acks: -1, TopicData: [{Name: t, PartitionData: [{Index: 0, Records: records(a=x; producer $p epoch 0 sequence 6)}]}]}
a < {Responses: [{PartitionResponses: [{ErrorCode: INVALID_PRODUCER_EPOCH}]}]}

restart

a > InitProducerId 4 {TransactionalId: null, TransactionTimeoutMs: 0}
a < {ErrorCode: NONE, ProducerId: $third}
a > Produce 9 {Acks: -1, TopicData: [{Name: t, PartitionData: [{Index: 0, Records: records(a=6; producer $p epoch 1 sequence 0)}]}]}
a < {Responses: [{PartitionResponses: [{ErrorCode: NONE, BaseOffset: 6}]}]}
a > Fetch 4 {MaxWaitMs: 0, Topics: [{Topic: t, Partitions: [{Partition: 0, FetchOffset: 0, PartitionMaxBytes: 100000}]}]}
a < {Responses: [{Partitions: [{Records: records(0: a=0, a=1)(2: a=2)(3: a=3)(4: a=4)(5: a=5)(6: a=6)}]}]}
a > DescribeProducers 0 {Topics: [{Name: t, PartitionIndexes: [0]}]}
a < {Topics: [{Name: t, Partitions: [{ErrorCode: NONE, ActiveProducers: [{ProducerId: $p, ProducerEpoch: 1, LastSequence: 0, CurrentTxnStartOffset: -1}]}]}]}
