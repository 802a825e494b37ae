/* `run` does not wait for ever: when nothing in the whole process has come forward for settings.give_up, what fails and would try again stops, as does
 * what waits for room on a full disk. The rest goes on to its end, and then the process ends as failed. Nothing is lost: all positions are where
 * their rows are, and the next `run` goes on from there.
 *
 * What has come forward is seen from the counters that there are anyway, so that the way of a record does not know of this. */
#include "job/engine_private.h"
#include "job/engine_struct.h"

enum { LOOKS = 4 }; /* in settings.give_up */

void give_up_error(const struct engine *engine, const struct err *wrong, struct err *out)
{
    char text[CONF_UNIT_TEXT_MAX];
    *out = *wrong;
    out->class = ERR_FATAL;
    (void)!err_context(out, "gave up after %s in which nothing came forward",
                       conf_duration_text(engine->project->conf.settings.give_up_ms, text));
}

static uint64_t progress(const struct engine *engine) ON(work)
{
    uint64_t sum = ingest_progress(engine);
    for (const struct stream *s = engine->streams; s; s = s->next) {
        sum += counter_get(&s->counters.rows_in);
        for (uint32_t i = 0; i < s->member_count; i++)
            sum += counter_get(&s->members[i]->counters.commits);
    }
    return sum;
}

static void give_up_stream(struct stream *s) ON(work)
{
    const struct err *wrong = s->job ? job_waits_for_room(s->job) : NULL;
    struct err err;
    if (s->err.class != ERR_NONE)
        return;
    for (uint32_t t = 0; wrong == NULL && t < s->topic_count; t++)
        if (s->topics[t]->schema_refused)
            wrong = &s->topics[t]->schema_frame->err;
    if (wrong) {
        give_up_error(s->engine, wrong, &err);
        stream_stop(s, &err);
    }
    for (uint32_t i = 0; i < s->member_count; i++)
        member_give_up(s->members[i]);
}

static void look(struct timer *timer) ON(work)
{
    struct engine *engine = CONTAINER_OF(timer, struct engine, give_up.timer);
    struct give_up *g = &engine->give_up;
    uint64_t seen = progress(engine);
    g->still = seen == g->seen ? g->still + 1 : 0;
    g->seen = seen;
    if (g->still >= LOOKS) {
        ingest_give_up_all(engine);
        for (struct stream *s = engine->streams; s; s = s->next)
            give_up_stream(s);
    }
    give_up_start(engine);
}

void give_up_init(struct engine *engine) UNSHARED
{
    timer_init(&engine->give_up.timer, look);
}

void give_up_start(struct engine *engine)
{
    timer_set_in(&engine->give_up.timer, engine->project->conf.settings.give_up_ms * NS_PER_MS / LOOKS);
}

void give_up_stop(struct engine *engine)
{
    timer_cancel(&engine->give_up.timer);
}
