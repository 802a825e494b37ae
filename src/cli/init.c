/* init: a project to start from. Also version and completion: what needs no project. */
#include <stdio.h>

#include "cli/cli.h"
#include "cli/example.h"
#include "os/os.h"

enum { EXAMPLES_MAX = 32 };

static size_t example_names(const char **names)
{
    size_t count = 0;
    for (const struct example_file *f = example_files; f->example; f++)
        if ((count == 0 || strcmp(names[count - 1], f->example) != 0) && count < EXAMPLES_MAX)
            names[count++] = f->example;
    return count;
}

static bool no_such_example(const char *example, struct err *err)
{
    const char *names[EXAMPLES_MAX];
    struct sbuf list = {0};
    size_t count = example_names(names);
    for (size_t i = 0; i < count; i++)
        sbuf_printf(&list, "%s%s", i ? ", " : "", names[i]);
    err_set(err, ERR_CONFIG, "there is no example \"%s\"", example);
    err_hint(err, "There %s: %s.", count == 1 ? "is" : "are", list.n ? list.p : "none");
    sbuf_fini(&list);
    return false;
}

bool example_write(const char *example, const char *folder, struct err *err)
{
    char path[OS_PATH_MAX];
    bool any = false;
    for (const struct example_file *f = example_files; f->example; f++) {
        if (strcmp(f->example, example) != 0)
            continue;
        any = true;
        snprintf(path, sizeof path, "%s/%s", folder, f->path);
        if (os_exists(path)) {
            err_set(err, ERR_FATAL, "\"%s\" is there already, and nothing is overwritten", path);
            return err_hint(err, "Choose another folder: sluice init DIR --example %s.", example);
        }
    }
    if (!any)
        return no_such_example(example, err);
    for (const struct example_file *f = example_files; f->example; f++) {
        if (strcmp(f->example, example) != 0)
            continue;
        snprintf(path, sizeof path, "%s/%s", folder, f->path);
        char *slash = strrchr(path, '/');
        *slash = '\0';
        TRY(os_mkdirs(path, err));
        *slash = '/';
        TRY(os_write_file(path, f->bytes.p, f->bytes.n, err));
    }
    return true;
}

static int run_init(struct cli_args *args)
{
    const char *example = cli_value(args, "--example"),
               *folder = args->operand_count ? args->operands[0] : args->folder;
    struct err err;
    if (example == NULL)
        example = "users";
    if (folder == NULL)
        folder = ".";
    if (!example_write(example, folder, &err))
        return cli_fail(args, &err);
    for (const struct example_file *f = example_files; f->example; f++)
        if (strcmp(f->example, example) == 0)
            cli_print("wrote %s/%s\n", folder, f->path);
    cli_print("Start it with: sluice up %s\n", folder);
    return EXIT_DONE;
}

static int run_version(struct cli_args *args)
{
    (void)args;
    cli_print("sluice %s\n", SLUICE_VERSION);
    return EXIT_DONE;
}

/* ---- completion ------------------------------------------------------------------------------------------------------ */

static bool has_words(const char *name)
{
    return strchr(name, ' ') != NULL;
}

static int first_word(const char *name)
{
    return (int)strcspn(name, " ");
}

/* First words of all commands, each once. */
static void each_first_word(void (*put)(const char *word, int n, const char *summary))
{
    for (const struct cli_command *const *c = cli_commands; *c; c++) {
        bool seen = false;
        int n = first_word((*c)->name);
        for (const struct cli_command *const *b = cli_commands; b < c; b++)
            seen = seen || (first_word((*b)->name) == n && strncmp((*b)->name, (*c)->name, (size_t)n) == 0);
        if (!seen)
            put((*c)->name, n, has_words((*c)->name) ? "" : (*c)->summary);
    }
}

static void put_word(const char *word, int n, const char *summary)
{
    (void)summary;
    cli_print("%.*s ", n, word);
}

static void put_flags(const struct cli_command *c)
{
    for (const struct cli_flag *f = c->flags; f && f->name; f++)
        cli_print("%s ", f->name);
    cli_print("--set --dir --help");
}

static void complete_bash(void)
{
    cli_print(
        "# bash completion of sluice: source <(sluice completion bash)\n"
        "_sluice() {\n"
        "    local word=${COMP_WORDS[COMP_CWORD]} command=${COMP_WORDS[1]} second=${COMP_WORDS[2]} words=\n"
        "    if ((COMP_CWORD == 1)); then\n        words=\"");
    each_first_word(put_word);
    cli_print("help\"\n    elif [[ $word == -* ]]; then\n        case \"$command $second\" in\n");
    for (const struct cli_command *const *c = cli_commands; *c; c++) {
        cli_print("        \"%s%s\"*) words=\"", (*c)->name, has_words((*c)->name) ? "" : " ");
        put_flags(*c);
        cli_print("\" ;;\n");
    }
    cli_print("        esac\n    elif ((COMP_CWORD == 2)); then\n        case $command in\n");
    for (const struct cli_command *const *c = cli_commands; *c; c++)
        if (has_words((*c)->name))
            cli_print("        %.*s) words+=\" %s\" ;;&\n", first_word((*c)->name), (*c)->name,
                      strchr((*c)->name, ' ') + 1);
    cli_print("        esac\n    fi\n"
              "    COMPREPLY=($(compgen -W \"$words\" -- \"$word\"))\n"
              "    ((${#COMPREPLY[@]})) || COMPREPLY=($(compgen -f -- \"$word\"))\n"
              "}\ncomplete -o filenames -F _sluice sluice\n");
}

static void complete_zsh(void)
{
    cli_print("#compdef sluice\n# zsh completion of sluice: source <(sluice completion zsh)\n"
              "autoload -U +X bashcompinit && bashcompinit\n");
    complete_bash();
}

static void put_fish(const char *word, int n, const char *summary)
{
    cli_print("complete -c sluice -n __fish_use_subcommand -f -a '%.*s' -d '", n, word);
    for (const char *p = summary; *p; p++)
        cli_print(*p == '\'' ? "\\'" : "%c", *p);
    cli_print("'\n");
}

static void complete_fish(void)
{
    cli_print("# fish completion of sluice: sluice completion fish | source\n");
    each_first_word(put_fish);
    for (const struct cli_command *const *c = cli_commands; *c; c++) {
        int n = first_word((*c)->name);
        if (has_words((*c)->name))
            cli_print("complete -c sluice -n '__fish_seen_subcommand_from %.*s' -f -a '%s' -d \"%s\"\n", n,
                      (*c)->name, strchr((*c)->name, ' ') + 1, (*c)->summary);
        for (const struct cli_flag *f = (*c)->flags; f && f->name; f++)
            cli_print("complete -c sluice -n '__fish_seen_subcommand_from %.*s' -l %s%s -d \"%s\"\n", n,
                      (*c)->name, f->name + 2, f->value ? " -r" : "", f->help);
    }
}

static int run_completion(struct cli_args *args)
{
    static const struct {
        const char *name;
        void (*print)(void);
    } shells[] = {{"bash", complete_bash}, {"zsh", complete_zsh}, {"fish", complete_fish}};
    struct err err;
    for (size_t i = 0; i < sizeof shells / sizeof shells[0]; i++)
        if (strcmp(args->operands[0], shells[i].name) == 0) {
            shells[i].print();
            return EXIT_DONE;
        }
    err_set(&err, ERR_CONFIG, "no completion for the shell \"%s\"", args->operands[0]);
    err_hint(&err, "There are bash, zsh and fish.");
    return cli_fail(args, &err);
}

static const struct cli_flag init_flags[] = {
    {"--example", NULL, "NAME", "which one: users (default), analytics"},
    {0},
};

extern const struct cli_command command_init, command_version, command_completion;
const struct cli_command command_init = {
    .name = "init",
    .operands = "[DIR]",
    .summary = "writes a project to start from",
    .help = "  Nothing is overwritten.",
    .flags = init_flags,
    .operands_max = 1,
    .run = run_init,
};
const struct cli_command command_version = {
    .name = "version", .summary = "prints the version", .run = run_version};
const struct cli_command command_completion = {
    .name = "completion",
    .operands = "bash|zsh|fish",
    .summary = "prints a script that completes commands in a shell",
    .help = "  For bash:  source <(sluice completion bash)",
    .operands_min = 1,
    .operands_max = 1,
    .run = run_completion,
};
