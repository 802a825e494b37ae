#include "broker/java_hash.h"

#include "base/check.h"
#include "base/utf8.h"

int32_t java_hash(struct str text)
{
    uint32_t hash = 0;
    for (size_t i = 0; i < text.n;) {
        uint32_t code = 0;
        size_t n = utf8_decode(text.p + i, text.n - i, &code);
        if (n == 0) {
            code = 0xFFFD;
            n = 1;
        }
        if (code >= 0x10000) { /* a surrogate pair */
            hash = 31 * hash + (0xD800 | (code - 0x10000) >> 10);
            code = 0xDC00 | ((code - 0x10000) & 0x3FF);
        }
        hash = 31 * hash + code;
        i += n;
    }
    return (int32_t)hash;
}

int32_t coordinator_partition(struct str id, int32_t partitions)
{
    CHECK(partitions > 0);
    int32_t hash = java_hash(id);
    if (hash == INT32_MIN) /* Kafka's abs of it */
        return 0;
    return (hash < 0 ? -hash : hash) % partitions;
}
