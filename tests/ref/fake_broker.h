/* A Kafka broker of a few hundred lines, in the simulator, for tests of clients: one topic "t" of two partitions with ten records each, one group "g"
 * that has committed. It answers honestly, unless a test wants otherwise: another error, other bytes, silence, an end.
 *
 * It goes on while the client waits (sim_on_sleep), so that all happens on one thread and in virtual time. */
#ifndef REF_FAKE_BROKER_H
#define REF_FAKE_BROKER_H

#include "wire/kafka.h"

enum { FAKE_RECORDS = 10, FAKE_PARTITIONS = 2 };

enum fake_conduct {
    FAKE_ANSWERS,
    FAKE_IS_SILENT, /* takes the request and says nothing */
    FAKE_HANGS_UP,  /* does what is asked, and ends the connection instead of an answer */
};

struct fake_broker {
    /* set by the test; all may be NULL */
    enum fake_conduct (*conduct)(void *arg, const struct kafka_header *header, const void *request);
    void (*spoil)(void *arg, const struct kafka_header *header,
                  void *response); /* the struct, before it is encoded */
    void (*mangle)(void *arg, const struct kafka_header *header, struct sbuf *bytes); /* the whole frame */
    void *arg;
    int version_max[KAFKA_APIS]; /* that it speaks; 0 = what the description has; −1 = not at all */
    const char *advertised_host; /* NULL: the address where it is */
    int32_t advertised_port;
    /* what it saw */
    uint32_t requests[KAFKA_APIS];
    uint64_t batches; /* that Produce brought, without repetitions */
    int32_t next_sequence[FAKE_PARTITIONS];
    int64_t committed[FAKE_PARTITIONS]; /* of the group; −1 = nothing */
    char address[64];
};

/* Listens in the simulator (sim_live_here was called). One at a time. */
void fake_broker_start(struct fake_broker *fake);
void fake_broker_stop(struct fake_broker *fake);

#endif
