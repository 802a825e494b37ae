/* Reading a command line by the table of commands. */
#include "cli/cli.h"

#include <stdio.h>

#include "conf/diag.h"
#include "os/os.h"

extern const struct cli_command command_up, command_run, command_check;

const struct cli_command *const cli_commands[] = {&command_up, &command_run, &command_check, NULL};

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
        if (str_is(name, command->flags[i].name) || (command->flags[i].brief && str_is(name, command->flags[i].brief)))
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
    fprintf(to, "Sluice runs a real-time data platform from a folder of YAML and SQL.\n\nUsage: sluice COMMAND …\n\n");
    for (const struct cli_command *const *c = cli_commands; *c; c++)
        fprintf(to, "  %-20s %s\n", (*c)->name, (*c)->summary);
    fprintf(to, "\n  --set path.to.key=value overrides any key of the project file.\n"
                "  `sluice COMMAND --help` says more. `sluice demo` shows it at work.\n");
}

static void print_help(const struct cli_command *c)
{
    printf("Usage: sluice %s%s%s%s\n\n  %s.\n", c->name, c->flags ? " [options]" : "", c->operands ? " " : "", c->operands ? c->operands : "",
           c->summary);
    if (c->help)
        printf("\n%s\n", c->help);
    if (c->flags)
        printf("\nOptions:\n");
    for (const struct cli_flag *f = c->flags; f && f->name; f++) {
        char left[64];
        snprintf(left, sizeof left, "%s%s%s%s%s", f->brief ? f->brief : "", f->brief ? ", " : "", f->name, f->value ? " " : "",
                 f->value ? f->value : "");
        printf("  %-24s %s\n", left, f->help);
    }
}

/* ---- reading -------------------------------------------------------------------------------------------------------------- */

/* The command whose name is the longest that argv begins with; *used = its number of words. */
static const struct cli_command *find_command(int argc, char **argv, int *used)
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

static bool unknown_command(const char *name, struct err *err)
{
    const char *names[64];
    size_t count = 0;
    while (cli_commands[count] && count < 64) {
        names[count] = cli_commands[count]->name;
        count++;
    }
    err_set(err, ERR_CONFIG, "unknown command \"%s\"", name);
    const char *nearest = str_nearest(str_of(name), names, count);
    return nearest ? err_hint(err, "Did you mean \"sluice %s\"?", nearest) : err_hint(err, "See: sluice --help.");
}

static bool read_flag(struct cli_args *args, int argc, char **argv, int *i, struct err *err)
{
    struct str name = str_of(argv[*i]);
    const char *value = NULL;
    size_t equals = str_starts(name, STR("--")) ? str_find(name, STR("="), 0) : SIZE_MAX;
    if (equals != SIZE_MAX) {
        value = name.p + equals + 1;
        name.n = equals;
    }
    bool set = str_is(name, "--set");
    int index = set ? -1 : flag_index(args->command, name);
    if (index < 0 && !set) {
        err_set(err, ERR_CONFIG, "unknown option \"%.*s\" of sluice %s", STR_ARG(name), args->command->name);
        return err_hint(err, "See: sluice %s --help.", args->command->name);
    }
    bool wants = set || args->command->flags[index].value;
    if (wants && value == NULL && *i + 1 < argc)
        value = argv[++*i];
    if (wants && value == NULL)
        return err_set(err, ERR_CONFIG, "option \"%.*s\" needs a value", STR_ARG(name));
    if (!wants && value)
        return err_set(err, ERR_CONFIG, "option \"%.*s\" takes no value", STR_ARG(name));
    if (!set)
        args->values[index] = wants ? value : "";
    else if (args->set_count < CLI_SETS_MAX)
        args->sets[args->set_count++] = value;
    else
        return err_set(err, ERR_CONFIG, "more than %d --set", CLI_SETS_MAX);
    return true;
}

static bool read_args(struct cli_args *args, int argc, char **argv, struct err *err)
{
    bool only_operands = false;
    for (int i = 0; i < argc; i++) {
        if (!only_operands && strcmp(argv[i], "--") == 0) {
            only_operands = true;
        } else if (!only_operands && argv[i][0] == '-' && argv[i][1] != '\0') {
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

static bool asks_for_help(int argc, char **argv)
{
    for (int i = 0; i < argc && strcmp(argv[i], "--") != 0; i++)
        if (strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0)
            return true;
    return false;
}

int cli_main(int argc, char **argv)
{
    struct arena arena = {0};
    struct cli_args args = {.arena = &arena, .colour = os_is_terminal(2) && os_env("NO_COLOR") == NULL};
    struct err err = {0};
    int used = 0, status = EXIT_DONE;
    const struct cli_command *command = argc > 1 ? find_command(argc - 1, argv + 1, &used) : NULL;
    args.command = command;
    if (argc < 2 || (command == NULL && asks_for_help(1, argv + 1)) || strcmp(argv[1], "help") == 0) {
        print_overview(stdout);
    } else if (command == NULL) {
        unknown_command(argv[1], &err);
        status = cli_fail(&args, &err);
    } else if (asks_for_help(argc - 1 - used, argv + 1 + used)) {
        print_help(command);
    } else if (!read_args(&args, argc - 1 - used, argv + 1 + used, &err)) {
        status = cli_fail(&args, &err);
    } else {
        status = command->run(&args);
    }
    fflush(stdout);
    arena_fini(&arena);
    return status;
}
