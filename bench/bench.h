/* What benchmarks share: a clock, chance that is the same in each run, and records of twelve mixed fields, whose lengths and values differ from record to
 * record as if by chance. */
#ifndef BENCH_H
#define BENCH_H

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "base/str.h"

static inline double bench_now_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

static inline double bench_now_s(void)
{
    return bench_now_ns() * 1e-9;
}

struct bench_chance {
    uint64_t state;
};

static inline uint32_t bench_below(struct bench_chance *chance, uint32_t below)
{
    chance->state = chance->state * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)(chance->state >> 33) % below;
}

/* All texts are NUL-terminated but `agent`. */
struct bench_event {
    int64_t id, at_ms;
    char user_id[16];
    const char *event, *country /* or NULL */, *city;
    uint32_t cents, quantity;
    bool premium;
    char url[64], session[40];
    struct str agent;
};

static inline struct bench_event bench_event(struct bench_chance *chance, uint32_t i)
{
    static const char *const events[] = {"view", "click", "purchase", "add_to_cart", "logout"};
    static const char *const countries[] = {"CH", "Germany", "United States", "Brazil", "New Zealand", "NO"};
    static const char *const cities[] = {"Zurich",         "Berlin",     "San Francisco",
                                         "Rio de Janeiro", "Wellington", "Oslo"};
    static const char agent[] =
        "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/120.0";
    struct bench_event e = {.id = 1000000 + i};
    e.cents = bench_below(chance, 100000);
    snprintf(e.user_id, sizeof e.user_id, "user_%06u", bench_below(chance, 1000000));
    e.event = events[bench_below(chance, 5)];
    e.at_ms = 1704067200000 + (int64_t)bench_below(chance, 1000000000);
    e.country = bench_below(chance, 5) > 0 ? countries[bench_below(chance, 6)] : NULL;
    e.city = cities[bench_below(chance, 6)];
    e.quantity = bench_below(chance, 200);
    e.premium = bench_below(chance, 2);
    snprintf(e.url, sizeof e.url, "https://www.example.com/products/%u?ref=home",
             bench_below(chance, 5000000));
    uint32_t a = bench_below(chance, 1u << 31), b = bench_below(chance, 1u << 31);
    snprintf(e.session, sizeof e.session, "%08x-9a8b-4c7d-8e6f-%08x0a1b", a, b);
    e.agent = str_n(agent, sizeof agent - 1 - bench_below(chance, 30));
    return e;
}

/* Seconds that copying the bytes takes. */
static inline double bench_copy(int rounds, const char *p, size_t n)
{
    char *to = malloc(n);
    double best = 1e9;
    for (int round = 0; round < rounds; round++) {
        double from = bench_now_s();
        memcpy(to, p, n);
        __asm__ volatile("" ::"r"(to) : "memory");
        double took = bench_now_s() - from;
        best = took < best ? took : best;
    }
    free(to);
    return best;
}

static inline void bench_print(const char *name, int records, size_t bytes, double took)
{
    printf("%-22s %7.2f M records/s %8.2f GB/s\n", name, records / took / 1e6, (double)bytes / took / 1e9);
}

#endif
