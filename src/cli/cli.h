/* The command line: one table of commands, one file for each family of them. Diagnostics go to stderr, data to stdout. */
#ifndef CLI_CLI_H
#define CLI_CLI_H

#include "base/err.h"
#include "base/str.h"

enum { EXIT_DONE = 0, EXIT_FAILED = 1, EXIT_USAGE = 2 };

enum { CLI_SETS_MAX = 256, CLI_OPERANDS_MAX = 64 };

/* One flag of a command: "-o FORMAT", "--for DURATION", "--keep". */
struct cli_flag {
    const char *name;  /* "--output" */
    const char *brief; /* "-o" or NULL */
    const char *value; /* "FORMAT": takes a value; NULL: a switch */
    const char *help;
};

/* What was typed after the command's name. */
struct cli_args {
    const struct cli_command *command;
    const char *operands[CLI_OPERANDS_MAX];
    uint32_t operand_count;
    const char *sets[CLI_SETS_MAX]; /* of --set, in order */
    uint32_t set_count;
    const char *values[16];  /* by the index of the flag; a switch that is given: "" */
    const char *folder;      /* --dir, or NULL */
    const char *const *argv; /* all of it, the command's name included: argv[argc] */
    uint32_t argc;
    struct arena *arena;
    bool colour; /* stderr is a terminal that takes it */
};

struct command_env;

/* Does a command speak Kafka's protocol: to the brokers that its flag --bootstrap names, else to the project's own listener? */
enum cli_kafka {
    CLI_KAFKA_NO,
    CLI_KAFKA_IF_RUNNING, /* without both it looks into the data folder itself */
    CLI_KAFKA_ALWAYS,
};
#define CLI_BOOTSTRAP_FLAG                                                                                   \
    {                                                                                                        \
        "--bootstrap", "-b", "BROKERS",                                                                      \
            "HOST:PORT[,…] of any Kafka cluster; default: the running project's own"                       \
    }

#define CLI_REGISTRY_FLAG                                                                                    \
    {                                                                                                        \
        "--registry", "-r", "URL",                                                                           \
            "of any Confluent-compatible registry; default: the running project's own"                       \
    }

struct cli_command {
    const char *name;             /* "topic list" */
    const char *operands;         /* "[DIR]" */
    const char *summary;          /* one line */
    const char *help;             /* more, or NULL */
    const struct cli_flag *flags; /* at most 16, ends with a zeroed one; NULL = none */
    uint32_t operands_min, operands_max;
    uint32_t dir_at; /* which operand is DIR, the last one */
    bool dir_first;  /* DIR is the first operand, when all are given */
    bool reads_stdin;
    bool loads_project; /* beside a running process, too: --set has its effect there */
    int (*run)(struct cli_args *args);
    enum cli_kafka kafka; /* of a command that looks */
    bool registry;        /* of one that looks: it speaks to a schema registry over REST: env->registry */
    /* Instead of run: a command that looks into a data folder, wherever it runs; see command.h. */
    int (*look)(struct command_env *env);
};

/* The value of a flag, NULL if it was not given. */
const char *cli_value(const struct cli_args *args, const char *name);
static inline bool cli_given(const struct cli_args *args, const char *name)
{
    return cli_value(args, name) != NULL;
}
/* "sluice: <text>" and the hint, to stderr; returns the exit status that fits the class (CONFIG: 2, else 1). */
int cli_fail(const struct cli_args *args, const struct err *err);
/* Text to stdout, all of it; false: stdout is gone. */
bool cli_print(const char *format, ...) __attribute__((format(printf, 1, 2)));
bool cli_write(struct str text);
/* Reads a command line (without the program's name) into args, whose arena is set; argv is borrowed. */
bool cli_read(struct cli_args *args, int argc, const char *const *argv, struct err *err);
/* Stdin as a handle of os/. */
int cli_stdin(void);

int cli_main(int argc, char **argv);

extern const struct cli_command *const cli_commands[]; /* ends with NULL */

#endif
