/* up, run: a project from its beginning to its end. */
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

extern const struct cli_command command_up, command_run;
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
