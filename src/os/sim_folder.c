/* Folders of the simulated disk, their names now and their durable names, and between them the list of changes that no sync of the
 * folder has made durable yet.
 *
 * A power cut keeps, in each folder, the changes up to some point of their order. A rename is one change of two names, in one folder or in
 * two: both halves are kept or none, as in the journal of every usual file system. What no durable name leads to afterwards is gone,
 * also where the content of the file was synced: that is what the sync of a folder is for. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/str.h"
#include "os/sim_private.h"

/* ---- entries ----------------------------------------------------------------------------------------------------- */

/* Index of name, or where it would stand; *found says which. */
static size_t place_of(const struct sim_entries *entries, const char *name, bool *found)
{
    size_t low = 0, high = entries->count;
    *found = false;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        int order = strcmp(entries->all[middle].name, name);
        if (order == 0) {
            *found = true;
            return middle;
        }
        if (order < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static struct sim_inode *entry_get(const struct sim_entries *entries, const char *name)
{
    bool found;
    size_t at = place_of(entries, name, &found);
    return found ? entries->all[at].inode : NULL;
}

static void entries_grow(struct sim_entries *entries)
{
    if (entries->count < entries->capacity)
        return;
    size_t capacity = entries->capacity ? entries->capacity * 2 : 8;
    struct sim_entry *all = sim_alloc(capacity * sizeof *all);
    if (entries->count)
        memcpy(all, entries->all, entries->count * sizeof *all);
    sim_free(entries->all, entries->capacity * sizeof *all);
    entries->all = all;
    entries->capacity = capacity;
}

/* Sets or (NULL) removes a name; counts are the caller's. Returns what it was before. */
static struct sim_inode *entry_set(struct sim_entries *entries, const char *name, struct sim_inode *inode)
{
    bool found;
    size_t at = place_of(entries, name, &found);
    struct sim_inode *before = found ? entries->all[at].inode : NULL;
    if (found && inode) {
        entries->all[at].inode = inode;
    } else if (found) {
        sim_free(entries->all[at].name, strlen(entries->all[at].name) + 1);
        memmove(entries->all + at, entries->all + at + 1, (--entries->count - at) * sizeof *entries->all);
    } else if (inode) {
        entries_grow(entries);
        memmove(entries->all + at + 1, entries->all + at, (entries->count++ - at) * sizeof *entries->all);
        entries->all[at] = (struct sim_entry){sim_strdup(name), inode};
    }
    return before;
}

static void entries_clear(struct sim_entries *entries)
{
    for (size_t i = 0; i < entries->count; i++)
        sim_free(entries->all[i].name, strlen(entries->all[i].name) + 1);
    sim_free(entries->all, entries->capacity * sizeof *entries->all);
    *entries = (struct sim_entries){0};
}

/* ---- inodes ------------------------------------------------------------------------------------------------------ */

struct sim_inode *sim_inode_new(bool is_folder)
{
    struct sim_inode *inode = sim_alloc(sizeof *inode);
    inode->number = ++sim->next_number;
    inode->is_folder = is_folder;
    inode->is_counted = true;
    inode->locked_by = -1;
    inode->mtime_us = SIM_WALL_START + sim->clock_ns / NS_PER_US;
    list_push_back(&sim->inodes, &inode->all);
    return inode;
}

static void renaming_free(struct sim_renaming *r)
{
    sim_free(r->name, strlen(r->name) + 1);
    sim_free(r, sizeof *r);
}

static void inode_free(struct sim_inode *inode)
{
    list_remove(&inode->all);
    entries_clear(&inode->now);
    entries_clear(&inode->durable);
    while (inode->first_renaming) {
        struct sim_renaming *r = inode->first_renaming;
        inode->first_renaming = r->next;
        renaming_free(r);
    }
    sim_file_free(inode);
    sim_free(inode, sizeof *inode);
}

void sim_inode_release(struct sim_inode *inode)
{
    if (inode == NULL || inode == sim->root || inode->names || inode->handles)
        return;
    if (inode->is_counted) /* its space is free, even if a power cut could still bring it back */
        sim->blocks_used -= inode->blocks;
    inode->is_counted = false;
    if (inode->durable_names == 0 && inode->change_refs == 0 && !inode->is_folder)
        inode_free(inode);
    /* A folder without a name stays for its pending changes; the next power cut clears it away. */
}

/* ---- paths ------------------------------------------------------------------------------------------------------- */

/* The next part of *path into name; 0 when there is none (*name is empty), else an errno. */
static int next_part(const char **path, char name[OS_NAME_MAX + 1])
{
    *path += strspn(*path, "/");
    size_t n = strcspn(*path, "/");
    if (n > OS_NAME_MAX)
        return ENAMETOOLONG;
    memcpy(name, *path, n);
    name[n] = '\0';
    *path += n;
    return 0;
}

int sim_find_place(const char *path, struct sim_inode **folder, char name[OS_NAME_MAX + 1],
                   struct sim_inode **inode)
{
    struct sim_inode *at = sim->root;
    *folder = sim->root;
    *inode = NULL;
    name[0] = '\0';
    if (path[0] == '\0')
        return ENOENT;
    if (strlen(path) >= OS_PATH_MAX)
        return ENAMETOOLONG;
    for (;;) {
        char part[OS_NAME_MAX + 1];
        int why = next_part(&path, part);
        if (why)
            return why;
        if (part[0] == '\0')
            break;
        if (at == NULL)
            return ENOENT;
        if (!at->is_folder)
            return ENOTDIR;
        if (strcmp(part, ".") == 0)
            continue;
        if (strcmp(part, "..") == 0) {
            at = at->parent ? at->parent : at;
            *folder = at->parent ? at->parent : at;
            name[0] = '\0';
            continue;
        }
        *folder = at;
        memcpy(name, part, sizeof part);
        at = entry_get(&at->now, part);
    }
    *inode = at;
    return at && !at->is_folder && path[-1] == '/' ? ENOTDIR : 0;
}

int sim_find(const char *path, struct sim_inode **inode)
{
    struct sim_inode *folder;
    char name[OS_NAME_MAX + 1];
    int why = sim_find_place(path, &folder, name, inode);
    return why ? why : *inode ? 0 : ENOENT;
}

/* ---- changes ----------------------------------------------------------------------------------------------------- */

static void remember(struct sim_inode *folder, uint64_t order, const char *name, struct sim_inode *after,
                     struct sim_inode *partner)
{
    struct sim_renaming *r = sim_alloc(sizeof *r);
    *r = (struct sim_renaming){.order = order, .name = sim_strdup(name), .after = after, .partner = partner};
    if (after)
        after->change_refs++;
    if (folder->last_renaming)
        folder->last_renaming->next = r;
    else
        folder->first_renaming = r;
    folder->last_renaming = r;
}

static void set_now(struct sim_inode *folder, const char *name, struct sim_inode *inode)
{
    if (inode) {
        inode->names++;
        if (inode->is_folder)
            inode->parent = folder;
    }
    struct sim_inode *before = entry_set(&folder->now, name, inode);
    folder->mtime_us = SIM_WALL_START + sim->clock_ns / NS_PER_US;
    if (before) {
        before->names--;
        sim_inode_release(before);
    }
}

int sim_folder_set(struct sim_inode *folder, const char *name, struct sim_inode *inode)
{
    /* First the list: what it names is not freed by the change. */
    remember(folder, ++sim->order, name, inode, NULL);
    set_now(folder, name, inode);
    return 0;
}

/* Is inner the folder or somewhere in it? */
static bool contains(const struct sim_inode *folder, const struct sim_inode *inner)
{
    for (; inner; inner = inner->parent)
        if (inner == folder)
            return true;
    return false;
}

int sim_folder_rename(struct sim_inode *from, const char *from_name, struct sim_inode *to,
                      const char *to_name)
{
    struct sim_inode *inode = entry_get(&from->now, from_name), *target = entry_get(&to->now, to_name);
    if (target == inode)
        return 0;
    if (inode->is_folder && contains(inode, to))
        return EINVAL;
    if (target && target->is_folder && contains(target, from))
        return ENOTEMPTY;
    if (target && target->is_folder != inode->is_folder)
        return target->is_folder ? EISDIR : ENOTDIR;
    if (target && target->is_folder && target->now.count > 0)
        return ENOTEMPTY;
    uint64_t order = ++sim->order;
    remember(to, order, to_name, inode, from);
    remember(from, order, from_name, NULL, to);
    set_now(to, to_name, inode);
    set_now(from, from_name, NULL);
    return 0;
}

/* Of keep_order of all folders: makes the changes up to it durable. */
static void commit(struct sim_inode *folder)
{
    while (folder->first_renaming && folder->first_renaming->order <= folder->keep_order) {
        struct sim_renaming *r = folder->first_renaming;
        folder->first_renaming = r->next;
        if (folder->first_renaming == NULL)
            folder->last_renaming = NULL;
        if (r->after)
            r->after->durable_names++;
        struct sim_inode *before = entry_set(&folder->durable, r->name, r->after);
        if (r->after)
            r->after->change_refs--;
        if (before) {
            before->durable_names--;
            sim_inode_release(before);
        }
        if (r->after)
            sim_inode_release(r->after);
        renaming_free(r);
    }
}

/* For each pending rename with one half up to keep_order and the other not: moves a keep_order, up (a sync takes the other half
 * along) or down (a power cut loses both), until there is none. */
static void settle_halves(bool up)
{
    bool changed;
    do {
        changed = false;
        LIST_EACH(link, &sim->inodes)
        {
            struct sim_inode *folder = CONTAINER_OF(link, struct sim_inode, all);
            for (struct sim_renaming *r = folder->first_renaming; r && r->order <= folder->keep_order;
                 r = r->next) {
                if (r->partner == NULL || r->partner->keep_order >= r->order)
                    continue;
                changed = true;
                if (up)
                    r->partner->keep_order = r->order;
                else
                    folder->keep_order = r->order - 1;
            }
        }
    } while (changed);
}

static void commit_all(void)
{
    struct list *next;
    for (struct list *link = sim->inodes.next; link != &sim->inodes; link = next) {
        struct sim_inode *folder = CONTAINER_OF(link, struct sim_inode, all);
        next = link->next;
        if (folder->first_renaming == NULL || folder->first_renaming->order > folder->keep_order)
            continue;
        commit(folder); /* may free files, among them the next */
        next = sim->inodes.next;
    }
}

void sim_folder_sync(struct sim_inode *folder)
{
    if (folder->first_renaming == NULL)
        return;
    LIST_EACH(link, &sim->inodes)
    CONTAINER_OF(link, struct sim_inode, all)->keep_order = 0;
    folder->keep_order = folder->last_renaming->order;
    settle_halves(true);
    commit_all();
}

/* ---- power cuts -------------------------------------------------------------------------------------------------- */

static void choose_kept(struct sim_inode *folder)
{
    uint64_t count = 0, mode = sim_pick(4);
    for (struct sim_renaming *r = folder->first_renaming; r; r = r->next)
        count++;
    uint64_t kept = mode == 0 ? 0 : mode == 1 ? count : sim_pick(count + 1);
    folder->keep_order = 0;
    for (struct sim_renaming *r = folder->first_renaming; r && kept > 0; r = r->next, kept--)
        folder->keep_order = r->order;
}

/* The durable names are the names; keep_order of a folder marks that it was visited. Every folder has one name, so the tree has no
 * circle, and its depth is bounded by the longest path. */
static void walk(struct sim_inode *folder, int depth)
{
    CHECK(depth < OS_PATH_MAX);
    folder->keep_order = 1;
    for (size_t i = 0; i < folder->durable.count; i++) {
        struct sim_entry *entry = &folder->durable.all[i];
        entry_set(&folder->now, entry->name, entry->inode);
        entry->inode->names++;
        entry->inode->durable_names++;
        if (!entry->inode->is_folder)
            continue;
        entry->inode->parent = folder;
        if (entry->inode->keep_order == 0)
            walk(entry->inode, depth + 1);
    }
}

void sim_folders_power_cut(void)
{
    LIST_EACH(link, &sim->inodes)
    choose_kept(CONTAINER_OF(link, struct sim_inode, all));
    settle_halves(false);
    commit_all();
    LIST_EACH(link, &sim->inodes)
    {
        struct sim_inode *inode = CONTAINER_OF(link, struct sim_inode, all);
        while (inode->first_renaming) {
            struct sim_renaming *r = inode->first_renaming;
            inode->first_renaming = r->next;
            renaming_free(r);
        }
        inode->last_renaming = NULL;
        inode->names = inode->durable_names = inode->change_refs = 0;
        inode->keep_order = 0;
        entries_clear(&inode->now);
    }
    walk(sim->root, 0);
    sim->blocks_used = 0;
    struct list *next;
    for (struct list *link = sim->inodes.next; link != &sim->inodes; link = next) {
        struct sim_inode *inode = CONTAINER_OF(link, struct sim_inode, all);
        next = link->next;
        inode->is_counted = false;
        if (inode != sim->root && inode->names == 0) {
            inode_free(inode);
            continue;
        }
        sim_file_power_cut(inode);
        inode->is_counted = true;
        sim->blocks_used += inode->blocks;
    }
}

/* ---- looking at it ------------------------------------------------------------------------------------------------- */

void sim_disk_check(void)
{
    uint64_t used = 0;
    LIST_EACH(link, &sim->inodes)
    {
        struct sim_inode *inode = CONTAINER_OF(link, struct sim_inode, all);
        sim_file_check(inode);
        used += inode->is_counted ? inode->blocks : 0;
        for (size_t i = 0; i < inode->now.count; i++) {
            CHECK(i == 0 || strcmp(inode->now.all[i - 1].name, inode->now.all[i].name) < 0);
            CHECK(inode->now.all[i].inode->names > 0);
        }
        for (struct sim_renaming *r = inode->first_renaming; r; r = r->next)
            CHECK(r->next ? r->order <= r->next->order : r == inode->last_renaming);
    }
    CHECK(used == sim->blocks_used);
}

void sim_folder_dump(const struct sim_inode *folder, int depth)
{
    for (const struct sim_renaming *r = folder->first_renaming; r; r = r->next)
        fprintf(stderr, "%*s(not synced: %s → %" PRIu64 ")\n", depth * 2, "", r->name,
                r->after ? r->after->number : 0);
    for (size_t i = 0; i < folder->now.count; i++) {
        const struct sim_inode *inode = folder->now.all[i].inode;
        uint64_t writes = 0;
        for (const struct sim_write *write = inode->first_write; write; write = write->next)
            writes++;
        fprintf(stderr, "%*s%s%s  inode %" PRIu64, depth * 2, "", folder->now.all[i].name,
                inode->is_folder ? "/" : "", inode->number);
        if (!inode->is_folder)
            fprintf(stderr, ", %" PRIu64 " bytes (%" PRIu64 " durable, %" PRIu64 " changes not synced)",
                    inode->size, inode->durable_size, writes);
        fprintf(stderr, "\n");
        if (inode->is_folder && depth < 64)
            sim_folder_dump(inode, depth + 1);
    }
}
