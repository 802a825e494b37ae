/* The APIs that are served. What is not here is not advertised, and ends the connection, as in Kafka. */
#include "broker/api.h"

static const struct api apis[] = {
    /*                                         may begin behind others of its kind */
    {KAFKA_API_PRODUCE, true, handle_produce},
    {KAFKA_API_FETCH, false, handle_fetch},
    {KAFKA_API_LIST_OFFSETS, false, handle_list_offsets},
    {KAFKA_API_METADATA, false, handle_metadata},
    {KAFKA_API_OFFSET_COMMIT, false, coordinator_serve},
    {KAFKA_API_OFFSET_FETCH, false, coordinator_serve},
    {KAFKA_API_FIND_COORDINATOR, false, handle_find_coordinator},
    {KAFKA_API_JOIN_GROUP, false, coordinator_serve},
    {KAFKA_API_HEARTBEAT, false, coordinator_serve},
    {KAFKA_API_LEAVE_GROUP, false, coordinator_serve},
    {KAFKA_API_SYNC_GROUP, false, coordinator_serve},
    {KAFKA_API_DESCRIBE_GROUPS, false, coordinator_serve},
    {KAFKA_API_LIST_GROUPS, false, coordinator_serve},
    {KAFKA_API_SASL_HANDSHAKE, false, handle_sasl_handshake},
    {KAFKA_API_API_VERSIONS, false, handle_api_versions},
    {KAFKA_API_CREATE_TOPICS, false, handle_create_topics},
    {KAFKA_API_DELETE_TOPICS, false, handle_delete_topics},
    {KAFKA_API_DELETE_RECORDS, false, handle_delete_records},
    {KAFKA_API_INIT_PRODUCER_ID, false, handle_init_producer_id},
    {KAFKA_API_OFFSET_FOR_LEADER_EPOCH, false, handle_offset_for_leader_epoch},
    {KAFKA_API_ADD_PARTITIONS_TO_TXN, false, handle_add_partitions_to_txn},
    {KAFKA_API_ADD_OFFSETS_TO_TXN, false, handle_add_offsets_to_txn},
    {KAFKA_API_END_TXN, false, handle_end_txn},
    {KAFKA_API_WRITE_TXN_MARKERS, false, handle_write_txn_markers},
    {KAFKA_API_TXN_OFFSET_COMMIT, false, handle_txn_offset_commit},
    {KAFKA_API_DESCRIBE_ACLS, false, handle_describe_acls},
    {KAFKA_API_CREATE_ACLS, false, handle_create_acls},
    {KAFKA_API_DELETE_ACLS, false, handle_delete_acls},
    {KAFKA_API_DESCRIBE_CONFIGS, false, handle_describe_configs},
    {KAFKA_API_ALTER_CONFIGS, false, handle_alter_configs},
    {KAFKA_API_INCREMENTAL_ALTER_CONFIGS, false, handle_incremental_alter_configs},
    {KAFKA_API_LIST_CONFIG_RESOURCES, false, handle_list_config_resources},
    {KAFKA_API_ALTER_REPLICA_LOG_DIRS, false, handle_alter_replica_log_dirs},
    {KAFKA_API_DESCRIBE_LOG_DIRS, false, handle_describe_log_dirs},
    {KAFKA_API_SASL_AUTHENTICATE, false, handle_sasl_authenticate},
    {KAFKA_API_CREATE_PARTITIONS, false, handle_create_partitions},
    {KAFKA_API_CREATE_DELEGATION_TOKEN, false, handle_create_delegation_token},
    {KAFKA_API_RENEW_DELEGATION_TOKEN, false, handle_renew_delegation_token},
    {KAFKA_API_EXPIRE_DELEGATION_TOKEN, false, handle_expire_delegation_token},
    {KAFKA_API_DESCRIBE_DELEGATION_TOKEN, false, handle_describe_delegation_token},
    {KAFKA_API_DELETE_GROUPS, false, coordinator_serve},
    {KAFKA_API_ELECT_LEADERS, false, handle_elect_leaders},
    {KAFKA_API_ALTER_PARTITION_REASSIGNMENTS, false, handle_alter_partition_reassignments},
    {KAFKA_API_LIST_PARTITION_REASSIGNMENTS, false, handle_list_partition_reassignments},
    {KAFKA_API_OFFSET_DELETE, false, coordinator_serve},
    {KAFKA_API_DESCRIBE_CLIENT_QUOTAS, false, handle_describe_client_quotas},
    {KAFKA_API_ALTER_CLIENT_QUOTAS, false, handle_alter_client_quotas},
    {KAFKA_API_DESCRIBE_USER_SCRAM_CREDENTIALS, false, handle_describe_user_scram_credentials},
    {KAFKA_API_ALTER_USER_SCRAM_CREDENTIALS, false, handle_alter_user_scram_credentials},
    {KAFKA_API_DESCRIBE_QUORUM, false, handle_describe_quorum},
    {KAFKA_API_UPDATE_FEATURES, false, handle_update_features},
    {KAFKA_API_DESCRIBE_CLUSTER, false, handle_describe_cluster},
    {KAFKA_API_DESCRIBE_PRODUCERS, false, handle_describe_producers},
    {KAFKA_API_UNREGISTER_BROKER, false, handle_unregister_broker},
    {KAFKA_API_DESCRIBE_TRANSACTIONS, false, handle_describe_transactions},
    {KAFKA_API_LIST_TRANSACTIONS, false, handle_list_transactions},
    {KAFKA_API_CONSUMER_GROUP_HEARTBEAT, false, coordinator_serve},
    {KAFKA_API_CONSUMER_GROUP_DESCRIBE, false, coordinator_serve},
    {KAFKA_API_DESCRIBE_TOPIC_PARTITIONS, false, handle_describe_topic_partitions},
    {KAFKA_API_ADD_RAFT_VOTER, false, handle_add_raft_voter},
    {KAFKA_API_REMOVE_RAFT_VOTER, false, handle_remove_raft_voter},
};

const struct api *api_find(int key)
{
    static const struct api *by_key[KAFKA_APIS];
    if (by_key[KAFKA_API_API_VERSIONS] == NULL)
        for (size_t i = 0; i < sizeof apis / sizeof *apis; i++)
            by_key[apis[i].key] = &apis[i];
    return key >= 0 && key < KAFKA_APIS ? by_key[key] : NULL;
}
