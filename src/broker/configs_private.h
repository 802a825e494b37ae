#ifndef BROKER_CONFIGS_PRIVATE_H
#define BROKER_CONFIGS_PRIVATE_H

#include "broker/configs.h"

/* The next of items that are separated by commas, without blanks around it. False: no more. "" has one, which is empty. */
bool config_next_item(struct str *rest, struct str *item);
/* The next of "address:number, …"; *address is empty where it is none. False: no more. */
bool config_next_limit(struct str *rest, struct str *address, int32_t *max);
/* A valid value as Kafka writes it: " TRUE" is "true". In arena, or borrowed. */
struct str config_canonical(const struct config_def *def, struct str value, struct arena *arena);

#endif
