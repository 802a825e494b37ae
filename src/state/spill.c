#include "state/spill.h"

#include "base/list.h"
#include "base/str.h"
#include "os/os.h"

#define NAME_BEGIN "sluice-"
#define NAME_END ".spill"

struct spill {
    int file;
    uint64_t size;
};

struct folder_spills {
    struct spills spills;
    const char *folder;
    bool looked; /* for files of processes that ended between giving and taking their name */
};

static void remove_left_over(const struct folder_spills *f)
{
    struct arena arena = {0};
    char **names;
    size_t count;
    if (os_list(f->folder, &arena, &names, &count, NULL))
        for (size_t i = 0; i < count; i++)
            if (str_starts(str_of(names[i]), STR(NAME_BEGIN)) &&
                str_ends(str_of(names[i]),
                         STR(NAME_END))) /* of another process that is about to do the same: fine */
                (void)!os_unlink(arena_printf(&arena, "%s/%s", f->folder, names[i]), NULL);
    arena_fini(&arena);
}

static bool open_unnamed(const char *folder, int *file, struct err *err)
{
    struct arena arena = {0};
    struct err gone;
    char uuid[37];
    os_uuid(uuid);
    const char *path = arena_printf(&arena, "%s/" NAME_BEGIN "%s" NAME_END, folder, uuid);
    bool ok = os_open(path, OS_READ | OS_WRITE | OS_CREATE | OS_EXCLUSIVE | OS_PRIVATE, file, err);
    if (ok)
        (void)!os_unlink(path, &gone);
    arena_fini(&arena);
    return ok;
}

static struct spill *open_spill(struct spills *spills, struct err *err)
{
    struct folder_spills *f = CONTAINER_OF(spills, struct folder_spills, spills);
    int file;
    if (!os_mkdirs(f->folder, err))
        return NULL;
    if (!f->looked)
        remove_left_over(f);
    f->looked = true;
    if (!open_unnamed(f->folder, &file, err))
        return NULL;
    struct spill *s = mem_new(sizeof *s);
    s->file = file;
    return s;
}

static bool append(struct spill *s, const void *p, size_t n, struct err *err)
{
    TRY(os_pwrite(s->file, p, n, s->size, err));
    s->size += n;
    return true;
}

static bool read_spill(struct spill *s, uint64_t offset, void *p, size_t n, struct err *err)
{
    size_t got;
    CHECK(offset + n <= s->size);
    TRY(os_pread(s->file, p, n, offset, &got, err));
    return got == n || err_set(err, ERR_DATA, "a temporary file is shorter than it was written");
}

static void close_spill(struct spill *s)
{
    if (s)
        os_close(s->file);
    mem_free(s);
}

struct spills *spills_in(struct pool *pool, const char *folder, size_t budget)
{
    struct folder_spills *f = pool_new_struct(pool, struct folder_spills);
    f->spills = (struct spills){
        .budget = budget, .open = open_spill, .append = append, .read = read_spill, .close = close_spill};
    f->folder = pool_strdup(pool, folder);
    return &f->spills;
}
