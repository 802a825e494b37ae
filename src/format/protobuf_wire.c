/* The wire format by itself: tags, fields that nobody knows, indexes of messages. */
#include "base/bytes.h"
#include "format/protobuf_private.h"

enum { TAG_BYTES_MAX = 5 };

/* ---- tags and unknown fields ---------------------------------------------------------------------------------------------- */

const uint8_t *protobuf_tag(const uint8_t *p, const uint8_t *end, uint32_t *key, const char **reason)
{
    uint64_t value;
    const uint8_t *next = protobuf_varint(p, end, &value);
    if (next == NULL || next - p > TAG_BYTES_MAX || value > UINT32_MAX) {
        *reason = next == NULL && end - p < TAG_BYTES_MAX ? "a tag is cut off" : "a tag is too long";
        return NULL;
    }
    *key = (uint32_t)value;
    if (value >> 3 == 0 || (value & 7) > WIRE_FIXED32) {
        *reason = value >> 3 == 0 ? "a field has the number 0" : "a field has an unknown wire type";
        return NULL;
    }
    return next;
}

/* One that is no group. */
static const uint8_t *skip_value(const uint8_t *p, const uint8_t *end, unsigned wire, const char **reason)
{
    uint64_t value;
    *reason = "a field is cut off";
    switch (wire) {
    case WIRE_VARINT:
        p = protobuf_varint(p, end, &value);
        if (p == NULL)
            *reason = "a varint is cut off or too long";
        return p;
    case WIRE_FIXED64: return end - p >= 8 ? p + 8 : NULL;
    case WIRE_FIXED32: return end - p >= 4 ? p + 4 : NULL;
    default: /* BYTES */
        p = protobuf_varint(p, end, &value);
        return p != NULL && value <= (size_t)(end - p) ? p + value : NULL;
    }
}

const uint8_t *protobuf_skip(const uint8_t *p, const uint8_t *end, uint32_t key, const uint8_t **body_end,
                             const char **reason)
{
    uint32_t open[PROTOBUF_SKIP_DEPTH_MAX], depth = 0; /* numbers of groups */
    for (;;) {
        unsigned wire = key & 7;
        if (wire == WIRE_GROUP) {
            if (depth == PROTOBUF_SKIP_DEPTH_MAX) {
                *reason = "groups are nested too deeply";
                return NULL;
            }
            open[depth++] = key >> 3;
        } else if (wire == WIRE_GROUP_END) {
            if (depth == 0 || open[depth - 1] != key >> 3) {
                *reason = "the end of a group that is not open";
                return NULL;
            }
            depth--;
        } else if ((p = skip_value(p, end, wire, reason)) == NULL) {
            return NULL;
        }
        if (depth == 0)
            return p;
        if (p == end) {
            *reason = "a group is not closed";
            return NULL;
        }
        if (body_end != NULL)
            *body_end = p;
        if ((p = protobuf_tag(p, end, &key, reason)) == NULL)
            return NULL;
    }
}

/* ---- indexes -------------------------------------------------------------------------------------------------------------- */

size_t protobuf_indexes_read(struct str bytes, int32_t indexes[PROTOBUF_INDEXES_MAX], size_t *count)
{
    struct rd r = rd_of(bytes.p, bytes.n);
    int64_t n = unzigzag(rd_uvarint(&r));
    if (r.bad || n < 0 || n > PROTOBUF_INDEXES_MAX)
        return 0;
    for (int64_t i = 0; i < n; i++) {
        int64_t index = unzigzag(rd_uvarint(&r));
        if (r.bad || index < 0 || index > PROTOBUF_INDEX_MAX)
            return 0;
        indexes[i] = (int32_t)index;
    }
    *count = (size_t)n;
    if (n == 0) { /* short for the first message */
        indexes[0] = 0;
        *count = 1;
    }
    return bytes.n - rd_left(&r);
}

void protobuf_indexes_write(const struct proto_message *message, struct sbuf *out)
{
    uint32_t indexes[PROTOBUF_INDEXES_MAX];
    size_t count = 0, from = PROTOBUF_INDEXES_MAX;
    for (; message != NULL; message = message->parent) {
        CHECK(from > 0);
        indexes[--from] = message->index;
        count++;
    }
    if (count == 1 && indexes[from] == 0) {
        sbuf_char(out, '\0');
        return;
    }
    uint8_t *to = (uint8_t *)sbuf_reserve(out, (count + 1) * VARINT_MAX);
    size_t n = put_varint(to, (int64_t)count);
    for (; from < PROTOBUF_INDEXES_MAX; from++)
        n += put_varint(to + n, indexes[from]);
    sbuf_added(out, n);
}
