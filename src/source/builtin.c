#include "source/builtin.h"

bool builtin_start(struct pool *pool, struct loop *net, struct builtin **builtin, struct err *err)
{
    (void)pool, (void)net, (void)builtin;
    return err_set(err, ERR_FATAL, "builtin:randomuser is not there yet");
}
const char *builtin_url(const struct builtin *builtin)
{
    (void)builtin;
    return NULL;
}
void builtin_stop(struct builtin *builtin)
{
    (void)builtin;
}
