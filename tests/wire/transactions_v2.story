# A transaction in the second protocol: writing is announcement enough, and every end raises the epoch.

a > CreateTopics 7 {Topics: [{Name: t, NumPartitions: 1, ReplicationFactor: 1}]}
a < {Topics: [{TopicId: $t}]}
a > InitProducerId 5 {TransactionalId: x, TransactionTimeoutMs: 60000}
a < {ErrorCode: NONE, ProducerId: $p, ProducerEpoch: 0}

a > Produce 13 {TransactionalId: x, Acks: -1, TopicData: [{TopicId: $t, PartitionData: [{Index: 0, Records: records(a=0; producer $p epoch 0 sequence 0 transactional)}]}]}
a < {Responses: [{PartitionResponses: [{ErrorCode: NONE, BaseOffset: 0}]}]}
a > TxnOffsetCommit 5 {TransactionalId: x, GroupId: g, ProducerId: $p, ProducerEpoch: 0, Topics: [{Name: t, Partitions: [{PartitionIndex: 0, CommittedOffset: 1, CommittedMetadata: ""}]}]}
a < {Topics: [{Partitions: [{ErrorCode: NONE}]}]}
a > EndTxn 5 {TransactionalId: x, ProducerId: $p, ProducerEpoch: 0, Committed: true}
a < {ErrorCode: NONE, ProducerId: $p, ProducerEpoch: 1}
# The answer was lost: the same again.
a > EndTxn 5 {TransactionalId: x, ProducerId: $p, ProducerEpoch: 0, Committed: true}
a < {ErrorCode: NONE, ProducerId: $p, ProducerEpoch: 1}
a > OffsetFetch 7 {GroupId: g, Topics: [{Name: t, PartitionIndexes: [0]}], RequireStable: true}
a < {Topics: [{Partitions: [{ErrorCode: NONE, CommittedOffset: 1}]}]}

# A batch of the former transaction comes late: it is no part of the next.
a > Produce 13 {TransactionalId: x, Acks: -1, TopicData: [{TopicId: $t, PartitionData: [{Index: 0, Records: records(a=late; producer $p epoch 0 sequence 1 transactional)}]}]}
a < {Responses: [{PartitionResponses: [{ErrorCode: INVALID_PRODUCER_EPOCH}]}]}

kill

a > Produce 13 {TransactionalId: x, Acks: -1, TopicData: [{TopicId: $t, PartitionData: [{Index: 0, Records: records(a=1; producer $p epoch 1 sequence 0 transactional)}]}]}
a < {Responses: [{PartitionResponses: [{ErrorCode: NONE, BaseOffset: 2}]}]}

power cut

a > EndTxn 5 {TransactionalId: x, ProducerId: $p, ProducerEpoch: 1, Committed: false}
a < {ErrorCode: NONE, ProducerId: $p, ProducerEpoch: 2}
a > Fetch 12 {MaxWaitMs: 0, IsolationLevel: 1, Topics: [{Topic: t, Partitions: [{Partition: 0, FetchOffset: 0, PartitionMaxBytes: 10000}]}]}
a < {Responses: [{Partitions: [{LastStableOffset: 4, AbortedTransactions: [{ProducerId: $p, FirstOffset: 2}]
        Records: records(0: a=0)(1: commit; epoch 1)(2: a=1)(3: abort; epoch 2)}]}]}
# A transaction in which nothing was written can be aborted, and not committed.
a > EndTxn 5 {TransactionalId: x, ProducerId: $p, ProducerEpoch: 2, Committed: true}
a < {ErrorCode: INVALID_TXN_STATE}
a > EndTxn 5 {TransactionalId: x, ProducerId: $p, ProducerEpoch: 2, Committed: false}
a < {ErrorCode: NONE, ProducerId: $p, ProducerEpoch: 3}

# A producer without a transaction may not write as if it had one; nor one of another id.
a > Produce 13 {TransactionalId: null, Acks: -1, TopicData: [{TopicId: $t, PartitionData: [{Index: 0, Records: records(a=2; producer $p epoch 3 sequence 0 transactional)}]}]}
a < {Responses: [{PartitionResponses: [{ErrorCode: *}]}]}
a > Produce 13 {TransactionalId: other, Acks: -1, TopicData: [{TopicId: $t, PartitionData: [{Index: 0, Records: records(a=2; producer $p epoch 3 sequence 0 transactional)}]}]}
a < {Responses: [{PartitionResponses: [{ErrorCode: *}]}]}
