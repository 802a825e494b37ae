#include "ref/memory_spill.h"

#include <errno.h>
#include <string.h>

#include "base/list.h"
#include "base/str.h"

struct spill {
    struct memory_spills *from;
    struct sbuf bytes;
};

static bool may(struct memory_spills *m, struct err *err)
{
    return m->fail_after == 0 || --m->fail_after > 0 ||
           err_set_errno(err, ERR_RETRY, ENOSPC, "could not spill");
}

static struct spill *open_one(struct spills *spills, struct err *err)
{
    struct memory_spills *m = CONTAINER_OF(spills, struct memory_spills, spills);
    if (!may(m, err))
        return NULL;
    struct spill *s = mem_new(sizeof *s);
    s->from = m;
    m->open++;
    m->opened++;
    return s;
}

static bool append(struct spill *s, const void *p, size_t n, struct err *err)
{
    TRY(may(s->from, err));
    sbuf_add(&s->bytes, p, n);
    return true;
}

static bool read_back(struct spill *s, uint64_t offset, void *p, size_t n, struct err *err)
{
    TRY(may(s->from, err));
    CHECK(offset + n <= s->bytes.n);
    memcpy(p, s->bytes.p + offset, n);
    return true;
}

static void close_one(struct spill *s)
{
    if (s == NULL)
        return;
    s->from->open--;
    sbuf_fini(&s->bytes);
    mem_free(s);
}

void memory_spills_init(struct memory_spills *m, size_t budget)
{
    *m = (struct memory_spills){
        .spills = {
            .budget = budget, .open = open_one, .append = append, .read = read_back, .close = close_one}};
}
