/* DDL and types as SQL text: what parses prints as a text that parses to the same type. */
#include "type/type.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena arena = {0};
    struct sbuf text = {0};
    struct err err = {0};
    const struct type *type, *again;
    if (type_parse_ddl(&arena, str_n(data, size), &type, &err)) {
        type_to_sql(type, &text);
        CHECK(type_parse(&arena, sbuf_view(&text), &again, &err));
        CHECK(type_equal(type, again));
        sbuf_clear(&text);
        type_to_json(type, &text);
        CHECK(type_from_json(&arena, sbuf_view(&text), &again, &err));
        CHECK(type_equal(type, again));
    } else {
        CHECK(err.class == ERR_CONFIG && err.text[0] != '\0');
    }
    type_parse(&arena, str_n(data, size), &type, &err);
    sbuf_fini(&text);
    arena_fini(&arena);
    return 0;
}
