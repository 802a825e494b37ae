/* The simulated disk: that it is a disk like others while nothing happens, and what it forgets when something does. Rules about chance are
 * tried over many seeds: what must never be, is in none of them; what may be, is in some. */
#include "os/sim.h"

#include <errno.h>
#include <time.h>
#include <unistd.h>

#include "base/map.h"
#include "base/str.h"
#include "base/test.h"

enum { SEEDS = 200, SECTOR = 512 };
static struct err err;

static int open_at(const char *path, unsigned flags)
{
    int file;
    if (!EXPECT(os_open(path, flags, &file, &err)))
        fprintf(stderr, "    %s\n", err.text);
    return file;
}

static void put(const char *path, const char *text, bool sync)
{
    int file = open_at(path, OS_WRITE | OS_CREATE);
    EXPECT(os_pwrite(file, text, strlen(text), 0, &err));
    if (sync)
        EXPECT(os_sync(file, &err));
    os_close(file);
}

/* The content, or "(none)". Borrowed until the fourth next call. */
static const char *content(const char *path)
{
    static struct sbuf bufs[4];
    static int next;
    struct sbuf *buf = &bufs[next++ % 4];
    if (!os_read_file(path, 1 << 30, buf, &err))
        return "(none)";
    sbuf_char(buf, '\0');
    return buf->p;
}

/* How often each outcome was seen. */
static int outcomes[8];

static void begin(uint64_t seed)
{
    sim_open(seed);
    memset(outcomes, 0, seed == 0 ? sizeof outcomes : 0);
}

/* ---- a disk like others -------------------------------------------------------------------------------------------- */

static struct {
    uint64_t state, result;
    char base[256];
    bool prints;
} script;

static uint64_t chance(uint64_t n)
{
    script.state = script.state * UINT64_C(6364136223846793005) + 1442695040888963407;
    return (script.state >> 33) % n;
}

static const char *some_path(void)
{
    static char paths[2][512];
    static int next;
    static const char *const names[] = {"a",   "b",     "c",      "d/a", "d/b", "d",    "e",
                                        "e/d", "e/d/x", "d/../a", "./b", "a/x", "no/x", "d/"};
    char *path = paths[next++ % 2];
    snprintf(path, sizeof paths[0], "%s/%s", script.base, names[chance(sizeof names / sizeof names[0])]);
    return path;
}

static void note(const char *what, uint64_t value)
{
    uint64_t parts[2] = {script.result, value};
    script.result = hash_bytes(parts, sizeof parts);
    if (script.prints)
        fprintf(stderr, "%s %" PRIu64 "\n", what, value);
}

static void script_content(int file)
{
    char bytes[9000], back[9000];
    size_t got;
    struct os_stat stat;
    uint64_t offset = chance(20000), n = chance(sizeof bytes);
    memset(bytes, (int)chance(256), sizeof bytes);
    switch (chance(6)) {
    case 0:
    case 1: note("pwrite", os_pwrite(file, bytes, n, offset, &err) ? 0 : (uint64_t)err.code); break;
    case 2: note("truncate", os_truncate(file, offset, &err) ? 0 : (uint64_t)err.code); break;
    case 3: note("allocate", os_allocate(file, offset, n + 1, &err) ? 0 : (uint64_t)err.code); break;
    case 4: note("sync", os_sync(file, &err) ? 0 : (uint64_t)err.code); break;
    default:
        note("pread", os_pread(file, back, n, offset, &got, &err) ? got : (uint64_t)err.code);
        note("content", hash_bytes(back, got));
    }
    note("fstat", os_fstat(file, &stat, &err) ? (stat.is_file ? stat.size * 2 + 1 : 0) : (uint64_t)err.code);
}

static void script_open(void)
{
    static const unsigned flags[] = {OS_READ,
                                     OS_READ | OS_WRITE,
                                     OS_READ | OS_WRITE | OS_CREATE,
                                     OS_READ | OS_WRITE | OS_CREATE | OS_EXCLUSIVE,
                                     OS_READ | OS_WRITE | OS_TRUNCATE,
                                     OS_WRITE | OS_CREATE};
    int file;
    bool opened = os_open(some_path(), flags[chance(6)], &file, &err);
    note("open", opened ? 0 : (uint64_t)err.code);
    for (int i = 0; opened && i < 3; i++)
        script_content(file);
    os_close(file);
}

static void script_list(void)
{
    struct arena arena = {0};
    char **names;
    size_t count;
    note("list", os_list(some_path(), &arena, &names, &count, &err) ? count : (uint64_t)err.code);
    for (size_t i = 0; i < count; i++)
        note(names[i], hash_bytes(names[i], strlen(names[i])));
    arena_fini(&arena);
}

static void script_step(void)
{
    struct os_stat stat;
    switch (chance(10)) {
    case 0:
    case 1:
    case 2: script_open(); break;
    case 3: note("rename", os_rename(some_path(), some_path(), &err) ? 0 : (uint64_t)err.code); break;
    case 4: note("link", os_link(some_path(), some_path(), &err) ? 0 : (uint64_t)err.code); break;
    case 5: note("unlink", os_unlink(some_path(), &err) ? 0 : (uint64_t)err.code); break;
    case 6: note("mkdir", os_mkdir(some_path(), &err) ? 0 : (uint64_t)err.code); break;
    case 7: note("rmdir", os_rmdir(some_path(), &err) ? 0 : (uint64_t)err.code); break;
    case 8:
        note("stat", os_stat(some_path(), &stat, &err) ? (uint64_t)stat.is_file + 2 * (uint64_t)stat.is_folder
                                                       : (uint64_t)err.code);
        break;
    default: script_list();
    }
}

static uint64_t run_script(uint64_t seed, const char *base)
{
    script.prints = getenv("SLUICE_SIM_TRACE") != NULL;
    script.state = seed;
    script.result = 0;
    snprintf(script.base, sizeof script.base, "%s", base);
    for (int i = 0; i < 400; i++)
        script_step();
    return script.result;
}

TEST(the_same_calls_have_the_same_results_as_on_a_real_disk)
{
    for (uint64_t seed = 1; seed <= 25; seed++) {
        char folder[] = "/tmp/sluice_sim_XXXXXX";
        CHECK(mkdtemp(folder) != NULL);
        uint64_t real = run_script(seed, folder);
        EXPECT(os_remove_tree(folder, &err));
        sim_open(seed);
        EXPECT(os_mkdirs("/tmp/x", &err));
        uint64_t simulated = run_script(seed, "/tmp/x");
        EXPECT(os_remove_tree("/tmp/x", &err));
        sim_close();
        if (!EXPECT_EQ_INT(simulated, real)) {
            fprintf(stderr, "    seed %d\n", (int)seed);
            break;
        }
    }
}

/* ---- files and power cuts ------------------------------------------------------------------------------------------ */

TEST(what_was_synced_stays_and_the_rest_is_kept_lost_or_torn)
{
    enum { N = 8 };
    for (uint64_t seed = 0; seed < SEEDS; seed++) {
        begin(seed);
        char old[N * SECTOR], new[N * SECTOR], got[N * SECTOR];
        memset(old, 'o', sizeof old);
        memset(new, 'n', sizeof new);
        int file = open_at("a", OS_READ | OS_WRITE | OS_CREATE);
        EXPECT(os_pwrite(file, old, sizeof old, 0, &err) && os_sync(file, &err) && os_sync_folder("/", &err));
        EXPECT(os_pwrite(file, new, sizeof new, 0, &err));
        os_close(file);
        sim_kill();
        EXPECT(memcmp(content("a"), new, sizeof new) == 0);
        sim_power_cut();
        file = open_at("a", OS_READ);
        size_t n;
        EXPECT(os_pread(file, got, sizeof got, 0, &n, &err) && n == sizeof got);
        int changed = 0;
        for (size_t i = 0; i < N; i++) {
            const char *now = got + i * SECTOR;
            EXPECT(memcmp(now, old, SECTOR) == 0 || memcmp(now, new, SECTOR) == 0); /* no sector in parts */
            changed += now[0] == 'n';
        }
        outcomes[changed == 0 ? 0 : changed == N ? 1 : 2]++;
        os_close(file);
        sim_close();
    }
    EXPECT(outcomes[0] > 0 && outcomes[1] > 0 && outcomes[2] > 0);
}

TEST(a_new_file_needs_the_sync_of_its_folder)
{
    for (uint64_t seed = 0; seed < SEEDS; seed++) {
        begin(seed);
        put("forgotten", "x", true);
        EXPECT(os_mkdir("folder", &err) && os_sync_folder("/", &err));
        put("folder/b", "y", true);
        EXPECT(os_sync_folder("folder", &err));
        put("folder/c", "z", true);
        put("folder/d", "z", true);
        sim_power_cut();
        EXPECT_STR(content("forgotten"), "x"); /* the sync of / took it along */
        EXPECT_STR(content("folder/b"), "y");
        bool has_c = os_exists("folder/c"), has_d = os_exists("folder/d");
        EXPECT(has_c || !has_d); /* in order */
        EXPECT(!has_d || strcmp(content("folder/d"), "z") == 0);
        outcomes[has_c + has_d]++;
        sim_power_cut(); /* nothing is left to lose */
        EXPECT(os_exists("folder/c") == has_c && os_exists("folder/d") == has_d);
        sim_close();
    }
    EXPECT(outcomes[0] > 0 && outcomes[1] > 0 && outcomes[2] > 0);
}

TEST(a_folder_that_is_forgotten_takes_its_files_along)
{
    for (uint64_t seed = 0; seed < SEEDS; seed++) {
        begin(seed);
        EXPECT(os_mkdir("folder", &err));
        put("folder/a", "x", true);
        EXPECT(os_sync_folder("folder", &err));
        sim_power_cut();
        outcomes[os_exists("folder")]++;
        EXPECT_STR(content("folder/a"), os_exists("folder") ? "x" : "(none)");
        EXPECT(os_mkdirs("all/of/it", &err)); /* syncs each */
        sim_power_cut();
        EXPECT(os_exists("all/of/it"));
        sim_close();
    }
    EXPECT(outcomes[0] > 0 && outcomes[1] > 0);
}

static int make_way(void *arg)
{
    (void)arg;
    return !os_mkdirs("way/to/it", &err);
}

static int use_way(void *arg)
{
    return make_way(arg) || !os_write_file("way/to/it/file", "x", 1, &err);
}

/* A life is killed between making a folder and syncing its entry; the next one finds it, puts a file into it, and syncs that. */
TEST(a_folder_that_a_killed_life_made_is_durable_before_it_is_used)
{
    int status = 1;
    bool more = true;
    for (uint64_t n = 1; more; n++)
        for (uint64_t seed = 0; seed < SEEDS; seed++) {
            const struct sim_options kill = {.crash_after = n};
            begin(seed);
            more = sim_life(make_way, NULL, &kill, &status) == SIM_CRASHED;
            sim_kill();
            EXPECT(sim_life(use_way, NULL, NULL, &status) == SIM_RETURNED && status == 0);
            sim_power_cut();
            EXPECT_STR(content("way/to/it/file"), "x");
            sim_close();
        }
}

TEST(a_rename_is_whole_or_not_at_all)
{
    for (uint64_t seed = 0; seed < SEEDS; seed++) {
        begin(seed);
        EXPECT(os_mkdir("x", &err) && os_mkdir("y", &err) && os_sync_folder("/", &err));
        put("x/a", "new", true);
        put("y/b", "old", true);
        EXPECT(os_sync_folder("x", &err) && os_sync_folder("y", &err));
        struct os_stat before, after;
        EXPECT(os_stat("x/a", &before, &err));
        EXPECT(os_rename("x/a", "y/b", &err));
        EXPECT(os_stat("y/b", &after, &err) && before.inode == after.inode);
        if (seed % 4 == 0)
            EXPECT(os_sync_folder("y", &err));
        sim_power_cut();
        bool has_a = os_exists("x/a");
        EXPECT_STR(content("y/b"), has_a ? "old" : "new");
        EXPECT(!has_a || seed % 4 != 0); /* the sync of one folder takes the other half along */
        outcomes[has_a]++;
        sim_close();
    }
    EXPECT(outcomes[0] > 0 && outcomes[1] > 0);
}

TEST(a_removed_file_comes_back_if_the_folder_was_not_synced)
{
    for (uint64_t seed = 0; seed < SEEDS; seed++) {
        begin(seed);
        put("a", "x", true);
        put("b", "y", true);
        EXPECT(os_sync_folder("/", &err) && os_unlink("b", &err) && os_sync_folder("/", &err));
        EXPECT(os_unlink("a", &err));
        sim_power_cut();
        EXPECT(!os_exists("b"));
        outcomes[os_exists("a")]++;
        EXPECT_STR(content("a"), os_exists("a") ? "x" : "(none)");
        sim_close();
    }
    EXPECT(outcomes[0] > 0 && outcomes[1] > 0);
}

TEST(synchronous_writes_are_durable_when_they_return)
{
    static _Alignas(OS_DIRECT_ALIGN) char block[2 * OS_DIRECT_ALIGN];
    for (uint64_t seed = 0; seed < SEEDS; seed++) {
        begin(seed);
        int buffered = open_at("a", OS_WRITE | OS_CREATE);
        int direct = open_at("a", OS_READ | OS_WRITE | OS_DIRECT | OS_DSYNC);
        memset(block, 'b', sizeof block);
        EXPECT(os_sync_folder("/", &err));
        EXPECT(os_pwrite(buffered, block, sizeof block, 0,
                         &err)); /* older, not synced: must not come over the newer */
        memset(block, 'd', OS_DIRECT_ALIGN);
        EXPECT(os_pwrite(direct, block, OS_DIRECT_ALIGN, 0, &err));
        EXPECT(os_pwrite(direct, block, OS_DIRECT_ALIGN, 2 * OS_DIRECT_ALIGN, &err));
        EXPECT(os_pwrite(buffered, "B", 1, 2 * OS_DIRECT_ALIGN, &err)); /* newer: may come, alone */
        os_close(buffered);
        os_close(direct);
        sim_power_cut();
        const char *got = content("a");
        EXPECT_MEM(got, block, OS_DIRECT_ALIGN);
        EXPECT(got[2 * OS_DIRECT_ALIGN] == 'B' || got[2 * OS_DIRECT_ALIGN] == 'd');
        EXPECT_MEM(got + 2 * OS_DIRECT_ALIGN + 1, block, OS_DIRECT_ALIGN - 1);
        outcomes[got[2 * OS_DIRECT_ALIGN] == 'B']++;
        outcomes[got[OS_DIRECT_ALIGN] == 'b' ? 2 : 3]++;
        sim_close();
    }
    EXPECT(outcomes[0] > 0 && outcomes[1] > 0 && outcomes[2] > 0 && outcomes[3] > 0);
}

TEST(appends_keep_what_shares_their_sector)
{
    for (uint64_t seed = 0; seed < SEEDS; seed++) {
        begin(seed);
        int file = open_at("a", OS_WRITE | OS_CREATE | OS_APPEND);
        EXPECT(os_sync_folder("/", &err));
        for (int i = 0; i < 20; i++)
            EXPECT(os_write(file, "0123456789", 10, &err));
        os_close(file);
        sim_power_cut();
        const char *got = content("a");
        size_t n = strlen(got); /* zeros: the size was written and the data was not */
        struct os_stat stat;
        EXPECT(os_stat("a", &stat, &err));
        EXPECT(n % 10 == 0 && (n == 0 || stat.size == n || got[n] == '\0'));
        outcomes[n == 0 ? stat.size > 0 : n == 200 ? 2 : 3]++;
        sim_close();
    }
    EXPECT(outcomes[0] > 0 && outcomes[1] > 0 && outcomes[2] > 0 && outcomes[3] > 0);
}

TEST(a_truncation_is_kept_or_lost)
{
    for (uint64_t seed = 0; seed < SEEDS; seed++) {
        begin(seed);
        put("a", "0123456789", true);
        EXPECT(os_sync_folder("/", &err));
        int file = open_at("a", OS_WRITE);
        EXPECT(os_truncate(file, 4, &err) && os_truncate(file, 8, &err));
        EXPECT_EQ_INT(memcmp(content("a"), "0123\0\0\0\0", 8), 0);
        if (seed % 4 == 0)
            EXPECT(os_sync(file, &err));
        os_close(file);
        sim_power_cut();
        struct os_stat stat;
        EXPECT(os_stat("a", &stat, &err));
        EXPECT(stat.size == 10 || stat.size == 4 || stat.size == 8);
        EXPECT(seed % 4 != 0 || stat.size == 8);
        EXPECT(memcmp(content("a"), stat.size == 10 ? "0123456789" : "0123\0\0\0\0\0", stat.size + 1) == 0);
        outcomes[stat.size == 10 ? 0 : stat.size / 4]++;
        sim_close();
    }
    EXPECT(outcomes[0] > 0 && outcomes[1] > 0 && outcomes[2] > 0);
}

TEST(what_is_written_after_a_truncation_does_not_come_without_it)
{
    char old[4 * SECTOR], new[2 * SECTOR];
    memset(old, 'o', sizeof old);
    memset(new, 'n', sizeof new);
    for (uint64_t seed = 0; seed < SEEDS; seed++) {
        begin(seed);
        int file = open_at("a", OS_WRITE | OS_CREATE);
        EXPECT(os_pwrite(file, old, sizeof old, 0, &err) && os_sync(file, &err) && os_sync_folder("/", &err));
        EXPECT(os_truncate(file, 0, &err) && os_pwrite(file, new, sizeof new, 0, &err));
        os_close(file);
        sim_power_cut();
        struct os_stat stat = {0};
        EXPECT(os_stat("a", &stat, &err));
        if (stat.size == sizeof old) {
            EXPECT(memcmp(content("a"), old, sizeof old) == 0);
            outcomes[0]++;
        } else {
            EXPECT(stat.size <= sizeof new &&strchr(content("a"), 'o') == NULL);
            outcomes[content("a")[0] == 'n' ? 1 : 2]++;
        }
        sim_close();
    }
    EXPECT(outcomes[0] > 0 && outcomes[1] > 0 && outcomes[2] > 0);
}

/* Sectors with their version in them, written in runs and synced at times: after a power cut a sector has a version that is not older than
 * its last sync, and not newer than its last write. */
enum { SECTORS = 64, SECTOR_LIMIT = 128 };
struct versions {
    uint32_t written[SECTOR_LIMIT], synced[SECTOR_LIMIT];
    uint32_t next;
    uint64_t size_synced;
};

static void write_some(struct versions *v, int file, int dsync)
{
    static _Alignas(OS_DIRECT_ALIGN) uint32_t sectors[SECTORS][SECTOR / 4];
    size_t from = sim_below(SECTORS), n = 1 + sim_below(SECTORS - from);
    bool direct = sim_below(3) == 0;
    if (direct) {
        from &= ~(size_t)7;
        n = n < 8 ? 8 : n & ~(size_t)7;
    }
    v->next++;
    for (size_t i = 0; i < n; i++) {
        for (size_t j = 0; j < SECTOR / 4; j++)
            sectors[i][j] = v->next;
        v->written[from + i] = v->next;
    }
    EXPECT(os_pwrite(direct ? dsync : file, sectors, n * SECTOR, from * SECTOR, &err));
    if (direct)
        memcpy(v->synced + from, v->written + from, n * sizeof v->synced[0]);
}

static void expect_versions(struct versions *v, int file)
{
    uint32_t sector[SECTOR / 4];
    for (size_t i = 0; i < SECTOR_LIMIT; i++) {
        size_t got;
        memset(sector, 0, sizeof sector);
        EXPECT(os_pread(file, sector, sizeof sector, i * SECTOR, &got, &err) && (got == 0 || got == SECTOR));
        EXPECT(sector[0] >= v->synced[i] && sector[0] <= v->written[i]);
        for (size_t j = 1; j < SECTOR / 4; j++)
            if (sector[j] != sector[0]) {
                EXPECT(!"a sector in parts");
                break;
            }
        v->written[i] = v->synced[i] = sector[0];
    }
}

TEST(every_sector_has_a_version_that_it_may_have)
{
    for (uint64_t seed = 0; seed < SEEDS && !test_is_bad; seed++) {
        begin(seed);
        struct versions v = {0};
        os_close(open_at("a", OS_WRITE | OS_CREATE));
        EXPECT(os_sync_folder("/", &err));
        for (int life = 0; life < 4; life++) {
            int file = open_at("a", OS_READ | OS_WRITE);
            int dsync = open_at("a", OS_WRITE | OS_DIRECT | OS_DSYNC);
            expect_versions(&v, file);
            for (uint64_t steps = sim_below(20); steps > 0; steps--) {
                write_some(&v, file, dsync);
                if (sim_below(8) == 0 && EXPECT(os_sync(file, &err)))
                    memcpy(v.synced, v.written, sizeof v.synced);
            }
            os_close(file);
            os_close(dsync);
            sim_power_cut();
        }
        sim_close();
    }
}

/* ---- full disks, failed syncs, damage -------------------------------------------------------------------------------- */

static int fill_the_disk(void *arg)
{
    (void)arg;
    int direct;
    EXPECT(!os_open("d", OS_WRITE | OS_CREATE | OS_DIRECT, &direct, &err) && err.code == EINVAL);
    static char bytes[100 * 4096];
    uint64_t free_bytes;
    int a = open_at("a", OS_WRITE | OS_CREATE), b = open_at("b", OS_WRITE | OS_CREATE);
    EXPECT(os_allocate(a, 0, 60 * 4096, &err));
    EXPECT(os_disk_free("/", &free_bytes, &err) && free_bytes == 40 * 4096);
    EXPECT(!os_allocate(b, 0, 41 * 4096, &err) && err.code == ENOSPC);
    EXPECT(!os_pwrite(b, bytes, 41 * 4096, 0, &err) && err.code == ENOSPC && err.class == ERR_RETRY);
    EXPECT(os_disk_free("/", &free_bytes, &err) && free_bytes == 0);
    EXPECT(os_pwrite(a, bytes, 60 * 4096, 0, &err));  /* what was reserved */
    EXPECT(os_pwrite(b, bytes, 40 * 4096, 0, &err));  /* over what is there */
    EXPECT(!os_pwrite(a, bytes, 1, 60 * 4096, &err)); /* one more */
    EXPECT(os_truncate(b, 10 * 4096, &err));
    EXPECT(os_pwrite(a, bytes, 30 * 4096, 60 * 4096, &err));
    EXPECT(os_unlink("a", &err) && os_disk_free("/", &free_bytes, &err) && free_bytes == 0); /* still open */
    os_close(a);
    EXPECT(os_disk_free("/", &free_bytes, &err) && free_bytes == 90 * 4096);
    os_close(b);
    return test_is_bad;
}

TEST(a_disk_is_full_at_some_time)
{
    struct sim_options options = {.disk_bytes = 100 * 4096, .no_direct = true};
    int status;
    sim_open(1);
    EXPECT(sim_life(fill_the_disk, NULL, &options, &status) == SIM_RETURNED && status == 0);
    sim_power_cut();
    uint64_t free_bytes;
    EXPECT(os_disk_free("/", &free_bytes, &err) && free_bytes <= 100 * 4096);
    sim_close();
}

static int fail_a_sync(void *arg)
{
    (void)arg;
    put("a", "old", true);
    EXPECT(os_sync_folder("/", &err));
    int file = open_at("a", OS_WRITE);
    EXPECT(os_pwrite(file, "new", 3, 0, &err));
    os_fail_after(1, EIO);
    EXPECT(!os_sync(file, &err) && err.code == EIO);
    EXPECT(os_sync(file, &err)); /* says yes, and does nothing: the pages are clean */
    os_close(file);
    return test_is_bad;
}

static void lose_by_a_failed_sync(bool loses)
{
    for (uint64_t seed = 0; seed < SEEDS; seed++) {
        begin(seed);
        struct sim_options options = {.fail_sync_loses = loses};
        int status;
        EXPECT(sim_life(fail_a_sync, NULL, &options, &status) == SIM_RETURNED && status == 0);
        EXPECT_STR(content("a"), "new");
        sim_power_cut();
        outcomes[strcmp(content("a"), "new") == 0]++;
        put("a", "newer", true); /* dirty again */
        sim_power_cut();
        EXPECT_STR(content("a"), "newer");
        sim_close();
    }
    EXPECT(outcomes[0] > 0);
    EXPECT(loses ? outcomes[1] == 0 : outcomes[1] > 0);
}

TEST(a_failed_sync_is_not_made_good_by_the_next)
{
    lose_by_a_failed_sync(false);
    lose_by_a_failed_sync(true);
}

TEST(damage_changes_bits)
{
    begin(0);
    char zeros[8192] = {0};
    int file = open_at("a", OS_READ | OS_WRITE | OS_CREATE);
    EXPECT(os_pwrite(file, zeros, sizeof zeros, 0, &err) && os_sync(file, &err) && os_sync_folder("/", &err));
    EXPECT(sim_damage("a", 5000, 1) && sim_damage("a", 100, 1000));
    EXPECT(!sim_damage("a", 8192, 1) && !sim_damage("b", 0, 1) && !sim_damage("/", 0, 1) &&
           !sim_damage("a", 0, 0));
    os_close(file);
    for (int i = 0; i < 2; i++) {
        const char *got = content("a");
        EXPECT(got[5000] != 0 && memcmp(got, zeros, 100) == 0 && memcmp(got + 100, zeros, 1000) != 0);
        EXPECT(memcmp(got + 1100, zeros, 3900) == 0);
        sim_power_cut();
    }
    sim_close();
}

/* ---- lives --------------------------------------------------------------------------------------------------------- */

static int fail_a_check(void *arg)
{
    CHECK(arg != NULL);
    return 0;
}

static int exit_with(void *arg)
{
    os_exit(*(int *)arg);
}

static int return_it(void *arg)
{
    return *(int *)arg;
}

static int hold_a_lock(void *arg)
{
    if (arg == NULL)
        open_at("shifts the handles", OS_WRITE | OS_CREATE);
    int file = open_at("lock", OS_WRITE | OS_CREATE), other = open_at("lock", OS_WRITE);
    EXPECT(os_lock(file, &err) && !os_lock(other, &err) && err.code == EWOULDBLOCK);
    EXPECT(os_env("PATH") == NULL && os_fd(file) == -1);
    if (arg)
        sim_crash();
    return test_is_bad;
}

TEST(lives_end_in_four_ways)
{
    int status, three = 3, zero = 0;
    begin(0);
    EXPECT(sim_life(return_it, &three, NULL, &status) == SIM_RETURNED && status == 3);
    EXPECT(sim_life(exit_with, &three, NULL, &status) == SIM_EXITED && status == 3);
    EXPECT(sim_life(exit_with, &zero, NULL, &status) == SIM_RETURNED && status == 0);
    EXPECT(sim_life(hold_a_lock, &three, NULL, NULL) == SIM_CRASHED);
    EXPECT(sim_life(hold_a_lock, NULL, NULL, &status) == SIM_RETURNED && status == 0);
    fflush(stderr);
    int saved = dup(2); /* the message is expected */
    CHECK(freopen("/dev/null", "w", stderr) != NULL);
    EXPECT(sim_life(fail_a_check, NULL, NULL, &status) == SIM_FAILED && status == 128 + 6);
    fflush(stderr);
    dup2(saved, 2);
    close(saved);
    sim_close();
    EXPECT(!sim_is_on());
}

struct versions_written {
    int tried, done; /* the last versions whose write began, and returned */
};
static struct versions_written *written; /* shared */

static int write_versions(void *arg)
{
    (void)arg;
    struct sbuf buf = {0};
    int version = 0;
    if (os_read_file("v", 100, &buf, &err))
        version = atoi(buf.p);
    sbuf_fini(&buf);
    if (!EXPECT(version >= written->done && version <= written->tried))
        return 1;
    for (int i = 0; i < 3; i++) {
        char text[16];
        snprintf(text, sizeof text, "%d", ++version);
        written->tried = version > written->tried ? version : written->tried;
        if (!os_write_file("v", text, strlen(text), &err))
            return err.code == EIO ? 0 : 2;
        written->done = version;
    }
    return 0;
}

TEST(a_whole_file_is_old_or_new_after_a_crash_at_every_call)
{
    int status, crashes = 0;
    for (uint64_t n = 1;; n++) {
        enum sim_end end = SIM_CRASHED;
        for (uint64_t seed = 0; seed < 8; seed++) {
            sim_open(seed);
            written = sim_shared(sizeof *written);
            struct sim_options options = {.crash_after = n};
            for (int life = 0; life < 3; life++) {
                end = sim_life(write_versions, NULL, &options, &status);
                EXPECT(end != SIM_FAILED && status == 0);
                crashes += end == SIM_CRASHED;
                sim_random() % 4 ? sim_power_cut() : sim_kill();
            }
            EXPECT(sim_life(write_versions, NULL, NULL, &status) == SIM_RETURNED && status == 0);
            EXPECT_EQ_INT(sim_calls(), 15);
            sim_close();
        }
        if (end == SIM_RETURNED || test_is_bad)
            break;
    }
    EXPECT(crashes >= 15 * 8);
}

TEST(a_whole_file_is_old_or_new_when_any_call_fails)
{
    int status;
    for (uint64_t n = 1; n <= 20; n++) {
        sim_open(n);
        written = sim_shared(sizeof *written);
        struct sim_options options = {.fail_after = n, .fail_errno = EIO};
        EXPECT(sim_life(write_versions, NULL, &options, &status) == SIM_RETURNED && status == 0);
        EXPECT(sim_calls_fallible() > 0);
        sim_power_cut();
        EXPECT(sim_life(write_versions, NULL, NULL, &status) == SIM_RETURNED && status == 0);
        sim_close();
    }
}

static int do_this_and_that(void *arg)
{
    (void)arg;
    char name[32];
    struct mono_time start = os_mono();
    for (int i = 0; i < 30; i++) {
        uint8_t random[8];
        os_random(random, sizeof random);
        snprintf(name, sizeof name, "file%d", random[0] % 8);
        int file;
        if (!os_open(name, OS_WRITE | OS_CREATE, &file, &err))
            return 1;
        os_pwrite(file, random, sizeof random, random[1], &err);
        if (random[2] % 4 == 0)
            os_sync(file, &err);
        os_close(file);
        if (random[3] % 4 == 0)
            os_sync_folder("/", &err);
    }
    return os_mono().ns <= start.ns;
}

static uint64_t trace_of(uint64_t seed, struct wall_time *end)
{
    struct sbuf all = {0};
    sim_open(seed);
    for (int life = 0; life < 5; life++) {
        struct sim_options options = {.crash_after = 10 + sim_below(100)};
        sim_life(do_this_and_that, NULL, &options, NULL);
        sim_power_cut();
    }
    for (int i = 0; i < 8; i++) {
        char name[32];
        snprintf(name, sizeof name, "file%d", i);
        sbuf_cstr(&all, content(name));
    }
    *end = os_wall();
    uint64_t trace = sim_trace() ^ hash_bytes(all.p, all.n);
    sbuf_fini(&all);
    sim_close();
    return trace;
}

TEST(the_same_seed_is_the_same_run)
{
    struct wall_time a, b;
    uint64_t traces[16];
    for (uint64_t seed = 0; seed < 16; seed++) {
        traces[seed] = trace_of(seed, &a);
        EXPECT_EQ_INT(trace_of(seed, &b), traces[seed]);
        EXPECT_EQ_INT(a.us, b.us);
        EXPECT(seed == 0 || traces[seed] != traces[seed - 1]);
    }
}

static int write_much(void *arg)
{
    static char bytes[1 << 20];
    for (int i = 0; i < *(int *)arg; i++) {
        int file = open_at("big", OS_WRITE | OS_CREATE | OS_APPEND);
        memset(bytes, 'a' + i % 26, sizeof bytes);
        EXPECT(os_write(file, bytes, sizeof bytes, &err));
        os_close(file);
    }
    int file = open_at("sparse", OS_WRITE | OS_CREATE);
    EXPECT(os_pwrite(file, "x", 1, UINT64_C(1) << 38, &err));
    EXPECT(!os_pwrite(file, "x", 1, UINT64_C(1) << 40, &err) && err.code == EFBIG);
    struct os_stat stat;
    EXPECT(os_fstat(file, &stat, &err) && stat.size == (UINT64_C(1) << 38) + 1 && stat.allocated == 4096);
    os_close(file);
    return test_is_bad;
}

static int do_nothing(void *arg)
{
    (void)arg;
    return 0;
}

TEST(large_files_and_many_lives_are_cheap)
{
    int megabytes = 200, status;
    begin(0);
    EXPECT(sim_life(write_much, &megabytes, NULL, &status) == SIM_RETURNED && status == 0);
    struct os_stat stat;
    EXPECT(os_stat("big", &stat, &err) && stat.size == 200 << 20);
    clock_t before = clock();
    for (int i = 0; i < 100; i++)
        EXPECT(sim_life(do_nothing, NULL, NULL, &status) == SIM_RETURNED);
    double ms = (double)(clock() - before) * 1000 / CLOCKS_PER_SEC / 100;
    printf("a life with 200 MiB on the disk: %.2f ms of the test's time\n", ms);
    EXPECT(ms < 20);
    sim_power_cut();
    sim_close();
}

int main(void)
{
    RUN(the_same_calls_have_the_same_results_as_on_a_real_disk);
    RUN(what_was_synced_stays_and_the_rest_is_kept_lost_or_torn);
    RUN(a_new_file_needs_the_sync_of_its_folder);
    RUN(a_folder_that_is_forgotten_takes_its_files_along);
    RUN(a_folder_that_a_killed_life_made_is_durable_before_it_is_used);
    RUN(a_rename_is_whole_or_not_at_all);
    RUN(a_removed_file_comes_back_if_the_folder_was_not_synced);
    RUN(synchronous_writes_are_durable_when_they_return);
    RUN(appends_keep_what_shares_their_sector);
    RUN(a_truncation_is_kept_or_lost);
    RUN(what_is_written_after_a_truncation_does_not_come_without_it);
    RUN(every_sector_has_a_version_that_it_may_have);
    RUN(a_disk_is_full_at_some_time);
    RUN(a_failed_sync_is_not_made_good_by_the_next);
    RUN(damage_changes_bits);
    RUN(lives_end_in_four_ways);
    RUN(a_whole_file_is_old_or_new_after_a_crash_at_every_call);
    RUN(a_whole_file_is_old_or_new_when_any_call_fails);
    RUN(the_same_seed_is_the_same_run);
    RUN(large_files_and_many_lives_are_cheap);
    return test_end();
}
