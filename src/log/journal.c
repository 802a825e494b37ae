/* The ring. The rules of the journal, and where each is kept:
 *
 *  1. A frame's header holds its LSN, the incarnation, the highest durable LSN and the previous frame's checksum. Frames are
 *     acknowledged in LSN order. A bad frame k with a later frame that says durable ≥ k is damage, and loud; otherwise it is the end.
 *     Recovery begins a new incarnation. After a few idle milliseconds a confirming frame makes a damaged last one detectable.
 *     (journal_format.c: the chain; journal_replay: the verdict; store.c: incarnation, confirming frame)
 *  2. The ring is allocated, prewritten where that pays, and written by direct synchronous writes. Its tail moves only after all segments
 *     that hold what is before it, and their folder entries, are synced; the tail's place is in a later frame. (journal_grow, journal_write;
 *     behind.c)
 *  3. A frame names a file only after the file and every new folder entry are synced. (compact.c)
 *  4. A failed write or sync is never tried again: the process ends and recovers. (store_die)
 *  5. An append is accepted only if its segment's space is allocated; part of the ring is for internal frames alone. (admit.c)
 *  6. Valid length comes from the journal, never from scanning; readers see what is durable. (catalog.c, apply.c)
 *  7. flush: os acknowledges after a buffered write; nothing leaves for good before it is synced; each start raises the leader epoch.
 *  8. What a reader still needs pins it. (retain.c)
 *
 * Torn writes. Every group begins on a fresh block: no byte that was acknowledged is ever written again before the tail has
 * passed it, so a torn write can only hurt the group that is being written.
 *
 * Which file holds which stretch stands in the file's first block, written durably before the file's first group. Any file whose
 * stretch lies wholly before the tail can take the next stretch: the ring has no fixed order, so it grows anywhere. A file whose
 * first block is unreadable is identified by the frames in it.
 *
 * Why prewritten: a write into blocks that were never written makes the file system change its own tables too, which turns one
 * write into three. For the large groups of a bulk load that is less than to write every byte of the file once more: under it the ring grows
 * by files that are only allocated. Why direct: a buffered write and fdatasync cost a copy, and a flush of whatever else the file system has. */
#include "log/journal.h"

#include <errno.h>
#include <stdio.h>

#include "base/buf.h"
#include "base/str.h"
#include "log/log_private.h"

enum {
    PREWRITE_STEP = 64 << 10,
    BULK_BYTES = 256 << 10, /* a group of that size; of small files a quarter */
};

/* At least two files: one is written while what the other holds is moved to segments. */
static void choose_files_max(struct journal *j)
{
    j->files_max = (size_t)(j->ring_bytes / (j->file_data + JF_BLOCK));
    if (j->files_max < 2)
        j->files_max = 2;
    if (j->files_max < j->count)
        j->files_max = j->count;
}

void journal_init(struct journal *j, const char *folder, uint64_t store, uint64_t file_bytes,
                  uint64_t ring_bytes, bool lazy)
{
    CHECK(file_bytes % JF_BLOCK == 0 && file_bytes >= 2 * JF_BLOCK);
    *j = (struct journal){
        .folder = folder,
        .store = store,
        .file_data = file_bytes - JF_BLOCK,
        .ring_bytes = ring_bytes,
        .lazy = lazy,
        .direct = !lazy,
        .block = buf_new(JF_BLOCK),
        .next_lsn = JF_LSN_FIRST,
        .incarnation = 1,
    };
    choose_files_max(j);
}

void journal_fini(struct journal *j)
{
    for (size_t i = 0; i < j->count; i++) {
        os_close(j->files[i].file);
        mem_free(j->files[i].path);
    }
    mem_free(j->files);
    buf_unref(j->block);
    *j = (struct journal){0};
}

/* ---- files ----------------------------------------------------------------------------------------------------------- */

static bool open_for_writing(struct journal *j, struct ring_file *f, struct err *err)
{
    if (f->file >= 0)
        return true;
    struct err why;
    if (j->direct && os_open(f->path, OS_READ | OS_WRITE | OS_DIRECT | OS_DSYNC, &f->file, &why))
        return true;
    if (j->direct && why.code != EINVAL) {
        *err = why;
        return false;
    }
    j->direct = false; /* this file system cannot: buffered writes and a sync after each */
    return os_open(f->path, OS_READ | OS_WRITE, &f->file, err);
}

static struct ring_file *add_file(struct journal *j, char *path)
{
    j->files = mem_grow(j->files, &j->capacity, j->count + 1, sizeof *j->files);
    struct ring_file *f = &j->files[j->count++];
    *f = (struct ring_file){.path = path, .file = -1};
    return f;
}

static char *ring_path(const struct journal *j, size_t number, const char *suffix)
{
    struct sbuf path = {0};
    sbuf_printf(&path, "%s/ring-%06zu%s", j->folder, number, suffix);
    char *copy = mem_strdup(path.p);
    sbuf_fini(&path);
    return copy;
}

/* Direct where the file system can. */
static bool open_new(const char *path, int *file, struct err *err)
{
    enum { NEW = OS_READ | OS_WRITE | OS_CREATE | OS_TRUNCATE };
    struct err why;
    if (os_open(path, NEW | OS_DIRECT, file, &why))
        return true;
    if (why.code == EINVAL)
        return os_open(path, NEW, file, err);
    *err = why;
    return false;
}

/* Writes zeros into the file, so that later writes change nothing but its bytes. One small write at a time: frames are written meanwhile,
 * and whatever stands in the disk's queue is time that they wait. */
static bool prewrite(int file, uint64_t size, struct err *err)
{
    struct buf *zeros = buf_new(PREWRITE_STEP);
    memset(zeros->p, 0, PREWRITE_STEP);
    bool done = true;
    for (uint64_t at = 0; at < size && done; at += PREWRITE_STEP) {
        size_t n = size - at < PREWRITE_STEP ? (size_t)(size - at) : PREWRITE_STEP;
        done = os_pwrite(file, zeros->p, n, at, err);
    }
    buf_unref(zeros);
    return done;
}

static bool make_file(const char *path, uint64_t size, bool prewritten, struct err *err)
{
    int file = -1;
    bool done = open_new(path, &file, err) && os_allocate(file, 0, size, err) &&
                (!prewritten || prewrite(file, size, err)) && os_sync(file, err);
    os_close(file);
    return done;
}

bool journal_takes_bulk(const struct journal *j)
{
    uint64_t writes = j->writes - j->grown_writes, bytes = j->bytes - j->grown_bytes;
    uint64_t bulk = j->file_data / 4 < BULK_BYTES ? j->file_data / 4 : BULK_BYTES;
    return writes > 0 && bytes / writes >= bulk;
}

char *journal_make_file(const struct journal *j, bool prewritten, struct err *err)
{
    size_t number = 1;
    char *path = ring_path(j, number, "");
    while (os_exists(path)) {
        mem_free(path);
        path = ring_path(j, ++number, "");
    }
    char *temporary = ring_path(j, number, ".new");
    bool done = make_file(temporary, j->file_data + JF_BLOCK, prewritten, err) &&
                os_rename(temporary, path, err) && os_sync_folder(j->folder, err);
    if (!done) {
        os_unlink(temporary, NULL);
        mem_free(path);
        path = NULL;
        err_context(err, "could not add a file of %llu KiB to the journal",
                    (unsigned long long)((j->file_data + JF_BLOCK) >> 10));
    }
    mem_free(temporary);
    return path;
}

void journal_add_file(struct journal *j, char *path)
{
    j->grow_refused = path == NULL;
    j->grown_writes = j->writes;
    j->grown_bytes = j->bytes;
    if (path != NULL)
        add_file(j, path);
}

bool journal_grow(struct journal *j, struct err *err)
{
    char *path = journal_make_file(j, !journal_takes_bulk(j), err);
    journal_add_file(j, path);
    return path != NULL;
}

bool journal_create(struct journal *j, struct err *err)
{
    return os_mkdirs(j->folder, err) && journal_grow(j, err);
}

/* The stretch that a file whose first block is unreadable holds, as the frames in it say. */
static bool name_by_frames(struct journal *j, struct ring_file *f, int file, struct err *err)
{
    enum { STEP = 1 << 20 };
    uint8_t *p = mem_new(STEP);
    bool done = true;
    for (uint64_t at = JF_BLOCK; at < j->file_data + JF_BLOCK && !f->named; at += STEP - JF_HEADER) {
        size_t got = 0;
        done = os_pread(file, p, STEP, at, &got, err);
        if (!done)
            break;
        for (size_t i = 0; i + JF_HEADER <= got && !f->named; i += JF_ALIGN) {
            struct jf_header h;
            uint64_t position = get_le64(p + i + 32);
            if (jf_header_get(p + i, j->store, position, &h) &&
                position % j->file_data + JF_BLOCK == at + i) {
                f->sequence = position / j->file_data;
                f->named = true;
            }
        }
    }
    mem_free(p);
    return done;
}

static bool load_file(struct journal *j, struct ring_file *f, struct err *err)
{
    int file = -1;
    bool done = false;
    size_t got;
    struct os_stat stat;
    struct jf_file head;
    TRY_OUT(os_open(f->path, OS_READ, &file, err));
    TRY_OUT(os_fstat(file, &stat, err));
    TRY_OUT(os_pread(file, j->block->p, JF_BLOCK, 0, &got, err));
    if (j->count == 1 && stat.size >= 2 * JF_BLOCK && stat.size % JF_BLOCK == 0)
        j->file_data = stat.size - JF_BLOCK; /* the size was chosen when the ring was made */
    bool has_head = got == JF_BLOCK && jf_file_get(j->block->p, &head);
    if (has_head) {
        if (head.store != j->store) {
            err_set(err, ERR_FATAL, "the journal file \"%s\" belongs to another data folder", f->path);
            err_hint(err,
                     "Put back the file that belongs there, or restore the whole data folder from one copy.");
            goto out;
        }
        f->sequence = head.sequence;
        f->named = true;
    } else {
        TRY_OUT(name_by_frames(j, f, file, err));
    }
    if (stat.size != j->file_data + JF_BLOCK || (has_head && head.file_data != j->file_data)) {
        err_set(err, ERR_FATAL, "the journal file \"%s\" has %llu bytes instead of %llu", f->path,
                (unsigned long long)stat.size, (unsigned long long)(j->file_data + JF_BLOCK));
        err_hint(err, "Restore the data folder from a copy; a journal file must not be changed by hand.");
        goto out;
    }
    done = true;
out:
    os_close(file);
    return done;
}

bool journal_load(struct journal *j, struct err *err)
{
    struct arena arena = {0};
    char **names;
    size_t count;
    bool done = false;
    TRY_OUT(os_list(j->folder, &arena, &names, &count, err));
    for (size_t i = 0; i < count; i++) {
        struct sbuf path = {0};
        struct str name = str_of(names[i]);
        sbuf_printf(&path, "%s/%s", j->folder, names[i]);
        bool loaded = true;
        if (str_ends(name, STR(".new")))
            loaded = os_unlink(path.p, err); /* a file that a crash left half made */
        else if (str_starts(name, STR("ring-")))
            loaded = load_file(j, add_file(j, mem_strdup(path.p)), err);
        sbuf_fini(&path);
        TRY_OUT(loaded);
    }
    if (j->count == 0) {
        err_set(err, ERR_FATAL, "the journal in \"%s\" is gone: no file ring-… is there", j->folder);
        err_hint(err, "Restore the data folder from a copy, or delete it whole to begin anew.");
        goto out;
    }
    choose_files_max(j);
    done = true;
out:
    arena_fini(&arena);
    return done;
}

/* ---- recovery -------------------------------------------------------------------------------------------------------- */

static struct ring_file *file_of(const struct journal *j, uint64_t sequence)
{
    for (size_t i = 0; i < j->count; i++)
        if (j->files[i].named && j->files[i].sequence == sequence)
            return &j->files[i];
    return NULL;
}

static bool read_ring(void *arg, uint64_t position, uint8_t *p, size_t n, size_t *got, struct err *err)
{
    struct journal *j = arg;
    for (*got = 0; *got < n;) {
        uint64_t at = position + *got;
        struct ring_file *f = file_of(j, at / j->file_data);
        if (f == NULL)
            return true;
        uint64_t inside = at % j->file_data, left = j->file_data - inside;
        size_t part = n - *got < left ? n - *got : (size_t)left, read = 0;
        int file = -1;
        TRY(os_open(f->path, OS_READ, &file, err));
        bool done = os_pread(file, p + *got, part, JF_BLOCK + inside, &read, err);
        os_close(file);
        TRY(done);
        *got += read;
        if (read < part)
            return true;
    }
    return true;
}

static struct jf_ring ring_of(struct journal *j)
{
    return (struct jf_ring){.store = j->store, .read = read_ring, .arg = j};
}

static uint64_t newest_sequence(const struct journal *j)
{
    uint64_t newest = 0;
    for (size_t i = 0; i < j->count; i++)
        if (j->files[i].named && j->files[i].sequence > newest)
            newest = j->files[i].sequence;
    return newest;
}

static bool next_older(const struct journal *j, uint64_t *sequence)
{
    bool found = false;
    uint64_t best = 0;
    for (size_t i = 0; i < j->count; i++)
        if (j->files[i].named && j->files[i].sequence < *sequence &&
            (!found || j->files[i].sequence > best)) {
            best = j->files[i].sequence;
            found = true;
        }
    *sequence = best;
    return found;
}

void journal_describe(const struct journal *j, uint64_t position, char *out, size_t size)
{
    struct ring_file *f = file_of(j, position / j->file_data);
    snprintf(out, size, "\"%s\" at byte %llu", f ? f->path : j->folder,
             (unsigned long long)(position % j->file_data + JF_BLOCK));
}

bool journal_find_root(struct journal *j, struct jf_header *root, uint8_t **frame, struct err *err)
{
    struct jf_ring ring = ring_of(j);
    uint64_t sequence = newest_sequence(j), below = UINT64_MAX;
    for (bool more = file_of(j, sequence) != NULL; more;) {
        struct jf_header best;
        bool found, whole = false;
        TRY(jf_find_root(&ring, sequence * j->file_data, (sequence + 1) * j->file_data, below, &best, &found,
                         err));
        if (found) {
            TRY(jf_read_frame(&ring, best.root, root, frame, &whole, err));
            if (whole && root->flags & JF_WITH_ROOT) {
                j->tail = root->tail;
                j->root = root->root;
                return true;
            }
            mem_free(*frame);
            *frame = NULL;
            below = best.root; /* never acknowledged, or damaged: the walk from an older one will tell */
        } else { /* with flush: os a power cut can lose a file's first block and keep a later file's */
            more = next_older(j, &sequence);
        }
    }
    err_set(err, ERR_FATAL,
            "the journal in \"%s\" is damaged: it holds no whole frame that recovery can begin with",
            j->folder);
    return err_hint(err, "Restore the data folder from a copy.");
}

static bool damaged(struct journal *j, const struct jf_walk *walk, const struct jf_header *later,
                    struct err *err)
{
    char where[512];
    journal_describe(j, walk->at.position, where, sizeof where);
    err_set(
        err, ERR_FATAL,
        "the journal is damaged: frame %llu, which was acknowledged, cannot be read (%s); frame %llu is there and says so",
        (unsigned long long)walk->at.lsn, where, (unsigned long long)later->lsn);
    err_hint(
        err,
        "Restore the data folder from a copy, or start once with --accept-loss to go on without frame %llu and all later ones.",
        (unsigned long long)walk->at.lsn);
    err->code = JOURNAL_DAMAGED;
    return false;
}

/* The frames say how many files the ring had: one that is missing may have held the newest of them. */
static bool has_all_files(const struct journal *j, uint32_t files, struct err *err)
{
    if (j->count >= files)
        return true;
    err_set(err, ERR_FATAL, "the journal in \"%s\" has %zu files of the %u that it had", j->folder, j->count,
            files);
    err_hint(
        err,
        "Put the missing file ring-… back or restore the data folder from a copy, or start once with --accept-loss to go on with what is there.");
    err->code = JOURNAL_DAMAGED;
    return false;
}

/* What was read may still be in the page cache alone, the names of the files too. */
static bool sync_all(struct journal *j, struct err *err)
{
    for (size_t i = 0; i < j->count; i++) {
        TRY(open_for_writing(j, &j->files[i], err));
        TRY(os_sync(j->files[i].file, err));
    }
    return os_sync_folder(j->folder, err);
}

bool journal_replay(struct journal *j, const struct jf_place *from, bool accept_damage,
                    bool (*each)(void *arg, const struct jf_header *header, const uint8_t *frame,
                                 struct err *err),
                    void *arg, struct err *err)
{
    struct jf_ring ring = ring_of(j);
    struct jf_walk walk;
    bool done = false, found, is_later = false, torn = false;
    uint32_t files = 0;
    jf_walk_init(&walk, &ring, from);
    walk.any_chain = store_faults.no_chain;
    for (;;) {
        struct jf_header header;
        const uint8_t *frame;
        TRY_OUT(jf_walk_next(&walk, &header, &frame, &found, err));
        if (!found)
            break;
        TRY_OUT(each(arg, &header, frame, err));
        files = header.files;
    }
    struct jf_header later;
    if (!store_faults.any_end_is_fine)
        TRY_OUT(jf_find_later(&ring, walk.at.position, (newest_sequence(j) + 1) * j->file_data, walk.at.lsn,
                              &later, &is_later, err));
    if (is_later && !accept_damage) {
        damaged(j, &walk, &later, err);
        goto out;
    }
    if (!accept_damage)
        TRY_OUT(has_all_files(j, files, err));
    TRY_OUT(jf_walk_remains(&walk, &torn, &j->torn, err));
    j->torn = torn ? j->torn + 1 : 0;
    TRY_OUT(sync_all(j, err));
    j->head = jf_block_up(walk.at.position);
    j->next_lsn = walk.at.lsn;
    j->previous = walk.at.previous;
    j->incarnation = walk.at.incarnation;
    j->written = j->durable = walk.at.lsn - 1;
    done = true;
out:
    jf_walk_fini(&walk);
    return done;
}

/* ---- writing ----------------------------------------------------------------------------------------------------------- */

static bool is_free(const struct journal *j, const struct ring_file *f)
{
    return !f->named || (f->sequence + 1) * j->file_data <= j->tail;
}

uint64_t journal_room(const struct journal *j, bool grown)
{
    size_t whole = 0;
    for (size_t i = 0; i < j->count; i++)
        whole += is_free(j, &j->files[i]) || j->files[i].sequence > j->head / j->file_data;
    if (grown && !j->grow_refused && j->count < j->files_max)
        whole += j->files_max - j->count;
    uint64_t inside = j->head % j->file_data;
    bool entered = inside != 0 || file_of(j, j->head / j->file_data) != NULL;
    return whole * j->file_data + (entered ? j->file_data - inside : 0);
}

uint64_t journal_used(const struct journal *j)
{
    return j->head - j->tail;
}

uint64_t journal_capacity(const struct journal *j)
{
    return j->files_max * j->file_data;
}

bool journal_wants_file(const struct journal *j)
{
    if (j->grow_refused || j->count >= j->files_max)
        return false;
    return journal_room(j, false) < j->file_data + j->file_data / 2;
}

/* The file that holds, or will hold, the stretch; it grows the ring when none is free. */
static bool enter(struct journal *j, uint64_t sequence, struct ring_file **entered, struct err *err)
{
    struct ring_file *f = file_of(j, sequence);
    for (size_t i = 0; f == NULL && i < j->count; i++)
        if (is_free(j, &j->files[i]))
            f = &j->files[i];
    if (f == NULL) {
        CHECK(j->count < j->files_max);
        TRY(journal_grow(j, err));
        f = &j->files[j->count - 1];
    }
    TRY(open_for_writing(j, f, err));
    jf_file_put(j->block->p, &(struct jf_file){.store = j->store,
                                               .sequence = sequence,
                                               .file_data = j->file_data,
                                               .tail = j->tail,
                                               .root = j->root});
    TRY(os_pwrite(f->file, j->block->p, JF_BLOCK, 0, err));
    f->dirty = true;
    f->named = true;
    f->sequence = sequence;
    *entered = f;
    return true;
}

bool journal_sync(struct journal *j, struct err *err)
{
    for (size_t i = 0; i < j->count; i++) {
        if (!j->files[i].dirty)
            continue;
        if (!j->direct) {
            TRY(os_sync(j->files[i].file, err));
            j->syncs++;
        }
        j->files[i].dirty = false;
    }
    j->durable = j->written;
    return true;
}

/* Where the next bytes of p[n] go: as many as the file at the head still takes. The head moves behind them. */
static bool next_part(struct journal *j, const uint8_t *p, size_t n, struct journal_part *part,
                      struct err *err)
{
    uint64_t inside = j->head % j->file_data;
    struct ring_file *f = inside == 0 ? NULL : file_of(j, j->head / j->file_data);
    if (f == NULL)
        TRY(enter(j, j->head / j->file_data, &f, err));
    TRY(open_for_writing(j, f, err));
    f->dirty = true;
    *part = (struct journal_part){.file = f->file,
                                  .offset = JF_BLOCK + inside,
                                  .p = p,
                                  .n = n < j->file_data - inside ? n : (size_t)(j->file_data - inside)};
    j->head += part->n;
    return true;
}

static void claimed(struct journal *j, size_t n, uint64_t last_lsn, uint32_t last_checksum)
{
    CHECK(n % JF_BLOCK == 0 && n > 0 && last_lsn >= j->next_lsn);
    j->next_lsn = last_lsn + 1;
    j->previous = last_checksum;
    j->writes++;
    j->bytes += n;
}

bool journal_write(struct journal *j, const uint8_t *p, size_t n, uint64_t last_lsn, uint32_t last_checksum,
                   struct err *err)
{
    struct journal_part part;
    for (size_t at = 0; at < n; at += part.n) {
        TRY(next_part(j, p + at, n - at, &part, err));
        TRY(os_pwrite(part.file, part.p, part.n, part.offset, err));
    }
    claimed(j, n, last_lsn, last_checksum);
    j->written = last_lsn;
    return j->lazy || journal_sync(j, err);
}

bool journal_claim(struct journal *j, const uint8_t *p, size_t n, uint64_t last_lsn, uint32_t last_checksum,
                   struct journal_parts *parts, struct err *err)
{
    parts->n = 0;
    for (size_t at = 0; at < n;) {
        parts->p = mem_grow(parts->p, &parts->capacity, parts->n + 1, sizeof *parts->p);
        struct journal_part *part = &parts->p[parts->n++];
        TRY(next_part(j, p + at, n - at, part, err));
        at += part->n;
    }
    CHECK(j->direct); /* the file system that could until now still can */
    claimed(j, n, last_lsn, last_checksum);
    return true;
}

void journal_landed(struct journal *j, uint64_t last_lsn)
{
    CHECK(last_lsn > j->durable && last_lsn < j->next_lsn);
    j->written = j->durable = last_lsn;
}
