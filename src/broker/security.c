/* What Kafka answers about security on a listener that has none: no authentication, no authorizer, no delegation tokens. */
#include "broker/api.h"

void handle_sasl_handshake(struct request *r)
{
    struct kafka_sasl_handshake_response out;
    KAFKA_INIT(kafka_sasl_handshake_response, &out);
    out.error_code = KAFKA_ERR_ILLEGAL_SASL_STATE;
    request_answer(r, &out);
}

void handle_sasl_authenticate(struct request *r)
{
    struct kafka_sasl_authenticate_response out;
    KAFKA_INIT(kafka_sasl_authenticate_response, &out);
    out.error_code = KAFKA_ERR_ILLEGAL_SASL_STATE;
    out.error_message = STR("this listener does not authenticate");
    request_answer(r, &out);
}

/* ---- ACLs ---------------------------------------------------------------------------------------------------------------------------- */

#define NO_AUTHORIZER STR("no authorizer is configured")

void handle_describe_acls(struct request *r)
{
    struct kafka_describe_acls_response out;
    KAFKA_INIT(kafka_describe_acls_response, &out);
    out.error_code = KAFKA_ERR_SECURITY_DISABLED;
    out.error_message = NO_AUTHORIZER;
    request_answer(r, &out);
}

void handle_create_acls(struct request *r)
{
    const struct kafka_create_acls_request *in = r->body;
    struct kafka_create_acls_response out;
    KAFKA_INIT(kafka_create_acls_response, &out);
    out.results = KAFKA_NEW(&r->arena, kafka_create_acls_response_result, in->creations_count);
    out.results_count = in->creations_count;
    for (uint32_t i = 0; i < in->creations_count; i++) {
        out.results[i].error_code = KAFKA_ERR_SECURITY_DISABLED;
        out.results[i].error_message = NO_AUTHORIZER;
    }
    request_answer(r, &out);
}

void handle_delete_acls(struct request *r)
{
    const struct kafka_delete_acls_request *in = r->body;
    struct kafka_delete_acls_response out;
    KAFKA_INIT(kafka_delete_acls_response, &out);
    out.filter_results = KAFKA_NEW(&r->arena, kafka_delete_acls_response_result, in->filters_count);
    out.filter_results_count = in->filters_count;
    for (uint32_t i = 0; i < in->filters_count; i++) {
        out.filter_results[i].error_code = KAFKA_ERR_SECURITY_DISABLED;
        out.filter_results[i].error_message = NO_AUTHORIZER;
    }
    request_answer(r, &out);
}

/* ---- delegation tokens: not for those who are not authenticated ------------------------------------------------------------------------ */

void handle_create_delegation_token(struct request *r)
{
    const struct kafka_create_delegation_token_request *in = r->body;
    struct kafka_create_delegation_token_response out;
    bool names_owner = in->owner_principal_name.n > 0;
    KAFKA_INIT(kafka_create_delegation_token_response, &out);
    out.error_code = KAFKA_ERR_DELEGATION_TOKEN_REQUEST_NOT_ALLOWED;
    out.principal_type = names_owner ? in->owner_principal_type : STR("User");
    out.principal_name = names_owner ? in->owner_principal_name : STR("ANONYMOUS");
    out.token_requester_principal_type = STR("User");
    out.token_requester_principal_name = STR("ANONYMOUS");
    out.issue_timestamp_ms = out.expiry_timestamp_ms = out.max_timestamp_ms = -1;
    request_answer(r, &out);
}

void handle_renew_delegation_token(struct request *r)
{
    struct kafka_renew_delegation_token_response out;
    KAFKA_INIT(kafka_renew_delegation_token_response, &out);
    out.error_code = KAFKA_ERR_DELEGATION_TOKEN_REQUEST_NOT_ALLOWED;
    out.expiry_timestamp_ms = -1;
    request_answer(r, &out);
}

void handle_expire_delegation_token(struct request *r)
{
    struct kafka_expire_delegation_token_response out;
    KAFKA_INIT(kafka_expire_delegation_token_response, &out);
    out.error_code = KAFKA_ERR_DELEGATION_TOKEN_REQUEST_NOT_ALLOWED;
    out.expiry_timestamp_ms = -1;
    request_answer(r, &out);
}

void handle_describe_delegation_token(struct request *r)
{
    struct kafka_describe_delegation_token_response out;
    KAFKA_INIT(kafka_describe_delegation_token_response, &out);
    out.error_code = KAFKA_ERR_DELEGATION_TOKEN_REQUEST_NOT_ALLOWED;
    request_answer(r, &out);
}
