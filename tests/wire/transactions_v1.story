# A transaction in the first protocol: partitions and offsets are announced before they are written to.

a > CreateTopics 7 {Topics: [{Name: t, NumPartitions: 2, ReplicationFactor: 1}]}
a < {}
a > InitProducerId 4 {TransactionalId: x, TransactionTimeoutMs: 60000}
a < {ErrorCode: NONE, ProducerId: $p, ProducerEpoch: 0}
a > InitProducerId 4 {TransactionalId: "", TransactionTimeoutMs: 60000}
a < {ErrorCode: INVALID_REQUEST}
a > InitProducerId 4 {TransactionalId: y, TransactionTimeoutMs: 90000000}
a < {ErrorCode: INVALID_TRANSACTION_TIMEOUT}

# What was not announced is refused.
a > Produce 9 {TransactionalId: x, Acks: -1, TopicData: [{Name: t, PartitionData: [{Index: 0, Records: records(a=0; producer $p epoch 0 sequence 0 transactional)}]}]}
a < {Responses: [{PartitionResponses: [{ErrorCode: INVALID_TXN_STATE}]}]}
a > AddPartitionsToTxn 3 {V3AndBelowTransactionalId: x, V3AndBelowProducerId: $p, V3AndBelowProducerEpoch: 0, V3AndBelowTopics: [{Name: t, Partitions: [0, 1]}]}
a < {ResultsByTopicV3AndBelow: [{Name: t, ResultsByPartition: [{PartitionIndex: 0, PartitionErrorCode: NONE}, {PartitionErrorCode: NONE}]}]}
a > Produce 9 {TransactionalId: x, Acks: -1, TopicData: [{Name: t, PartitionData: [{Index: 0, Records: records(a=0; producer $p epoch 0 sequence 0 transactional)}]}]}
a < {Responses: [{PartitionResponses: [{ErrorCode: NONE, BaseOffset: 0}]}]}
b > Produce 9 {Acks: -1, TopicData: [{Name: t, PartitionData: [{Index: 0, Records: records(b=0)}]}]}
b < {Responses: [{PartitionResponses: [{BaseOffset: 1}]}]}

# Who reads committed records waits for the end, behind everything that is open.
b > Fetch 11 {MaxWaitMs: 0, IsolationLevel: 1, Topics: [{Topic: t, Partitions: [{Partition: 0, FetchOffset: 0, PartitionMaxBytes: 10000}]}]}
b < {Responses: [{Partitions: [{HighWatermark: 2, LastStableOffset: 0, Records: records()}]}]}
b > Fetch 11 {MaxWaitMs: 0, IsolationLevel: 0, Topics: [{Topic: t, Partitions: [{Partition: 0, FetchOffset: 0, PartitionMaxBytes: 10000}]}]}
b < {Responses: [{Partitions: [{HighWatermark: 2, LastStableOffset: 0, Records: records(0: a=0)(1: b=0)}]}]}
b > ListOffsets 7 {IsolationLevel: 1, Topics: [{Name: t, Partitions: [{PartitionIndex: 0, Timestamp: -1}]}]}
b < {Topics: [{Partitions: [{Offset: 0}]}]}
b > Fetch 11 {MaxWaitMs: 30000, MinBytes: 1, IsolationLevel: 1, Topics: [{Topic: t, Partitions: [{Partition: 0, FetchOffset: 0, PartitionMaxBytes: 10000}]}]}
b < nothing for 2 s

# Offsets are part of it, and nobody sees them before.
a > AddOffsetsToTxn 3 {TransactionalId: x, ProducerId: $p, ProducerEpoch: 0, GroupId: g}
a < {ErrorCode: NONE}
a > TxnOffsetCommit 3 {TransactionalId: x, GroupId: g, ProducerId: $p, ProducerEpoch: 0, Topics: [{Name: t, Partitions: [{PartitionIndex: 1, CommittedOffset: 5, CommittedMetadata: ""}]}]}
a < {Topics: [{Partitions: [{ErrorCode: NONE}]}]}
a > OffsetFetch 7 {GroupId: g, Topics: [{Name: t, PartitionIndexes: [1]}], RequireStable: true}
a < {Topics: [{Partitions: [{ErrorCode: UNSTABLE_OFFSET_COMMIT}]}]}
a > OffsetFetch 7 {GroupId: g, Topics: [{Name: t, PartitionIndexes: [1]}]}
a < {Topics: [{Partitions: [{ErrorCode: NONE, CommittedOffset: -1}]}]}

a > EndTxn 3 {TransactionalId: x, ProducerId: $p, ProducerEpoch: 0, Committed: true}
a < {ErrorCode: NONE}
b < {Responses: [{Partitions: [{AbortedTransactions: [], Records: records(0: a=0; transactional)(1: b=0)(2: commit; producer $p epoch 0)}]}]}
a > OffsetFetch 7 {GroupId: g, Topics: [{Name: t, PartitionIndexes: [1]}], RequireStable: true}
a < {Topics: [{Partitions: [{ErrorCode: NONE, CommittedOffset: 5}]}]}
# the same end again is fine, the other one is not
a > EndTxn 3 {TransactionalId: x, ProducerId: $p, ProducerEpoch: 0, Committed: true}
a < {ErrorCode: NONE}
a > EndTxn 3 {TransactionalId: x, ProducerId: $p, ProducerEpoch: 0, Committed: false}
a < {ErrorCode: INVALID_TXN_STATE}

# The next one is aborted: its records stay where they are, and are said to be of no account.
a > AddPartitionsToTxn 3 {V3AndBelowTransactionalId: x, V3AndBelowProducerId: $p, V3AndBelowProducerEpoch: 0, V3AndBelowTopics: [{Name: t, Partitions: [0]}]}
a < {}
a > Produce 9 {TransactionalId: x, Acks: -1, TopicData: [{Name: t, PartitionData: [{Index: 0, Records: records(a=1; producer $p epoch 0 sequence 1 transactional)}]}]}
a < {Responses: [{PartitionResponses: [{ErrorCode: NONE, BaseOffset: 3}]}]}
a > EndTxn 3 {TransactionalId: x, ProducerId: $p, ProducerEpoch: 0, Committed: false}
a < {ErrorCode: NONE}
b > Fetch 11 {MaxWaitMs: 0, IsolationLevel: 1, Topics: [{Topic: t, Partitions: [{Partition: 0, FetchOffset: 3, PartitionMaxBytes: 10000}]}]}
b < {Responses: [{Partitions: [{LastStableOffset: 5, AbortedTransactions: [{ProducerId: $p, FirstOffset: 3}], Records: records(3: a=1)(4: abort)}]}]}
b > Fetch 11 {MaxWaitMs: 0, IsolationLevel: 0, Topics: [{Topic: t, Partitions: [{Partition: 0, FetchOffset: 3, PartitionMaxBytes: 10000}]}]}
b < {Responses: [{Partitions: [{AbortedTransactions: null, Records: records(3: a=1)(4: abort)}]}]}

# A second life of the producer shuts the first one out, and ends what it had begun.
a > AddPartitionsToTxn 3 {V3AndBelowTransactionalId: x, V3AndBelowProducerId: $p, V3AndBelowProducerEpoch: 0, V3AndBelowTopics: [{Name: t, Partitions: [0]}]}
a < {}
a > Produce 9 {TransactionalId: x, Acks: -1, TopicData: [{Name: t, PartitionData: [{Index: 0, Records: records(a=2; producer $p epoch 0 sequence 2 transactional)}]}]}
a < {Responses: [{PartitionResponses: [{BaseOffset: 5}]}]}

kill

b > DescribeTransactions 0 {TransactionalIds: [x, none]}
b < {TransactionStates: [{ErrorCode: NONE, TransactionalId: x, TransactionState: Ongoing, ProducerId: $p, ProducerEpoch: 0, Topics: [{Topic: t, Partitions: [0]}]}
        {ErrorCode: TRANSACTIONAL_ID_NOT_FOUND}]}
b > InitProducerId 4 {TransactionalId: x, TransactionTimeoutMs: 60000}
b < {ErrorCode: CONCURRENT_TRANSACTIONS}
wait 1 s
b > InitProducerId 4 {TransactionalId: x, TransactionTimeoutMs: 60000}
b < {ErrorCode: NONE, ProducerId: $p, ProducerEpoch: 2}
a > EndTxn 3 {TransactionalId: x, ProducerId: $p, ProducerEpoch: 0, Committed: true}
a < {ErrorCode: PRODUCER_FENCED}
a > Produce 9 {TransactionalId: x, Acks: -1, TopicData: [{Name: t, PartitionData: [{Index: 0, Records: records(a=3; producer $p epoch 0 sequence 3 transactional)}]}]}
a < {Responses: [{PartitionResponses: [{ErrorCode: INVALID_PRODUCER_EPOCH}]}]}
b > Fetch 11 {MaxWaitMs: 0, IsolationLevel: 1, Topics: [{Topic: t, Partitions: [{Partition: 0, FetchOffset: 5, PartitionMaxBytes: 10000}]}]}
b < {Responses: [{Partitions: [{LastStableOffset: 7, AbortedTransactions: [{FirstOffset: 5}], Records: records(5: a=2)(6: abort; epoch 1)}]}]}

# One that nobody ends is ended by the clock.
b > AddPartitionsToTxn 3 {V3AndBelowTransactionalId: x, V3AndBelowProducerId: $p, V3AndBelowProducerEpoch: 2, V3AndBelowTopics: [{Name: t, Partitions: [1]}]}
b < {}
b > Produce 9 {TransactionalId: x, Acks: -1, TopicData: [{Name: t, PartitionData: [{Index: 1, Records: records(a=4; producer $p epoch 2 sequence 0 transactional)}]}]}
b < {Responses: [{PartitionResponses: [{ErrorCode: NONE, BaseOffset: 1}]}]}
b > ListTransactions 0 {}
b < {ErrorCode: NONE, TransactionStates: [{TransactionalId: x, ProducerId: $p, TransactionState: Ongoing}]}
wait 75 s
b > DescribeTransactions 0 {TransactionalIds: [x]}
b < {TransactionStates: [{TransactionState: CompleteAbort}]}
b > Fetch 11 {MaxWaitMs: 0, IsolationLevel: 1, Topics: [{Topic: t, Partitions: [{Partition: 1, FetchOffset: 0, PartitionMaxBytes: 10000}]}]}
b < {Responses: [{Partitions: [{LastStableOffset: 3, AbortedTransactions: [{FirstOffset: 1}], Records: records(0: commit)(1: a=4)(2: abort)}]}]}
b > EndTxn 3 {TransactionalId: x, ProducerId: $p, ProducerEpoch: 2, Committed: true}
b < {ErrorCode: PRODUCER_FENCED}
