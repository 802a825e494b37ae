/* What the files of Kafka's codec share. */
#ifndef WIRE_KAFKA_I_H
#define WIRE_KAFKA_I_H

#include "base/check.h"
#include "wire/kafka.h"

/* Where decoded arrays of no elements begin: NULL would be null. */
extern uint64_t kafka_nothing;

/* Bytes of a kind in C; of a struct by its type. */
extern const uint8_t kafka_kind_size[KAFKA_KINDS];

static inline bool kafka_within(int version, int first, int last)
{
    return version >= first && version <= last;
}
static inline bool kafka_has_field(const struct kafka_field *f, int version)
{
    return kafka_within(version, f->first, f->last);
}
static inline bool kafka_can_be_null(const struct kafka_field *f, int version)
{
    return kafka_within(version, f->null_first, f->null_last);
}
/* Bytes in C of a field's struct, or of one element. */
static inline size_t kafka_element_size(const struct kafka_field *f)
{
    return f->kind == KAFKA_STRUCT ? f->type->size : kafka_kind_size[f->kind];
}
static inline bool kafka_is_text(int kind)
{
    return kind == KAFKA_STR || kind == KAFKA_BYTES || kind == KAFKA_RECORDS;
}

/* The pointer of an array, or of a struct that can be null, and an array's count. */
static inline void *kafka_pointer(const void *at)
{
    void *p;
    memcpy(&p, at, sizeof p);
    return p;
}
static inline uint32_t kafka_count(const void *at)
{
    uint32_t count;
    memcpy(&count, (const uint8_t *)at + sizeof(void *), sizeof count);
    return count;
}
static inline void kafka_set_array(void *at, const void *p, uint32_t count)
{
    memcpy(at, &p, sizeof p);
    memcpy((uint8_t *)at + sizeof p, &count, sizeof count);
}

/* Is a field of a struct at its default? at, by_default: the field in it, and in its type's defaults. NULL is not empty. */
bool kafka_is_default(const struct kafka_field *f, const void *at, const void *by_default);

#endif
