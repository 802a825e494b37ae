/* Kafka's error codes: one table, from which come the constants and kafka_error(). Retriable means that Kafka's own clients try again;
 * those that refresh their metadata first do so by the code. The texts are ours. */
#ifndef WIRE_KAFKA_ERRORS_H
#define WIRE_KAFKA_ERRORS_H

/* X(code, NAME, is retriable, text) */
/* clang-format off */
#define KAFKA_ERRORS(X) \
    X(-1, UNKNOWN_SERVER_ERROR, false, "the server met an error that it did not expect") \
    X(0, NONE, false, "no error") \
    X(1, OFFSET_OUT_OF_RANGE, false, "the offset is outside the range that the partition holds") \
    X(2, CORRUPT_MESSAGE, true, "the records failed their checksum, or are malformed") \
    X(3, UNKNOWN_TOPIC_OR_PARTITION, true, "there is no such topic or partition here") \
    X(4, INVALID_FETCH_SIZE, false, "the fetch size is invalid") \
    X(5, LEADER_NOT_AVAILABLE, true, "the partition has no leader at the moment") \
    X(6, NOT_LEADER_OR_FOLLOWER, true, "this server does not hold the partition") \
    X(7, REQUEST_TIMED_OUT, true, "the request timed out") \
    X(8, BROKER_NOT_AVAILABLE, false, "the broker is not available") \
    X(9, REPLICA_NOT_AVAILABLE, true, "the replica is not available") \
    X(10, MESSAGE_TOO_LARGE, false, "the batch is larger than the topic allows") \
    X(11, STALE_CONTROLLER_EPOCH, false, "the controller has moved on") \
    X(12, OFFSET_METADATA_TOO_LARGE, false, "the metadata of the committed offset is too large") \
    X(13, NETWORK_EXCEPTION, true, "the connection was lost before the answer came") \
    X(14, COORDINATOR_LOAD_IN_PROGRESS, true, "the coordinator is still loading") \
    X(15, COORDINATOR_NOT_AVAILABLE, true, "the coordinator is not available") \
    X(16, NOT_COORDINATOR, true, "this server is not the coordinator") \
    X(17, INVALID_TOPIC_EXCEPTION, false, "the topic's name or operation is not allowed") \
    X(18, RECORD_LIST_TOO_LARGE, false, "the records are larger than a segment") \
    X(19, NOT_ENOUGH_REPLICAS, true, "there are fewer replicas in sync than required") \
    X(20, NOT_ENOUGH_REPLICAS_AFTER_APPEND, true, "the records were written to fewer replicas than required") \
    X(21, INVALID_REQUIRED_ACKS, false, "acks is none of -1, 0 and 1") \
    X(22, ILLEGAL_GENERATION, false, "the group is in another generation") \
    X(23, INCONSISTENT_GROUP_PROTOCOL, false, "the member has no protocol in common with the group") \
    X(24, INVALID_GROUP_ID, false, "the group id is invalid") \
    X(25, UNKNOWN_MEMBER_ID, false, "the group does not know this member") \
    X(26, INVALID_SESSION_TIMEOUT, false, "the session timeout is outside the allowed range") \
    X(27, REBALANCE_IN_PROGRESS, false, "the group is rebalancing: join again") \
    X(28, INVALID_COMMIT_OFFSET_SIZE, false, "the offsets to commit are too large") \
    X(29, TOPIC_AUTHORIZATION_FAILED, false, "not authorized to access the topic") \
    X(30, GROUP_AUTHORIZATION_FAILED, false, "not authorized to access the group") \
    X(31, CLUSTER_AUTHORIZATION_FAILED, false, "not authorized to do this to the cluster") \
    X(32, INVALID_TIMESTAMP, false, "a record's timestamp is outside the allowed range") \
    X(33, UNSUPPORTED_SASL_MECHANISM, false, "the server does not support this SASL mechanism") \
    X(34, ILLEGAL_SASL_STATE, false, "the request does not fit the state of authentication") \
    X(35, UNSUPPORTED_VERSION, false, "the version is not supported") \
    X(36, TOPIC_ALREADY_EXISTS, false, "the topic exists already") \
    X(37, INVALID_PARTITIONS, false, "the number of partitions is invalid") \
    X(38, INVALID_REPLICATION_FACTOR, false, "the replication factor is below 1 or above the number of brokers") \
    X(39, INVALID_REPLICA_ASSIGNMENT, false, "the assignment of replicas is invalid") \
    X(40, INVALID_CONFIG, false, "the configuration is invalid") \
    X(41, NOT_CONTROLLER, true, "this server is not the controller") \
    X(42, INVALID_REQUEST, false, "the request is malformed, or its fields contradict each other") \
    X(43, UNSUPPORTED_FOR_MESSAGE_FORMAT, false, "the message format does not support this request") \
    X(44, POLICY_VIOLATION, false, "the request violates a policy") \
    X(45, OUT_OF_ORDER_SEQUENCE_NUMBER, false, "the producer's sequence number is not the next one") \
    X(46, DUPLICATE_SEQUENCE_NUMBER, false, "the producer's sequence number was there before") \
    X(47, INVALID_PRODUCER_EPOCH, false, "the producer has an old epoch") \
    X(48, INVALID_TXN_STATE, false, "the transaction is in a state that does not allow this") \
    X(49, INVALID_PRODUCER_ID_MAPPING, false, "the producer id is not that of the transactional id") \
    X(50, INVALID_TRANSACTION_TIMEOUT, false, "the transaction timeout is above the broker's maximum") \
    X(51, CONCURRENT_TRANSACTIONS, true, "another operation on the transaction is still going on") \
    X(52, TRANSACTION_COORDINATOR_FENCED, false, "the coordinator that sent the marker has been replaced") \
    X(53, TRANSACTIONAL_ID_AUTHORIZATION_FAILED, false, "not authorized to use the transactional id") \
    X(54, SECURITY_DISABLED, false, "security is off") \
    X(55, OPERATION_NOT_ATTEMPTED, false, "the operation was not tried, since another in the request failed") \
    X(56, KAFKA_STORAGE_ERROR, true, "the server could not read or write its disk") \
    X(57, LOG_DIR_NOT_FOUND, false, "there is no such log directory") \
    X(58, SASL_AUTHENTICATION_FAILED, false, "authentication failed") \
    X(59, UNKNOWN_PRODUCER_ID, false, "the producer id is not known, perhaps since all its records are deleted") \
    X(60, REASSIGNMENT_IN_PROGRESS, false, "a reassignment is going on") \
    X(61, DELEGATION_TOKEN_AUTH_DISABLED, false, "delegation tokens are off") \
    X(62, DELEGATION_TOKEN_NOT_FOUND, false, "there is no such delegation token") \
    X(63, DELEGATION_TOKEN_OWNER_MISMATCH, false, "the principal is neither owner nor renewer of the token") \
    X(64, DELEGATION_TOKEN_REQUEST_NOT_ALLOWED, false, "delegation tokens are not to be had over this connection") \
    X(65, DELEGATION_TOKEN_AUTHORIZATION_FAILED, false, "not authorized to use the delegation token") \
    X(66, DELEGATION_TOKEN_EXPIRED, false, "the delegation token has expired") \
    X(67, INVALID_PRINCIPAL_TYPE, false, "the type of principal is not supported") \
    X(68, NON_EMPTY_GROUP, false, "the group has members") \
    X(69, GROUP_ID_NOT_FOUND, false, "there is no such group") \
    X(70, FETCH_SESSION_ID_NOT_FOUND, true, "there is no such fetch session") \
    X(71, INVALID_FETCH_SESSION_EPOCH, true, "the fetch session is in another epoch") \
    X(72, LISTENER_NOT_FOUND, true, "the leader has no listener of this name") \
    X(73, TOPIC_DELETION_DISABLED, false, "deletion of topics is off") \
    X(74, FENCED_LEADER_EPOCH, true, "the leader epoch is older than the broker's") \
    X(75, UNKNOWN_LEADER_EPOCH, true, "the leader epoch is newer than the broker's") \
    X(76, UNSUPPORTED_COMPRESSION_TYPE, false, "this version does not support this compression") \
    X(77, STALE_BROKER_EPOCH, false, "the broker has another epoch by now") \
    X(78, OFFSET_NOT_AVAILABLE, true, "the high watermark has not caught up yet") \
    X(79, MEMBER_ID_REQUIRED, false, "join again with the member id given") \
    X(80, PREFERRED_LEADER_NOT_AVAILABLE, true, "the preferred leader is not available") \
    X(81, GROUP_MAX_SIZE_REACHED, false, "the group has as many members as are allowed") \
    X(82, FENCED_INSTANCE_ID, false, "another member took this static instance id") \
    X(83, ELIGIBLE_LEADERS_NOT_AVAILABLE, true, "no eligible leader is available") \
    X(84, ELECTION_NOT_NEEDED, true, "the partition has that leader already") \
    X(85, NO_REASSIGNMENT_IN_PROGRESS, false, "no reassignment is going on") \
    X(86, GROUP_SUBSCRIBED_TO_TOPIC, false, "the group is subscribed to the topic") \
    X(87, INVALID_RECORD, false, "a record was rejected") \
    X(88, UNSTABLE_OFFSET_COMMIT, true, "a transaction that is not complete holds the offset") \
    X(89, THROTTLING_QUOTA_EXCEEDED, true, "the quota is used up for now") \
    X(90, PRODUCER_FENCED, false, "a newer producer took this transactional id") \
    X(91, RESOURCE_NOT_FOUND, false, "there is no such resource") \
    X(92, DUPLICATE_RESOURCE, false, "the resource is there twice") \
    X(93, UNACCEPTABLE_CREDENTIAL, false, "the credential does not meet the requirements") \
    X(94, INCONSISTENT_VOTER_SET, false, "sender and receiver know different voters") \
    X(95, INVALID_UPDATE_VERSION, false, "the update has an invalid version") \
    X(96, FEATURE_UPDATE_FAILED, false, "the features could not be updated") \
    X(97, PRINCIPAL_DESERIALIZATION_FAILURE, false, "the forwarded principal is malformed") \
    X(98, SNAPSHOT_NOT_FOUND, false, "there is no such snapshot") \
    X(99, POSITION_OUT_OF_RANGE, false, "the position is outside the snapshot") \
    X(100, UNKNOWN_TOPIC_ID, true, "there is no topic of this id here") \
    X(101, DUPLICATE_BROKER_REGISTRATION, false, "the broker id is in use") \
    X(102, BROKER_ID_NOT_REGISTERED, false, "there is no broker of this id") \
    X(103, INCONSISTENT_TOPIC_ID, true, "the topic has another id") \
    X(104, INCONSISTENT_CLUSTER_ID, false, "the cluster has another id") \
    X(105, TRANSACTIONAL_ID_NOT_FOUND, false, "there is no such transactional id") \
    X(106, FETCH_SESSION_TOPIC_ID_ERROR, true, "the fetch session mixes topic names and ids") \
    X(107, INELIGIBLE_REPLICA, false, "the replica cannot be in sync") \
    X(108, NEW_LEADER_ELECTED, false, "the partition has a new leader") \
    X(109, OFFSET_MOVED_TO_TIERED_STORAGE, false, "the offset is in tiered storage") \
    X(110, FENCED_MEMBER_EPOCH, false, "the member's epoch is not the group's: join again") \
    X(111, UNRELEASED_INSTANCE_ID, false, "another member still holds this static instance id") \
    X(112, UNSUPPORTED_ASSIGNOR, false, "the group does not support this assignor") \
    X(113, STALE_MEMBER_EPOCH, false, "the member has a newer epoch by now") \
    X(114, MISMATCHED_ENDPOINT_TYPE, false, "the request was sent to the wrong kind of endpoint") \
    X(115, UNSUPPORTED_ENDPOINT_TYPE, false, "this kind of endpoint is not supported") \
    X(116, UNKNOWN_CONTROLLER_ID, false, "there is no controller of this id") \
    X(117, UNKNOWN_SUBSCRIPTION_ID, false, "the telemetry subscription has changed") \
    X(118, TELEMETRY_TOO_LARGE, false, "the telemetry is too large") \
    X(119, INVALID_REGISTRATION, false, "the registration is invalid") \
    X(120, TRANSACTION_ABORTABLE, false, "the transaction must be aborted") \
    X(121, INVALID_RECORD_STATE, false, "the record is in a state that does not allow this") \
    X(122, SHARE_SESSION_NOT_FOUND, true, "there is no such share session") \
    X(123, INVALID_SHARE_SESSION_EPOCH, true, "the share session is in another epoch") \
    X(124, FENCED_STATE_EPOCH, false, "the share state has a newer epoch") \
    X(125, INVALID_VOTER_KEY, false, "the voter's key is invalid") \
    X(126, DUPLICATE_VOTER, false, "the voter is there already") \
    X(127, VOTER_NOT_FOUND, false, "there is no such voter") \
    X(128, INVALID_REGULAR_EXPRESSION, false, "the regular expression is invalid") \
    X(129, REBOOTSTRAP_REQUIRED, false, "the client has to bootstrap again") \
    X(130, STREAMS_INVALID_TOPOLOGY, false, "the topology is invalid") \
    X(131, STREAMS_INVALID_TOPOLOGY_EPOCH, false, "the topology has another epoch") \
    X(132, STREAMS_TOPOLOGY_FENCED, false, "the topology is older than the group's") \
    X(133, SHARE_SESSION_LIMIT_REACHED, true, "there are as many share sessions as are allowed") \
    X(134, GROUP_DELETION_FAILED, false, "the group could not be deleted") \
    X(135, STREAMS_TOPOLOGY_DESCRIPTION_UPDATE_FAILED, false, "the description of the topology could not be updated") \
    X(136, CONTROLLER_ID_NOT_REGISTERED, false, "there is no registered controller of this id")
/* clang-format on */

enum kafka_error_code {
#define KAFKA_ERROR_CODE(code, name, is_retriable, text) KAFKA_ERR_##name = code,
    KAFKA_ERRORS(KAFKA_ERROR_CODE)
#undef KAFKA_ERROR_CODE
        KAFKA_ERRORS_END /* above the last code */
};

#endif
