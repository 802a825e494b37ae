/* The content of a simulated file, in two images over one table of 4 KiB slots: `now`, what programs read, and `durable`, what is on
 * the disk for certain. Between them stands the list of what was written and not synced.
 *
 * A sync makes durable the blocks that the list names, and empties it. A power cut decides for each entry of the list whether it had
 * reached the disk: kept, lost, or torn at sector boundaries; applies those in order to `durable`; and that is the file's new
 * content. Three rules keep this to what real disks do:
 *
 *   1. A sector is written from the page cache, so with the bytes of all earlier writes to it. A kept write therefore brings along, in
 *      its sectors, what was written there before it.
 *   2. A block that was made durable later than an entry (by a synchronous write, or by a sync after a failed one) is not changed by it.
 *   3. Sizes are the file system's journal: a lost truncation loses all later ones, and later writes beyond its size.
 *
 * What is not synced for long is written back some day, as kernels do: past SIM_DIRTY_MAX bytes the oldest half becomes durable. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "os/sim_private.h"

/* ---- blocks and slots ------------------------------------------------------------------------------------------ */

static struct sim_block *block_ref(struct sim_block *block)
{
    if (block)
        block->refs++;
    return block;
}

static void block_unref(struct sim_block *block)
{
    if (block && --block->refs == 0)
        sim_free(block, sizeof *block);
}

/* The data of *block for writing: its own copy, zeros if there was none. */
static uint8_t *block_own(struct sim_block **block)
{
    if (*block && (*block)->refs == 1)
        return (*block)->data;
    struct sim_block *fresh = sim_alloc(sizeof *fresh);
    fresh->refs = 1;
    if (*block)
        memcpy(fresh->data, (*block)->data, SIM_BLOCK);
    block_unref(*block);
    *block = fresh;
    return fresh->data;
}

static void block_set(struct sim_block **block, struct sim_block *other)
{
    block_ref(other);
    block_unref(*block);
    *block = other;
}

/* NULL when there is none: all zeros. */
static struct sim_slot *slot_at(const struct sim_inode *inode, uint64_t index)
{
    uint64_t chunk = index / SIM_CHUNK;
    if (chunk >= inode->chunk_count || inode->chunks[chunk] == NULL)
        return NULL;
    return &inode->chunks[chunk]->slots[index % SIM_CHUNK];
}

static struct sim_slot *slot_make(struct sim_inode *inode, uint64_t index)
{
    uint64_t chunk = index / SIM_CHUNK;
    if (chunk >= inode->chunk_count) {
        size_t count = inode->chunk_count ? inode->chunk_count : 4;
        while (count <= chunk)
            count *= 2;
        struct sim_chunk **chunks = sim_alloc(count * sizeof(void *));
        if (inode->chunk_count)
            memcpy(chunks, inode->chunks, inode->chunk_count * sizeof(void *));
        sim_free(inode->chunks, inode->chunk_count * sizeof(void *));
        inode->chunks = chunks;
        inode->chunk_count = count;
    }
    if (inode->chunks[chunk] == NULL)
        inode->chunks[chunk] = sim_alloc(sizeof(struct sim_chunk));
    return &inode->chunks[chunk]->slots[index % SIM_CHUNK];
}

/* The first slot that exists at or after *index and before end, which *index then is; NULL = none. */
static struct sim_slot *slot_next(const struct sim_inode *inode, uint64_t *index, uint64_t end)
{
    uint64_t limit = (uint64_t)inode->chunk_count * SIM_CHUNK;
    for (end = end < limit ? end : limit; *index < end; *index = (*index / SIM_CHUNK + 1) * SIM_CHUNK)
        if (inode->chunks[*index / SIM_CHUNK])
            return slot_at(inode, *index);
    return NULL;
}

#define SLOTS_EACH(slot, index, inode, begin, end)                                                           \
    for (uint64_t index = (begin), once_ = 1; once_; once_ = 0)                                              \
        for (struct sim_slot * slot; (slot = slot_next((inode), &index, (end))) != NULL; index++)

static uint64_t blocks_of(uint64_t bytes)
{
    return (bytes + SIM_BLOCK - 1) / SIM_BLOCK;
}

static bool takes_space(const struct sim_slot *slot)
{
    return slot->now != NULL || slot->reserved;
}

static void count_blocks(struct sim_inode *inode, int64_t change)
{
    inode->blocks += (uint64_t)change;
    if (inode->is_counted)
        sim->blocks_used += (uint64_t)change;
}

/* Takes a block of the disk for slot, unless it has one; false when the disk is full. */
static bool take_space(struct sim_inode *inode, struct sim_slot *slot)
{
    if (takes_space(slot))
        return true;
    if (sim->blocks_used >= sim->blocks_total)
        return false;
    count_blocks(inode, 1);
    return true;
}

/* ---- what was done and is not synced --------------------------------------------------------------------------- */

static uint64_t data_size(const struct sim_write *write)
{
    return write->kind == SIM_WRITE ? write->n : 0;
}

static void write_free(struct sim_write *write)
{
    sim_free(write, sizeof *write + data_size(write));
}

static void remember(struct sim_inode *inode, enum sim_change_kind kind, const void *p, uint64_t n,
                     uint64_t offset)
{
    struct sim_write *write = sim_alloc(sizeof *write + (kind == SIM_WRITE ? n : 0));
    write->kind = kind;
    write->order = ++sim->order;
    write->offset = offset;
    write->n = n;
    if (kind == SIM_WRITE && n)
        memcpy(write->data, p, n);
    if (inode->last_write)
        inode->last_write->next = write;
    else
        inode->first_write = write;
    inode->last_write = write;
    inode->unsynced_bytes += data_size(write);
}

/* The slots that an entry concerns: [*begin, *end). */
static void range_of(const struct sim_write *write, uint64_t *begin, uint64_t *end)
{
    uint64_t from = write->offset, to = write->offset + write->n;
    if (write->kind == SIM_RESIZE) {
        from = write->offset < write->n ? write->offset : write->n;
        to = write->offset < write->n ? write->n : write->offset;
    }
    *begin = from / SIM_BLOCK;
    *end = blocks_of(to);
}

static void make_durable(struct sim_inode *inode, uint64_t begin, uint64_t end)
{
    uint64_t order = ++sim->order;
    SLOTS_EACH(slot, index, inode, begin, end)
    {
        block_set(&slot->durable, slot->now);
        slot->reserved_durable = slot->reserved;
        slot->synced_at = order;
    }
}

static void commit(struct sim_inode *inode, const struct sim_write *write)
{
    uint64_t begin, end;
    range_of(write, &begin, &end);
    make_durable(inode, begin, end);
}

/* Takes out and frees the entries that is_wanted says, after act on each. */
static void take_out(struct sim_inode *inode, bool (*is_wanted)(const struct sim_write *),
                     void (*act)(struct sim_inode *, const struct sim_write *))
{
    struct sim_write **link = &inode->first_write, *last = NULL;
    while (*link) {
        struct sim_write *write = *link;
        if (!is_wanted(write)) {
            last = write;
            link = &write->next;
            continue;
        }
        if (act)
            act(inode, write);
        inode->unsynced_bytes -= data_size(write);
        *link = write->next;
        write_free(write);
    }
    inode->last_write = last;
}

static bool is_any(const struct sim_write *write)
{
    (void)write;
    return true;
}

static bool is_dirty(const struct sim_write *write)
{
    return !write->is_clean;
}

static bool is_of_size(const struct sim_write *write)
{
    return write->kind == SIM_RESIZE;
}

void sim_file_sync(struct sim_inode *inode)
{
    take_out(inode, is_dirty, commit);
    inode->durable_size = inode->size;
}

void sim_file_sync_range(struct sim_inode *inode, uint64_t offset, uint64_t n)
{
    take_out(inode, is_of_size, commit);
    make_durable(inode, offset / SIM_BLOCK, blocks_of(offset + n));
    if (inode->durable_size < offset + n)
        inode->durable_size = inode->size;
}

void sim_file_sync_failed(struct sim_inode *inode, bool loses)
{
    if (loses)
        take_out(inode, is_any, NULL);
    for (struct sim_write *write = inode->first_write; write; write = write->next)
        write->is_clean = true;
}

/* The kernel's own writing back, of the oldest half. */
static void write_back(struct sim_inode *inode)
{
    while (inode->unsynced_bytes > SIM_DIRTY_MAX / 2) {
        struct sim_write *write = inode->first_write;
        if (!write->is_clean)
            commit(inode, write);
        if (write->kind == SIM_RESIZE)
            inode->durable_size = write->offset;
        else if (inode->durable_size < write->offset + write->n)
            inode->durable_size = write->offset + write->n;
        inode->unsynced_bytes -= data_size(write);
        inode->first_write = write->next;
        write_free(write);
    }
    if (inode->first_write == NULL)
        inode->last_write = NULL;
}

/* ---- what programs do -------------------------------------------------------------------------------------------- */

size_t sim_file_read(const struct sim_inode *inode, void *p, size_t n, uint64_t offset)
{
    if (offset >= inode->size)
        return 0;
    if (n > inode->size - offset)
        n = (size_t)(inode->size - offset);
    for (size_t done = 0; done < n;) {
        size_t within = (offset + done) % SIM_BLOCK;
        size_t step = n - done < SIM_BLOCK - within ? n - done : SIM_BLOCK - within;
        const struct sim_slot *slot = slot_at(inode, (offset + done) / SIM_BLOCK);
        if (slot && slot->now)
            memcpy((uint8_t *)p + done, slot->now->data + within, step);
        else
            memset((uint8_t *)p + done, 0, step);
        done += step;
    }
    return n;
}

int sim_file_write(struct sim_inode *inode, const void *p, size_t n, uint64_t offset)
{
    if (n > SIM_FILE_MAX || offset > SIM_FILE_MAX - n)
        return EFBIG;
    size_t done = 0;
    while (done < n) {
        size_t within = (offset + done) % SIM_BLOCK;
        size_t step = n - done < SIM_BLOCK - within ? n - done : SIM_BLOCK - within;
        struct sim_slot *slot = slot_make(inode, (offset + done) / SIM_BLOCK);
        if (!take_space(inode, slot))
            break;
        memcpy(block_own(&slot->now) + within, (const uint8_t *)p + done, step);
        done += step;
    }
    if (done > 0) {
        remember(inode, SIM_WRITE, p, done, offset);
        if (inode->size < offset + done)
            inode->size = offset + done;
        if (inode->unsynced_bytes > SIM_DIRTY_MAX)
            write_back(inode);
    }
    return done < n ? ENOSPC : 0;
}

/* The rest of the block that size lies in reads as zeros. */
static void clear_tail(struct sim_block **block, uint64_t size)
{
    if (*block && size % SIM_BLOCK)
        memset(block_own(block) + size % SIM_BLOCK, 0, SIM_BLOCK - size % SIM_BLOCK);
}

int sim_file_resize(struct sim_inode *inode, uint64_t size)
{
    if (size > SIM_FILE_MAX)
        return EFBIG;
    if (size == inode->size)
        return 0;
    remember(inode, SIM_RESIZE, NULL, inode->size, size);
    if (size < inode->size) {
        SLOTS_EACH(slot, index, inode, blocks_of(size), UINT64_MAX)
        {
            if (takes_space(slot))
                count_blocks(inode, -1);
            block_set(&slot->now, NULL);
            slot->reserved = false;
        }
        struct sim_slot *last = slot_at(inode, size / SIM_BLOCK);
        if (last)
            clear_tail(&last->now, size);
    }
    inode->size = size;
    return 0;
}

int sim_file_allocate(struct sim_inode *inode, uint64_t offset, uint64_t n)
{
    if (n == 0)
        return EINVAL;
    if (n > SIM_FILE_MAX || offset > SIM_FILE_MAX - n)
        return EFBIG;
    uint64_t begin = offset / SIM_BLOCK, end = blocks_of(offset + n), missing = 0;
    for (uint64_t i = begin; i < end; i++) {
        const struct sim_slot *slot = slot_at(inode, i);
        missing += slot == NULL || !takes_space(slot);
    }
    if (missing > sim->blocks_total - sim->blocks_used)
        return ENOSPC;
    for (uint64_t i = begin; i < end; i++) {
        struct sim_slot *slot = slot_make(inode, i);
        CHECK(take_space(inode, slot));
        slot->reserved = true;
    }
    remember(inode, SIM_ALLOCATE, NULL, n, offset);
    if (inode->size < offset + n)
        inode->size = offset + n;
    return 0;
}

void sim_file_free(struct sim_inode *inode)
{
    take_out(inode, is_any, NULL);
    count_blocks(inode, -(int64_t)inode->blocks);
    SLOTS_EACH(slot, index, inode, 0, UINT64_MAX)
    {
        block_unref(slot->now);
        block_unref(slot->durable);
    }
    for (size_t i = 0; i < inode->chunk_count; i++)
        sim_free(inode->chunks[i], sizeof(struct sim_chunk));
    sim_free(inode->chunks, inode->chunk_count * sizeof(void *));
}

/* ---- power cuts -------------------------------------------------------------------------------------------------- */

/* The newest write to a sector that reached the disk. */
struct reached {
    uint64_t sector, order;
};

struct settling {
    struct reached *all; /* all[count] */
    size_t count, capacity;
    uint64_t floor; /* of lost truncations: writes from here on are lost */
    bool lost_size;
    bool sizes_first; /* sizes were written, whatever became of the data: zeros */
};

static void reach(struct settling *s, uint64_t sector, uint64_t order)
{
    if (sector * SIM_SECTOR >= s->floor)
        return;
    s->all = mem_grow(s->all, &s->capacity, s->count + 1, sizeof *s->all);
    s->all[s->count++] = (struct reached){sector, order};
}

static uint64_t first_sector(const struct sim_write *write)
{
    return write->offset / SIM_SECTOR;
}

static uint64_t sector_count(const struct sim_write *write)
{
    return (write->offset + write->n - 1) / SIM_SECTOR - first_sector(write) + 1;
}

static void reach_some(struct settling *s, const struct sim_write *write)
{
    uint64_t first = first_sector(write), count = sector_count(write);
    uint64_t pattern = sim_pick(3), cut = sim_pick(count + 1);
    for (uint64_t i = 0; i < count; i++)
        if (pattern == 0 ? i < cut : pattern == 1 ? i >= cut : sim_one_in(2))
            reach(s, first + i, write->order);
}

/* What becomes of the writes of one file. Cuts in their order are as likely as no order at all. */
static void choose_fates(struct sim_inode *inode)
{
    uint64_t count = 0, index = 0, mode = sim_pick(8);
    for (struct sim_write *write = inode->first_write; write; write = write->next)
        count++;
    uint64_t cut = mode == 0 ? 0 : mode == 1 ? count : sim_pick(count + 1);
    for (struct sim_write *write = inode->first_write; write; write = write->next, index++) {
        uint64_t luck = sim_pick(8);
        if (mode < 4)
            write->fate = index < cut ? SIM_KEPT : index == cut && mode > 1 ? SIM_TORN : SIM_LOST;
        else
            write->fate = luck < 3 ? SIM_KEPT : luck < 6 ? SIM_LOST : SIM_TORN;
        if (write->kind != SIM_WRITE && write->fate == SIM_TORN)
            write->fate = SIM_LOST;
    }
}

/* By the fates: which sectors were reached by which write. */
static void choose_sectors(struct sim_inode *inode, struct settling *s)
{
    for (struct sim_write *write = inode->first_write; write; write = write->next) {
        if (write->kind != SIM_WRITE) {
            if (s->lost_size)
                write->fate = SIM_LOST;
            if (write->fate == SIM_LOST && write->kind == SIM_RESIZE) {
                s->lost_size = true;
                if (write->offset < write->n && write->offset < s->floor)
                    s->floor = write->offset;
            }
            continue;
        }
        if (write->fate == SIM_TORN)
            reach_some(s, write);
        for (uint64_t i = 0; write->fate == SIM_KEPT && i < sector_count(write); i++)
            reach(s, first_sector(write) + i, write->order);
    }
}

static int compare_reached(const void *left, const void *right)
{
    const struct reached *a = left, *b = right;
    if (a->sector != b->sector)
        return a->sector < b->sector ? -1 : 1;
    return a->order < b->order ? -1 : a->order > b->order;
}

/* Sorted, with the newest of each sector only. */
static void sort_reached(struct settling *s)
{
    if (s->count > 1)
        qsort(s->all, s->count, sizeof *s->all, compare_reached);
    size_t kept = 0;
    for (size_t i = 0; i < s->count; i++)
        if (i + 1 == s->count || s->all[i + 1].sector != s->all[i].sector)
            s->all[kept++] = s->all[i];
    s->count = kept;
}

static uint64_t order_reached(const struct settling *s, uint64_t sector)
{
    size_t low = 0, high = s->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (s->all[middle].sector < sector)
            low = middle + 1;
        else
            high = middle;
    }
    return low < s->count && s->all[low].sector == sector ? s->all[low].order : 0;
}

/* Puts the write's reached sectors on the disk; returns the end of the last one, 0 = none. */
static uint64_t settle_write(struct sim_inode *inode, const struct settling *s, const struct sim_write *write)
{
    uint64_t begin = write->offset, end = write->offset + write->n, reached = 0;
    for (uint64_t sector = first_sector(write); sector * SIM_SECTOR < end; sector++) {
        uint64_t from = sector * SIM_SECTOR > begin ? sector * SIM_SECTOR : begin;
        uint64_t to = (sector + 1) * SIM_SECTOR < end ? (sector + 1) * SIM_SECTOR : end;
        if (order_reached(s, sector) < write->order)
            continue;
        reached = to;
        struct sim_slot *slot = slot_make(inode, from / SIM_BLOCK);
        if (slot->synced_at < write->order)
            memcpy(block_own(&slot->durable) + from % SIM_BLOCK, write->data + (from - begin), to - from);
    }
    return reached;
}

static void settle_resize(struct sim_inode *inode, const struct sim_write *write)
{
    if (write->offset < write->n) {
        SLOTS_EACH(slot, index, inode, blocks_of(write->offset), UINT64_MAX)
        {
            if (slot->synced_at < write->order) {
                block_set(&slot->durable, NULL);
                slot->reserved_durable = false;
            }
        }
        struct sim_slot *last = slot_at(inode, write->offset / SIM_BLOCK);
        if (last && last->synced_at < write->order)
            clear_tail(&last->durable, write->offset);
    }
    inode->durable_size = write->offset;
}

static void settle_allocate(struct sim_inode *inode, const struct sim_write *write)
{
    uint64_t begin, end;
    range_of(write, &begin, &end);
    SLOTS_EACH(slot, index, inode, begin, end)
    slot->reserved_durable = slot->reserved_durable || slot->synced_at < write->order;
    if (inode->durable_size < write->offset + write->n)
        inode->durable_size = write->offset + write->n;
}

static void settle_one(struct sim_inode *inode, const struct settling *s, const struct sim_write *write)
{
    if (write->kind == SIM_RESIZE && write->fate == SIM_KEPT)
        settle_resize(inode, write);
    if (write->kind == SIM_ALLOCATE && write->fate == SIM_KEPT)
        settle_allocate(inode, write);
    if (write->kind != SIM_WRITE)
        return;
    uint64_t size = settle_write(inode, s, write), end = write->offset + write->n;
    if (s->sizes_first && end <= s->floor)
        size = end;
    if (inode->durable_size < size)
        inode->durable_size = size;
}

/* The durable image is the file now. */
static void start_again(struct sim_inode *inode)
{
    inode->size = inode->durable_size;
    inode->blocks = 0;
    SLOTS_EACH(slot, index, inode, 0, UINT64_MAX)
    {
        if (index >= blocks_of(inode->size)) {
            block_set(&slot->durable, NULL);
            slot->reserved_durable = false;
        }
        if (index == inode->size / SIM_BLOCK)
            clear_tail(&slot->durable, inode->size);
        block_set(&slot->now, slot->durable);
        slot->reserved = slot->reserved_durable;
        inode->blocks += takes_space(slot);
    }
}

void sim_file_power_cut(struct sim_inode *inode)
{
    struct settling s = {.floor = UINT64_MAX, .sizes_first = sim_one_in(4)};
    choose_fates(inode);
    choose_sectors(inode, &s);
    sort_reached(&s);
    for (struct sim_write *write = inode->first_write; write; write = write->next)
        settle_one(inode, &s, write);
    take_out(inode, is_any, NULL);
    mem_free(s.all);
    start_again(inode);
}

void sim_file_damage(struct sim_inode *inode, uint64_t offset, uint64_t n)
{
    uint64_t flips = 1 + sim_pick(1 + n / 64), step = n / flips;
    for (uint64_t i = 0; i < flips; i++) {
        uint64_t at = offset + i * step + sim_pick(step);
        uint8_t bit = (uint8_t)(1 << sim_pick(8));
        struct sim_slot *slot = slot_make(inode, at / SIM_BLOCK);
        bool same = slot->now == slot->durable;
        if (!take_space(inode, slot))
            continue;
        block_own(&slot->now)[at % SIM_BLOCK] ^= bit;
        if (same)
            block_set(&slot->durable, slot->now);
        else
            block_own(&slot->durable)[at % SIM_BLOCK] ^= bit;
    }
}

void sim_file_check(const struct sim_inode *inode)
{
    uint64_t blocks = 0, bytes = 0;
    SLOTS_EACH(slot, index, inode, 0, UINT64_MAX)
    {
        blocks += takes_space(slot);
        CHECK(slot->now == NULL || index < blocks_of(inode->size));
    }
    CHECK(blocks == inode->blocks);
    for (const struct sim_write *write = inode->first_write; write; write = write->next) {
        bytes += data_size(write);
        CHECK(write->next || write == inode->last_write);
        CHECK(write->next == NULL || write->order < write->next->order);
    }
    CHECK(bytes == inode->unsynced_bytes);
}
