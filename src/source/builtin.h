/* builtin:randomuser: the program's own stand-in of the randomuser.me API (v1.4), served over real HTTP on a free loopback port. */
#ifndef SOURCE_BUILTIN_H
#define SOURCE_BUILTIN_H

#include "base/err.h"
#include "run/run.h"

struct builtin;

/* Starts the server; it answers on the net loop. */
bool builtin_start(struct pool *pool, struct loop *net, struct builtin **builtin, struct err *err);
/* "http://127.0.0.1:PORT", or NULL. */
const char *builtin_url(const struct builtin *builtin);
/* After the net loop has ended. NULL is fine. */
void builtin_stop(struct builtin *builtin);

#endif
