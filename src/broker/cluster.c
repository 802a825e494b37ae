/* ApiVersions and DescribeCluster: what this broker is. */
#include "broker/api.h"
#include "broker/features.h"

static void put_apis(struct request *r, struct kafka_api_versions_response *out)
{
    out->api_keys = KAFKA_NEW(&r->arena, kafka_api_versions_response_api, KAFKA_APIS);
    for (int key = 0; key < KAFKA_APIS; key++) {
        const struct kafka_api *api = kafka_api_of(key);
        if (api == NULL || api_find(key) == NULL)
            continue;
        struct kafka_api_versions_response_api *to = &out->api_keys[out->api_keys_count++];
        to->api_key = api->key;
        to->min_version = api->first;
        to->max_version = api->last;
    }
}

/* KIP-511: a version that we do not know is answered in version 0, with the one that we do. */
static void refuse_version(struct request *r) ON(net)
{
    struct kafka_api_versions_response out;
    KAFKA_INIT(kafka_api_versions_response, &out);
    out.error_code = KAFKA_ERR_UNSUPPORTED_VERSION;
    out.api_keys = KAFKA_NEW(&r->arena, kafka_api_versions_response_api, 1);
    out.api_keys_count = 1;
    out.api_keys[0].api_key = KAFKA_API_API_VERSIONS;
    out.api_keys[0].min_version = r->header.api->first;
    out.api_keys[0].max_version = r->header.api->last;
    r->header.version = 0;
    request_answer(r, &out);
}

/* Kafka's own rule for both: [a-zA-Z0-9](?:[a-zA-Z0-9\-.]*[a-zA-Z0-9])? */
static bool is_software(struct str s)
{
    if (s.n == 0)
        return false;
    for (size_t i = 0; i < s.n; i++) {
        char c = s.p[i];
        bool is_alnum = (c >= '0' && c <= '9') || ((c | 32) >= 'a' && (c | 32) <= 'z');
        if (!is_alnum && (i == 0 || i + 1 == s.n || (c != '-' && c != '.')))
            return false;
    }
    return true;
}

void handle_api_versions(struct request *r)
{
    const struct kafka_api_versions_request *in = r->body;
    struct kafka_api_versions_response out;
    if (in == NULL) {
        refuse_version(r);
        return;
    }
    KAFKA_INIT(kafka_api_versions_response, &out);
    if (r->header.version >= 3 &&
        (!is_software(in->client_software_name) || !is_software(in->client_software_version))) {
        out.error_code = KAFKA_ERR_INVALID_REQUEST;
    } else {
        put_apis(r, &out);
        if (r->header.version >= 3)
            features_describe(r, &out);
    }
    request_answer(r, &out);
}

enum { ENDPOINT_BROKERS = 1 };

void handle_describe_cluster(struct request *r)
{
    const struct kafka_describe_cluster_request *in = r->body;
    struct kafka_describe_cluster_response out;
    KAFKA_INIT(kafka_describe_cluster_response, &out);
    out.endpoint_type = in->endpoint_type;
    out.cluster_id = str_of(r->broker->cluster_id);
    if (in->endpoint_type != ENDPOINT_BROKERS) {
        out.error_code = in->endpoint_type == 2 ? KAFKA_ERR_MISMATCHED_ENDPOINT_TYPE
                                                : KAFKA_ERR_UNSUPPORTED_ENDPOINT_TYPE;
        out.error_message = STR("this listener is for clients of the broker");
        request_answer(r, &out);
        return;
    }
    out.controller_id = BROKER_NODE;
    out.brokers = KAFKA_NEW(&r->arena, kafka_describe_cluster_response_broker, 1);
    out.brokers_count = 1;
    out.brokers[0].broker_id = BROKER_NODE;
    out.brokers[0].host = str_of(r->broker->advertised_host);
    out.brokers[0].port = r->broker->advertised_port;
    if (in->include_cluster_authorized_operations)
        out.cluster_authorized_operations = CLUSTER_OPERATIONS;
    request_answer(r, &out);
}
