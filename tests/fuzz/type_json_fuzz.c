/* Schema JSON: what reads prints as JSON that reads as the same type. */
#include "type/type.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena arena = {0};
    struct sbuf text = {0};
    struct err err = {0};
    const struct type *type, *again;
    if (type_from_json(&arena, str_n(data, size), &type, &err)) {
        type_to_json(type, &text);
        CHECK(type_from_json(&arena, sbuf_view(&text), &again, &err));
        CHECK(type_equal(type, again));
    } else {
        CHECK(err.class == ERR_DATA && err.text[0] != '\0');
    }
    sbuf_fini(&text);
    arena_fini(&arena);
    return 0;
}
