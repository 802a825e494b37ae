#include "broker/changes.h"

struct changes *changes_new(struct request *r, void *response)
{
    struct changes *all = arena_new(&r->arena, struct changes);
    *all = (struct changes){.request = r, .response = response, .pending = 1};
    return all;
}

void changes_done_one(struct changes *all)
{
    if (--all->pending == 0)
        request_answer(all->request, all->response);
}

static void change_done(struct frame *frame)
{
    struct change *change = frame->arg;
    struct changes *all = change->all;
    run_on_net();
    change->done(change, frame);
    frame_give(all->request->broker, frame);
    changes_done_one(all);
}

struct frame *change_begin(struct changes *all, void *to,
                           void (*done)(struct change *change, const struct frame *frame))
{
    struct change *change = arena_new(&all->request->arena, struct change);
    *change = (struct change){.all = all, .to = to, .done = done};
    all->pending++;
    return frame_take(all->request->broker, change_done, change);
}
