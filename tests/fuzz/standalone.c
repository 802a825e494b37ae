/*
 * Runs a fuzzer as an ordinary test, without libFuzzer: over every file of its corpus, and over some thousands of
 * mutations of them, the same ones each time. It finds far less than `make fuzz`, but it runs on each check, with both
 * compilers, and an input that once failed and now lies in the corpus can never fail again unseen.
 *
 *     test/fuzz/NAME CORPUS [RUNS]     CORPUS is a folder or one file; with one file and RUNS 0, a failure is repeated
 *
 * An input that fails is written beside the program, as NAME.crash.
 */
#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
    FILES_MAX = 4096,
    INPUT_SIZE_MAX = 1 << 20,
    MUTANT_SIZE_MAX = 1 << 16,
    RUNS_DEFAULT = 4000,
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
extern const int fuzz_runs __attribute__((weak)); /* of a fuzzer that takes milliseconds for one */
__attribute__((weak)) int LLVMFuzzerInitialize(int *argc, char ***argv);
__attribute__((weak)) void __sanitizer_set_death_callback(void (*callback)(void));

struct input {
    size_t size;
    uint8_t *bytes;
};

static struct input corpus[FILES_MAX];
static int corpus_count;
static struct input running; /* what the fuzzer is looking at now */
static char crash_path[4096];
static uint64_t random_state = 0x9e3779b97f4a7c15;

static uint64_t random_below(uint64_t limit)
{
    random_state ^= random_state << 13;
    random_state ^= random_state >> 7;
    random_state ^= random_state << 17;
    return (random_state * 0x2545f4914f6cdd1d >> 16) % limit;
}

static void crash_save(void)
{
    int fd = open(crash_path, O_WRONLY | O_CREAT | O_TRUNC, 0666);
    if (fd >= 0 && write(fd, running.bytes, running.size) == (ssize_t)running.size)
        dprintf(STDERR_FILENO, /* NOLINT(bugprone-signal-handler): the program ends here */
                "the input that failed: %s\n", crash_path);
}

static void crash_signal(int number)
{
    crash_save();
    signal(number, SIG_DFL);
    raise(number);
}

/* The fuzzer gets a copy of exactly the input's size, so that AddressSanitizer sees one byte too far. */
static void run_one(const uint8_t *bytes, size_t size)
{
    running = (struct input){size, malloc(size)};
    if (size > 0)
        memcpy(running.bytes, bytes, size);
    LLVMFuzzerTestOneInput(running.bytes, size);
    free(running.bytes);
    running = (struct input){0};
}

static void corpus_add(const char *path)
{
    FILE *file = fopen(path, "rb");
    if (!file || corpus_count == FILES_MAX) {
        fprintf(stderr, "%s: %s\n", path, file ? "the corpus has too many files" : "could not be opened");
        exit(1);
    }
    struct input *input = &corpus[corpus_count++];
    input->bytes = malloc(INPUT_SIZE_MAX);
    input->size = fread(input->bytes, 1, INPUT_SIZE_MAX, file);
    input->bytes = realloc(input->bytes, input->size + 1);
    fclose(file);
}

static int by_name(const struct dirent **a, const struct dirent **b)
{
    return strcmp((*a)->d_name, (*b)->d_name);
}

static void corpus_read(const char *path)
{
    struct stat st;
    if (stat(path, &st) != 0)
        return; /* a fuzzer may start from nothing */
    if (S_ISREG(st.st_mode)) {
        corpus_add(path);
        return;
    }
    struct dirent **names;
    int count = scandir(path, &names, NULL, by_name);
    for (int i = 0; i < count; i++) {
        char file[4096];
        if (names[i]->d_name[0] != '.' && snprintf(file, sizeof(file), "%s/%s", path, names[i]->d_name) > 0)
            corpus_add(file);
        free(names[i]);
    }
    free(names);
}

static void number_put(struct input *m)
{
    static const uint64_t odd_numbers[] = {0,
                                           1,
                                           0x7f,
                                           0x80,
                                           0xff,
                                           0x7fff,
                                           0x8000,
                                           0xffff,
                                           0x7fffffff,
                                           0x80000000,
                                           0xffffffff,
                                           0x7fffffffffffffff,
                                           0x8000000000000000,
                                           UINT64_MAX};
    uint64_t number = odd_numbers[random_below(sizeof(odd_numbers) / sizeof(odd_numbers[0]))];
    size_t width = (size_t)1 << random_below(4);
    bool big_endian = random_below(2);
    if (m->size < width)
        return;
    size_t at = random_below(m->size - width + 1);
    for (size_t i = 0; i < width; i++)
        m->bytes[at + i] = (uint8_t)(number >> 8 * (big_endian ? width - 1 - i : i));
}

/* Puts `size` bytes from `source` at `at`, moving what stands there; no more than fit. */
static void bytes_insert(struct input *m, size_t at, const uint8_t *source, size_t size)
{
    if (size > MUTANT_SIZE_MAX - m->size)
        size = MUTANT_SIZE_MAX - m->size;
    memmove(m->bytes + at + size, m->bytes + at, m->size - at);
    memcpy(m->bytes + at, source, size);
    m->size += size;
}

static void mutate(struct input *m)
{
    uint8_t piece[64];
    size_t at = random_below(m->size + 1);
    size_t size = 1 + random_below(sizeof(piece));
    size_t rest = m->size - at;
    if (size > rest)
        size = rest;
    switch (random_below(7)) {
    case 0: /* one bit */
        if (rest > 0)
            m->bytes[at] ^= (uint8_t)(1u << random_below(8));
        break;
    case 1: /* one byte */
        if (rest > 0)
            m->bytes[at] = (uint8_t)random_below(256);
        break;
    case 2: number_put(m); break;
    case 3: /* a piece is lost */
        memmove(m->bytes + at, m->bytes + at + size, rest - size);
        m->size -= size;
        break;
    case 4: /* a piece stands somewhere else too */
        memcpy(piece, m->bytes + at, size);
        bytes_insert(m, random_below(m->size + 1), piece, size);
        break;
    case 5: /* the end is lost */
        if (random_below(4) == 0)
            m->size = at;
        break;
    case 6: { /* a piece of another input */
        const struct input *other = &corpus[random_below((uint64_t)corpus_count)];
        if (other->size == 0)
            break;
        size_t from = random_below(other->size);
        size = 1 + random_below(other->size - from < 256 ? other->size - from : 256);
        bytes_insert(m, at, other->bytes + from, size);
        break;
    }
    }
}

int main(int argc, char **argv)
{
    if (argc < 2) {
        fprintf(stderr, "usage: %s CORPUS [RUNS]\n", argv[0]);
        return 2;
    }
    long runs = argc > 2 ? strtol(argv[2], NULL, 10) : &fuzz_runs ? fuzz_runs : RUNS_DEFAULT;
    snprintf(crash_path, sizeof(crash_path), "%s.crash", argv[0]);
    if (__sanitizer_set_death_callback)
        __sanitizer_set_death_callback(crash_save);
    signal(SIGABRT, crash_signal);
    if (LLVMFuzzerInitialize)
        LLVMFuzzerInitialize(&argc, &argv);

    corpus_read(argv[1]);
    int files = corpus_count;
    for (int i = 0; i < files; i++)
        run_one(corpus[i].bytes, corpus[i].size);
    if (files == 0)
        corpus[corpus_count++] = (struct input){0};

    struct input mutant = {0, malloc(MUTANT_SIZE_MAX)};
    for (long i = 0; i < runs; i++) {
        const struct input *base = &corpus[i % corpus_count];
        mutant.size = base->size < MUTANT_SIZE_MAX ? base->size : MUTANT_SIZE_MAX;
        if (mutant.size > 0)
            memcpy(mutant.bytes, base->bytes, mutant.size);
        for (uint64_t count = 1 + random_below(6); count > 0; count--)
            mutate(&mutant);
        run_one(mutant.bytes, mutant.size);
    }
    printf("%d files, %ld mutations\n", files, runs);
    free(mutant.bytes);
    for (int i = 0; i < corpus_count; i++)
        free(corpus[i].bytes);
    return 0;
}
