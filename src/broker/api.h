/* The handlers of the APIs, by file. */
#ifndef BROKER_API_H
#define BROKER_API_H

#include "broker/broker_private.h"

/* cluster.c */
void handle_api_versions(struct request *request) ON(net);
void handle_describe_cluster(struct request *request) ON(net);
/* metadata.c */
void handle_metadata(struct request *request) ON(net);
void handle_describe_topic_partitions(struct request *request) ON(net);
/* produce.c */
void handle_produce(struct request *request) ON(net);
/* fetch.c */
void handle_fetch(struct request *request) ON(net);
/* offsets.c */
void handle_list_offsets(struct request *request) ON(net);
void handle_offset_for_leader_epoch(struct request *request) ON(net);
/* topics.c */
void handle_create_topics(struct request *request) ON(net);
void handle_delete_topics(struct request *request) ON(net);
void handle_create_partitions(struct request *request) ON(net);
void handle_delete_records(struct request *request) ON(net);
/* configs.c, as far as they are in the log: settings.c */
void handle_describe_configs(struct request *request) ON(net);
void handle_alter_configs(struct request *request) ON(net);
void handle_incremental_alter_configs(struct request *request) ON(net);
void handle_list_config_resources(struct request *request) ON(net);
/* coordinator.c: all that groups.h serves */
void handle_find_coordinator(struct request *request) ON(net);
/* transactions.c */
void handle_init_producer_id(struct request *request) ON(net);
void handle_add_partitions_to_txn(struct request *request) ON(net);
void handle_add_offsets_to_txn(struct request *request) ON(net);
void handle_end_txn(struct request *request) ON(net);
void handle_txn_offset_commit(struct request *request) ON(net);
void handle_describe_transactions(struct request *request) ON(net);
void handle_list_transactions(struct request *request) ON(net);
void handle_describe_producers(struct request *request) ON(net);
/* throttle.c */
void handle_describe_client_quotas(struct request *request) ON(net);
void handle_alter_client_quotas(struct request *request) ON(net);
/* security.c */
void handle_sasl_handshake(struct request *request) ON(net);
void handle_sasl_authenticate(struct request *request) ON(net);
void handle_describe_acls(struct request *request) ON(net);
void handle_create_acls(struct request *request) ON(net);
void handle_delete_acls(struct request *request) ON(net);
void handle_create_delegation_token(struct request *request) ON(net);
void handle_renew_delegation_token(struct request *request) ON(net);
void handle_expire_delegation_token(struct request *request) ON(net);
void handle_describe_delegation_token(struct request *request) ON(net);
/* scram.c */
void handle_describe_user_scram_credentials(struct request *request) ON(net);
void handle_alter_user_scram_credentials(struct request *request) ON(net);
/* features.c */
void handle_update_features(struct request *request) ON(net);
/* quorum.c */
void handle_describe_quorum(struct request *request) ON(net);
void handle_unregister_broker(struct request *request) ON(net);
void handle_add_raft_voter(struct request *request) ON(net);
void handle_remove_raft_voter(struct request *request) ON(net);
/* txn_markers.c */
void handle_write_txn_markers(struct request *request) ON(net);
/* admin.c */
void handle_describe_log_dirs(struct request *request) ON(net);
void handle_alter_replica_log_dirs(struct request *request) ON(net);
void handle_elect_leaders(struct request *request) ON(net);
void handle_alter_partition_reassignments(struct request *request) ON(net);
void handle_list_partition_reassignments(struct request *request) ON(net);

#endif
