/* The three assertion words. They say what a programmer got wrong; a full disk or a bad packet is an error (err.h).
 *
 *   CHECK(cond)         cheap, on in every build
 *   DCHECK(cond)        costly, on in debug builds and in simulation (SLUICE_DCHECK)
 *   UNREACHABLE("why")  a place that no correct program reaches
 *
 * A failed one prints the place and the expression to stderr and aborts: the journal makes that safe. */
#ifndef BASE_CHECK_H
#define BASE_CHECK_H

#include <stdnoreturn.h>

#define CHECK(cond) (__builtin_expect(!!(cond), 1) ? (void)0 : check_failed(__FILE__, __LINE__, #cond))

#ifdef SLUICE_DCHECK
#define DCHECK(cond) CHECK(cond)
#else
#define DCHECK(cond) ((void)sizeof(!!(cond)))
#endif

#define UNREACHABLE(why) check_failed(__FILE__, __LINE__, "unreachable: " why)

/* Prints and aborts. Any role. */
noreturn void check_failed(const char *file, int line, const char *what);

#endif
