/* Reading a command line by the table of commands. */
#include "cli/cli.h"

#include <stdio.h>

#include "cli/command.h"
#include "conf/diag.h"
#include "os/os.h"

#define COMMAND(name) extern const struct cli_command command_##name;
#include "cli/command.def"
#undef COMMAND

const struct cli_command *const cli_commands[] = {
#define COMMAND(name) &command_##name,
#include "cli/command.def"
#undef COMMAND
    NULL};

enum { COMMANDS_MAX = 64 };

int cli_stdin(void)
{
    static int file = -1;
    if (file < 0)
        file = os_adopt(0);
    return file;
}

bool cli_write(struct str text)
{
    return fwrite(text.p, 1, text.n, stdout) == text.n;
}

bool cli_print(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    int n = vprintf(format, args);
    va_end(args);
    return n >= 0;
}

int cli_fail(const struct cli_args *args, const struct err *err)
{
    struct sbuf text = {0};
    if (err->place.line)
        conf_err_print(&text, err, NULL, args->colour);
    else
        sbuf_printf(&text, "sluice: %s%s%s\n", err->text, err->hint[0] ? "\n  " : "", err->hint);
    fwrite(text.p, 1, text.n, stderr);
    sbuf_fini(&text);
    return err->class == ERR_CONFIG ? EXIT_USAGE : EXIT_FAILED;
}

static int flag_index(const struct cli_command *command, struct str name)
{
    for (int i = 0; command->flags && command->flags[i].name; i++)
        if (str_is(name, command->flags[i].name) ||
            (command->flags[i].brief && str_is(name, command->flags[i].brief)))
            return i;
    return -1;
}

const char *cli_value(const struct cli_args *args, const char *name)
{
    int index = flag_index(args->command, str_of(name));
    CHECK(index >= 0);
    return args->values[index];
}

/* ---- help ---------------------------------------------------------------------------------------------------------------- */

static void print_overview(FILE *to)
{
    fprintf(
        to,
        "Sluice runs a real-time data platform from a folder of YAML and SQL.\n\nUsage: sluice COMMAND …\n\n");
    for (const struct cli_command *const *c = cli_commands; *c; c++)
        fprintf(to, "  %-20s %s\n", (*c)->name, (*c)->summary);
    fprintf(
        to,
        "\n  --set path.to.key=value overrides any key of the project file; --dir DIR names the project's folder.\n"
        "  `sluice COMMAND --help` says more. `sluice demo` shows it at work.\n");
}

static void print_help(const struct cli_command *c)
{
    printf("Usage: sluice %s%s%s%s\n\n  %s.\n", c->name, c->flags ? " [options]" : "", c->operands ? " " : "",
           c->operands ? c->operands : "", c->summary);
    if (c->help)
        printf("\n%s\n", c->help);
    if (c->flags)
        printf("\nOptions:\n");
    for (const struct cli_flag *f = c->flags; f && f->name; f++) {
        char left[64];
        snprintf(left, sizeof left, "%s%s%s%s%s", f->brief ? f->brief : "", f->brief ? ", " : "", f->name,
                 f->value ? " " : "", f->value ? f->value : "");
        printf("  %-24s %s\n", left, f->help);
    }
    if (c->operands && strstr(c->operands, "[DIR]"))
        printf("\nDIR is the project's folder, the current one by default; --dir DIR names it too.\n"
               "--set path.to.key=value overrides a key of the project file.\n");
}

/* ---- reading -------------------------------------------------------------------------------------------------------------- */

/* The command whose name is the longest that argv begins with; *used = its number of words. */
static const struct cli_command *find_command(int argc, const char *const *argv, int *used)
{
    const struct cli_command *best = NULL;
    for (const struct cli_command *const *c = cli_commands; *c; c++) {
        struct str rest = str_of((*c)->name);
        int words = 0;
        while (rest.n && words < argc) {
            size_t space = str_find(rest, STR(" "), 0);
            struct str word = str_n(rest.p, space == SIZE_MAX ? rest.n : space);
            if (!str_is(word, argv[words]))
                break;
            words++;
            rest = space == SIZE_MAX ? STR("") : str_n(rest.p + space + 1, rest.n - space - 1);
        }
        if (rest.n == 0 && words > *used) {
            best = *c;
            *used = words;
        }
    }
    return best;
}

static bool unknown_command(int argc, const char *const *argv, struct err *err)
{
    const char *names[COMMANDS_MAX];
    char typed[64];
    size_t count = 0;
    while (cli_commands[count] && count < COMMANDS_MAX) {
        names[count] = cli_commands[count]->name;
        count++;
    }
    snprintf(typed, sizeof typed, "%s", argv[0]);
    const char *nearest = str_nearest(str_of(typed), names, count);
    if (nearest == NULL && argc > 1) { /* "topics list" */
        snprintf(typed, sizeof typed, "%s %s", argv[0], argv[1]);
        nearest = str_nearest(str_of(typed), names, count);
    }
    err_set(err, ERR_CONFIG, "unknown command \"%s\"", nearest ? typed : argv[0]);
    return nearest ? err_hint(err, "Did you mean \"sluice %s\"?", nearest)
                   : err_hint(err, "See: sluice --help.");
}

static bool unknown_flag(const struct cli_command *command, struct str name, struct err *err)
{
    const char *names[24];
    size_t count = 0;
    for (const struct cli_flag *f = command->flags; f && f->name && count < 20; f++)
        names[count++] = f->name;
    names[count++] = "--set";
    names[count++] = "--dir";
    names[count++] = "--help";
    err_set(err, ERR_CONFIG, "unknown option \"%.*s\" of sluice %s", STR_ARG(name), command->name);
    const char *nearest = str_nearest(name, names, count);
    return nearest ? err_hint(err, "Did you mean \"%s\"?", nearest)
                   : err_hint(err, "See: sluice %s --help.", command->name);
}

static bool read_flag(struct cli_args *args, int argc, const char *const *argv, int *i, struct err *err)
{
    struct str name = str_of(argv[*i]);
    const char *value = NULL;
    size_t equals = str_starts(name, STR("--")) ? str_find(name, STR("="), 0) : SIZE_MAX;
    if (equals != SIZE_MAX) {
        value = name.p + equals + 1;
        name.n = equals;
    }
    bool set = str_is(name, "--set"), dir = str_is(name, "--dir") || str_is(name, "-C");
    int index = set || dir ? -1 : flag_index(args->command, name);
    if (index < 0 && !set && !dir)
        return unknown_flag(args->command, name, err);
    bool wants = set || dir || args->command->flags[index].value;
    if (wants && value == NULL && *i + 1 < argc)
        value = argv[++*i];
    if (wants && value == NULL)
        return err_set(err, ERR_CONFIG, "option \"%.*s\" needs a value", STR_ARG(name));
    if (!wants && value)
        return err_set(err, ERR_CONFIG, "option \"%.*s\" takes no value", STR_ARG(name));
    if (dir)
        args->folder = value;
    else if (!set)
        args->values[index] = wants ? value : "";
    else if (args->set_count < CLI_SETS_MAX)
        args->sets[args->set_count++] = value;
    else
        return err_set(err, ERR_CONFIG, "more than %d --set", CLI_SETS_MAX);
    return true;
}

/* A query may begin with "-- " and a text. */
static bool is_sql_comment(const char *text)
{
    return strncmp(text, "--", 2) == 0 && text[2] != '\0' && strchr(" \t\r\n", text[2]) != NULL;
}

static bool read_args(struct cli_args *args, int argc, const char *const *argv, struct err *err)
{
    bool only_operands = false;
    for (int i = 0; i < argc; i++) {
        if (!only_operands && strcmp(argv[i], "--") == 0) {
            only_operands = true;
        } else if (!only_operands && argv[i][0] == '-' && argv[i][1] != '\0' && !is_sql_comment(argv[i])) {
            TRY(read_flag(args, argc, argv, &i, err));
        } else if (args->operand_count < CLI_OPERANDS_MAX) {
            args->operands[args->operand_count++] = argv[i];
        }
    }
    const struct cli_command *c = args->command;
    if (args->operand_count < c->operands_min || args->operand_count > c->operands_max) {
        err_set(err, ERR_CONFIG, "sluice %s takes %s%s", c->name, c->operands ? c->operands : "no operand",
                args->operand_count < c->operands_min ? "" : ", not more");
        return err_hint(err, "See: sluice %s --help.", c->name);
    }
    return true;
}

static bool asks_for_help(int argc, const char *const *argv)
{
    for (int i = 0; i < argc && strcmp(argv[i], "--") != 0; i++)
        if (strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0)
            return true;
    return false;
}

bool cli_read(struct cli_args *args, int argc, const char *const *argv, struct err *err)
{
    int used = 0;
    args->command = argc > 0 ? find_command(argc, argv, &used) : NULL;
    args->argv = argv;
    args->argc = (uint32_t)argc;
    if (args->command == NULL)
        return unknown_command(argc, argv, err);
    return read_args(args, argc - used, argv + used, err);
}

/* "topic" alone: the commands that begin so. */
static bool print_family(const char *name)
{
    char prefix[32];
    bool any = false;
    snprintf(prefix, sizeof prefix, "%s ", name);
    for (const struct cli_command *const *c = cli_commands; *c; c++) {
        if (!str_starts(str_of((*c)->name), str_of(prefix)))
            continue;
        if (!any)
            printf("Usage: sluice %s COMMAND …\n\n", name);
        any = true;
        printf("  %-20s %s\n", (*c)->name, (*c)->summary);
    }
    return any;
}

static int run(struct cli_args *args)
{
    return args->command->look ? command_look(args) : args->command->run(args);
}

int cli_main(int argc, char **arguments)
{
    struct arena arena = {0};
    struct cli_args args = {.arena = &arena, .colour = os_is_terminal(2) && os_env("NO_COLOR") == NULL};
    struct err err = {0};
    int used = 0, status = EXIT_DONE;
    const char *const *argv = (const char *const *)arguments + 1;
    argc--;
    bool help = argc > 0 && (strcmp(argv[0], "help") == 0 || strcmp(argv[0], "--help") == 0 ||
                             strcmp(argv[0], "-h") == 0);
    if (help) { /* "help query" is "query --help" */
        argv++;
        argc--;
    }
    const struct cli_command *command = argc > 0 ? find_command(argc, argv, &used) : NULL;
    help = help || asks_for_help(argc - used, argv + used);
    if (argc <= 0) {
        print_overview(stdout);
    } else if (command && help) {
        print_help(command);
    } else if (command == NULL && argc == 1 + (help && argc > 1) && print_family(argv[0])) {
        status = help ? EXIT_DONE : EXIT_USAGE;
    } else if (argc == 1 && strcmp(argv[0], "--version") == 0) {
        printf("sluice %s\n", SLUICE_VERSION);
    } else if (!cli_read(&args, argc, argv, &err)) {
        status = cli_fail(&args, &err);
    } else {
        status = run(&args);
    }
    if (fflush(stdout) != 0 && status == EXIT_DONE)
        status = EXIT_FAILED;
    arena_fini(&arena);
    return status;
}
