# What administrators ask for that a single node without authentication has little to say to; and what they may set.

# No authorizer, no authentication, no tokens: Kafka's answers.
a > DescribeAcls 3 {ResourceTypeFilter: 1, PatternTypeFilter: 1, Operation: 1, PermissionType: 1, PrincipalFilter: null, HostFilter: null, ResourceNameFilter: null}
a < {ErrorCode: SECURITY_DISABLED, ErrorMessage: *, Resources: []}
a > CreateAcls 3 {Creations: [{ResourceType: 2, ResourceName: t, Principal: "User:ann", Host: "*", Operation: 3, PermissionType: 3}]}
a < {Results: [{ErrorCode: SECURITY_DISABLED, ErrorMessage: *}]}
a > DeleteAcls 1 {Filters: [{ResourceTypeFilter: 1, Operation: 1, PermissionType: 1}, {ResourceTypeFilter: 2, Operation: 1, PermissionType: 1}]}
a < {FilterResults: [{ErrorCode: SECURITY_DISABLED}, {ErrorCode: SECURITY_DISABLED}]}
a > SaslHandshake 1 {Mechanism: PLAIN}
a < {ErrorCode: ILLEGAL_SASL_STATE, Mechanisms: []}
a > SaslAuthenticate 2 {AuthBytes: "x"}
a < {ErrorCode: ILLEGAL_SASL_STATE, ErrorMessage: *}
a > CreateDelegationToken 3 {Renewers: [], MaxLifetimeMs: -1}
a < {ErrorCode: DELEGATION_TOKEN_REQUEST_NOT_ALLOWED, PrincipalName: ANONYMOUS}
a > RenewDelegationToken 2 {Hmac: "x", RenewPeriodMs: 1}
a < {ErrorCode: DELEGATION_TOKEN_REQUEST_NOT_ALLOWED}
a > ExpireDelegationToken 1 {Hmac: "x", ExpiryTimePeriodMs: 1}
a < {ErrorCode: DELEGATION_TOKEN_REQUEST_NOT_ALLOWED}
a > DescribeDelegationToken 1 {Owners: null}
a < {ErrorCode: DELEGATION_TOKEN_REQUEST_NOT_ALLOWED, Tokens: []}

# One controller, which is this node.
a > DescribeQuorum 2 {Topics: [{TopicName: __cluster_metadata, Partitions: [{PartitionIndex: 0}]}]}
a < {ErrorCode: NONE, Topics: [{Partitions: [{ErrorCode: NONE, LeaderId: 1, CurrentVoters: [{ReplicaId: 1}], Observers: []}]}], Nodes: [{NodeId: 1, Listeners: [*]}]}
a > DescribeQuorum 0 {Topics: [{TopicName: t, Partitions: [{PartitionIndex: 0}]}]}
a < {Topics: [{Partitions: [{ErrorCode: UNKNOWN_TOPIC_OR_PARTITION}]}]}
a > UnregisterBroker 0 {BrokerId: 2}
a < {ErrorCode: BROKER_ID_NOT_REGISTERED}
a > UnregisterBroker 0 {BrokerId: 1}
a < {ErrorCode: INVALID_REQUEST}
a > AddRaftVoter 1 {ClusterId: null, TimeoutMs: 1000, VoterId: 2, Listeners: [{Name: CONTROLLER, Host: h, Port: 1}]}
a < {ErrorCode: UNSUPPORTED_VERSION}
a > RemoveRaftVoter 0 {ClusterId: other, VoterId: 1}
a < {ErrorCode: INCONSISTENT_CLUSTER_ID}

# SCRAM credentials are kept, and never shown.
a > DescribeUserScramCredentials 0 {Users: null}
a < {ErrorCode: NONE, Results: []}
a > AlterUserScramCredentials 0 {Upsertions: [{Name: ann, Mechanism: 1, Iterations: 4096, Salt: "salt", SaltedPassword: "secret"}
        {Name: bob, Mechanism: 2, Iterations: 8192, Salt: "salt", SaltedPassword: "secret"}
        {Name: cid, Mechanism: 1, Iterations: 10, Salt: "salt", SaltedPassword: "secret"}
        {Name: dan, Mechanism: 3, Iterations: 4096, Salt: "salt", SaltedPassword: "secret"}
        {Name: eve, Mechanism: 1, Iterations: 4096, Salt: "salt", SaltedPassword: "secret"}
        {Name: eve, Mechanism: 2, Iterations: 4096, Salt: "salt", SaltedPassword: "secret"}]
        Deletions: [{Name: fay, Mechanism: 1}]}
a < {Results: [{User: fay, ErrorCode: RESOURCE_NOT_FOUND}, {User: ann, ErrorCode: NONE}, {User: bob, ErrorCode: NONE}
        {User: cid, ErrorCode: UNACCEPTABLE_CREDENTIAL}, {User: dan, ErrorCode: UNSUPPORTED_SASL_MECHANISM}, {User: eve, ErrorCode: DUPLICATE_RESOURCE}]}
a > AlterUserScramCredentials 0 {Upsertions: [{Name: ann, Mechanism: 2, Iterations: 5000, Salt: "salt", SaltedPassword: "secret"}]}
a < {Results: [{User: ann, ErrorCode: NONE}]}
kill
a > DescribeUserScramCredentials 0 {Users: []}
a < {ErrorCode: NONE, Results: [{User: ann, CredentialInfos: [{Mechanism: 1, Iterations: 4096}, {Mechanism: 2, Iterations: 5000}]}
        {User: bob, CredentialInfos: [{Mechanism: 2, Iterations: 8192}]}]}
a > DescribeUserScramCredentials 0 {Users: [{Name: bob}, {Name: eve}, {Name: ann}, {Name: eve}, {Name: fay}]}
a < {Results: [{User: bob, ErrorCode: NONE}, {User: eve, ErrorCode: DUPLICATE_RESOURCE}, {User: ann, ErrorCode: NONE}, {User: fay, ErrorCode: RESOURCE_NOT_FOUND}]}
a > AlterUserScramCredentials 0 {Deletions: [{Name: bob, Mechanism: 2}]}
a < {Results: [{User: bob, ErrorCode: NONE}]}
a > DescribeUserScramCredentials 0 {Users: [{Name: bob}]}
a < {Results: [{User: bob, ErrorCode: RESOURCE_NOT_FOUND}]}

# Features can be lowered and raised: all of a request or none.
a > ApiVersions 4 {ClientSoftwareName: story, ClientSoftwareVersion: 1}
a < {FinalizedFeaturesEpoch: 1, FinalizedFeatures: [{Name: group.version, MaxVersionLevel: 1}, {Name: transaction.version, MaxVersionLevel: 2}]}
a > UpdateFeatures 1 {FeatureUpdates: [{Feature: group.version, MaxVersionLevel: 0, UpgradeType: 2}, {Feature: metadata.version, MaxVersionLevel: 20, UpgradeType: 1}]}
a < {ErrorCode: INVALID_UPDATE_VERSION, ErrorMessage: *, Results: []}
a > UpdateFeatures 1 {FeatureUpdates: [{Feature: group.version, MaxVersionLevel: 0, UpgradeType: 1}]}
a < {ErrorCode: INVALID_UPDATE_VERSION}
a > UpdateFeatures 1 {FeatureUpdates: [{Feature: transaction.version, MaxVersionLevel: 3, UpgradeType: 1}]}
a < {ErrorCode: INVALID_UPDATE_VERSION}
a > UpdateFeatures 1 {FeatureUpdates: [{Feature: group.version, MaxVersionLevel: 0, UpgradeType: 2}], ValidateOnly: true}
a < {ErrorCode: NONE, Results: [{Feature: group.version, ErrorCode: NONE}]}
a > UpdateFeatures 2 {FeatureUpdates: [{Feature: group.version, MaxVersionLevel: 0, UpgradeType: 2}, {Feature: transaction.version, MaxVersionLevel: 1, UpgradeType: 2}]}
a < {ErrorCode: NONE}
kill
a > ApiVersions 4 {ClientSoftwareName: story, ClientSoftwareVersion: 1}
a < {FinalizedFeaturesEpoch: 2, FinalizedFeatures: [{Name: transaction.version, MaxVersionLevel: 1}]}
a > ConsumerGroupHeartbeat 1 {GroupId: g, MemberId: m, MemberEpoch: 0, RebalanceTimeoutMs: 30000, SubscribedTopicNames: [t], TopicPartitions: []}
a < {ErrorCode: UNSUPPORTED_VERSION}
a > ConsumerGroupDescribe 1 {GroupIds: [g]}
a < {Groups: [{ErrorCode: UNSUPPORTED_VERSION, GroupId: g}]}
a > UpdateFeatures 0 {FeatureUpdates: [{Feature: group.version, MaxVersionLevel: 1}]}
a < {ErrorCode: NONE, Results: [{Feature: group.version, ErrorCode: NONE}]}
a > ConsumerGroupHeartbeat 1 {GroupId: g, MemberId: m, MemberEpoch: 0, RebalanceTimeoutMs: 30000, SubscribedTopicNames: [t], TopicPartitions: []}
a < {ErrorCode: NONE}

# Groups and clients' metrics are configured, too; and who is, is listed.
a > IncrementalAlterConfigs 1 {Resources: [{ResourceType: 32, ResourceName: g, Configs: [{Name: consumer.session.timeout.ms, ConfigOperation: 0, Value: "50000"}]}
        {ResourceType: 16, ResourceName: sub, Configs: [{Name: metrics, ConfigOperation: 0, Value: "org.apache.kafka.producer."}, {Name: match, ConfigOperation: 0, Value: "client_id=a.*"}]}
        {ResourceType: 16, ResourceName: odd, Configs: [{Name: match, ConfigOperation: 0, Value: "colour=red"}]}
        {ResourceType: 16, ResourceName: odd, Configs: [{Name: interval.ms, ConfigOperation: 0, Value: "1"}]}
        {ResourceType: 16, ResourceName: "", Configs: []}]}
a < {Responses: [{ErrorCode: NONE}, {ErrorCode: NONE}, {ErrorCode: INVALID_CONFIG}, {ErrorCode: INVALID_CONFIG}, {ErrorCode: INVALID_REQUEST}]}
a > ListConfigResources 0
a < {ErrorCode: NONE, ConfigResources: [{ResourceName: sub}]}
a > ListConfigResources 1 {ResourceTypes: [32, 16, 4]}
a < {ErrorCode: NONE, ConfigResources: [{ResourceType: 4, ResourceName: "1"}, {ResourceType: 32, ResourceName: g}, {ResourceType: 16, ResourceName: sub}]}
a > ListConfigResources 1 {ResourceTypes: [99]}
a < {ErrorCode: UNSUPPORTED_VERSION}
a > DescribeConfigs 4 {Resources: [{ResourceType: 16, ResourceName: sub, ConfigurationKeys: null}]}
a < {Results: [{ErrorCode: NONE, Configs: [{Name: interval.ms, Value: "300000", ConfigSource: 5}, {Name: match, Value: "client_id=a.*", ConfigSource: 7}, {Name: metrics, ConfigSource: 7}]}]}
a > IncrementalAlterConfigs 1 {Resources: [{ResourceType: 16, ResourceName: sub, Configs: [{Name: metrics, ConfigOperation: 1, Value: null}, {Name: match, ConfigOperation: 1, Value: null}]}]}
a < {Responses: [{ErrorCode: NONE}]}
a > ListConfigResources 0
a < {ErrorCode: NONE, ConfigResources: []}

# A transaction that hangs in a log, because nobody knows of it any more, can be ended by hand.
a > CreateTopics 7 {Topics: [{Name: t, NumPartitions: 1, ReplicationFactor: 1}]}
a < {Topics: [{ErrorCode: NONE}]}
a > FindCoordinator 4 {KeyType: 1, CoordinatorKeys: [x]}
a < {Coordinators: [{ErrorCode: NONE}]}
a > InitProducerId 4 {TransactionalId: x, TransactionTimeoutMs: 60000}
a < {ErrorCode: NONE, ProducerId: $p, ProducerEpoch: 0}
a > AddPartitionsToTxn 3 {V3AndBelowTransactionalId: x, V3AndBelowProducerId: $p, V3AndBelowProducerEpoch: 0, V3AndBelowTopics: [{Name: t, Partitions: [0]}]}
a < {ResultsByTopicV3AndBelow: [{ResultsByPartition: [{PartitionErrorCode: NONE}]}]}
a > Produce 9 {TransactionalId: x, Acks: -1, TopicData: [{Name: t, PartitionData: [{Index: 0, Records: records(a=1; producer $p epoch 0 sequence 0 transactional)}]}]}
a < {Responses: [{PartitionResponses: [{ErrorCode: NONE}]}]}
a > WriteTxnMarkers 1 {Markers: [{ProducerId: $p, ProducerEpoch: 0, TransactionResult: false, CoordinatorEpoch: 0, Topics: [{Name: t, PartitionIndexes: [0, 7]}, {Name: u, PartitionIndexes: [0]}]}]}
a < {Markers: [{ProducerId: $p, Topics: [{Name: t, Partitions: [{PartitionIndex: 0, ErrorCode: NONE}, {ErrorCode: UNKNOWN_TOPIC_OR_PARTITION}]}, {Name: u, Partitions: [{ErrorCode: UNKNOWN_TOPIC_OR_PARTITION}]}]}]}
a > Fetch 11 {MaxWaitMs: 0, IsolationLevel: 1, MaxBytes: 10000, SessionEpoch: -1, Topics: [{Topic: t, Partitions: [{Partition: 0, FetchOffset: 0, PartitionMaxBytes: 10000}]}]}
a < {Responses: [{Partitions: [{HighWatermark: 2, LastStableOffset: 2, AbortedTransactions: [{ProducerId: $p, FirstOffset: 0}], Records: records(0: a=1)(1: abort)}]}]}
# One of an older epoch is refused, and what is none.
a > InitProducerId 4 {TransactionalId: x, TransactionTimeoutMs: 60000}
a < {ErrorCode: CONCURRENT_TRANSACTIONS}
wait 1 s
a > WriteTxnMarkers 2 {Markers: [{ProducerId: $p, ProducerEpoch: 0, TransactionResult: true, CoordinatorEpoch: 100, TransactionVersion: 1, Topics: [{Name: t, PartitionIndexes: [0]}]}]}
a < {Markers: [{Topics: [{Partitions: [{ErrorCode: INVALID_PRODUCER_EPOCH}]}]}]}
a > WriteTxnMarkers 2 {Markers: [{ProducerId: $p, ProducerEpoch: -1, TransactionResult: true, CoordinatorEpoch: 0, TransactionVersion: 1, Topics: [{Name: t, PartitionIndexes: [0]}]}]}
a < {Markers: [{Topics: [{Partitions: [{ErrorCode: INVALID_PRODUCER_EPOCH}]}]}]}
a > WriteTxnMarkers 1 {Markers: []}
a < {Markers: []}
