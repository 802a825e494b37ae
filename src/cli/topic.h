/* What the files of `topic …` share. */
#ifndef CLI_TOPIC_H
#define CLI_TOPIC_H

#include "cli/command.h"

/* ERR_CONFIG with a did-you-mean when there is none; opens the store. */
bool topic_find(struct command_env *env, const char *name, struct topic_info *info, struct err *err);
bool topic_is_internal(const struct topic_info *info);

#endif
