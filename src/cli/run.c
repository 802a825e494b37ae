/* up, run, check: a project from its beginning to its end. */
#include "cli/host.h"

static const char *folder_of(const struct cli_args *args)
{
    return args->operand_count ? args->operands[0] : ".";
}

static int run_up(struct cli_args *args)
{
    const struct host_options options = {
        .mode = HOST_UP, .listen = true, .accept_loss = cli_given(args, "--accept-loss")};
    return host_run(args, folder_of(args), &options);
}

#define ACCEPT_LOSS                                                                                          \
    {                                                                                                        \
        "--accept-loss", NULL, NULL,                                                                         \
            "goes on without what a damaged journal has lost, after `up` has said what that is"              \
    }

static const struct cli_flag up_flags[] = {ACCEPT_LOSS, {0}};
static const struct cli_flag run_flags[] = {
    ACCEPT_LOSS,
    {"--for", NULL, "DURATION",
     "runs that long, sources included, instead of until all that is there has gone through"},
    {0},
};

static int run_run(struct cli_args *args)
{
    struct host_options options = {.mode = HOST_ONCE, .accept_loss = cli_given(args, "--accept-loss")};
    const char *duration = cli_value(args, "--for");
    struct err err;
    if (duration && !conf_text_duration(str_of(duration), &options.for_ms, &err)) {
        err_set(&err, ERR_CONFIG, "option \"--for\" needs a duration, not \"%s\"", duration);
        err_hint(&err, "As in 500ms, 10s, 1h30m.");
        return cli_fail(args, &err);
    }
    return host_run(args, folder_of(args), &options);
}

static const char *plural(uint32_t n)
{
    return n == 1 ? "" : "s";
}

static int run_check(struct cli_args *args)
{
    struct project project;
    struct conf_diags diags = {.arena = args->arena};
    const char *folder = folder_of(args);
    struct err err;
    project_load(args->arena, folder, args->sets, args->set_count, &project, &diags);
    if (diags.errors == 0 && !project_exists(folder)) {
        err_set(&err, ERR_CONFIG, "there is no sluice.yaml in \"%s\"", folder);
        err_hint(&err, "Make one with: sluice init %s --example users.", folder);
        return cli_fail(args, &err);
    }
    int status = host_say(args, &diags);
    if (status == EXIT_DONE)
        cli_print("%s: %u source%s, %u topic%s, %u stream%s: all is well\n", project.conf.name,
                  project.conf.source_count, plural(project.conf.source_count), project.conf.topic_count,
                  plural(project.conf.topic_count), project.conf.stream_count,
                  plural(project.conf.stream_count));
    return status;
}

extern const struct cli_command command_up, command_run, command_check;
const struct cli_command command_up = {
    .name = "up",
    .operands = "[DIR]",
    .summary = "starts all of the project and runs until it is told to stop",
    .flags = up_flags,
    .operands_max = 1,
    .run = run_up,
};
const struct cli_command command_run = {
    .name = "run",
    .operands = "[DIR]",
    .summary = "processes what the inputs hold now, and stops",
    .flags = run_flags,
    .operands_max = 1,
    .run = run_run,
};
const struct cli_command command_check = {
    .name = "check",
    .operands = "[DIR]",
    .summary = "says what is wrong with the project, without running it",
    .operands_max = 1,
    .run = run_check,
};
