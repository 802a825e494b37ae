/* The example projects, which are part of the program (tools/embed.cmake makes the table from examples/). */
#ifndef CLI_EXAMPLE_H
#define CLI_EXAMPLE_H

#include "base/err.h"
#include "base/str.h"

struct example_file {
    const char *example; /* "users" */
    const char *path;    /* "sluice.yaml" */
    struct str bytes;
};
extern const struct example_file example_files[]; /* ends with a zeroed one */

/* Writes an example into a folder (made if need be); refuses to overwrite any file, and then writes none. ERR_CONFIG: no such example. */
bool example_write(const char *example, const char *folder, struct err *err);

#endif
