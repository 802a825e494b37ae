/* The loops of json_block.c over the records of a block, included once for each kind of processor.
 *
 * STEP_TARGET: the attribute that lets a function use its instructions; STEP_NAME: its name there; STEP_PLAIN_END: its plain_end(). All of them give the
 * same answers. */

/* The string at p, its quote, into a view. Returns what is behind it, or NULL. */
STEP_TARGET ALWAYS_INLINE const char *STEP_NAME(take_string)(struct json_decoder *d, bool copy,
                                                             struct view *to, const char *p, const char *end)
{
    if (UNLIKELY(*p != '"'))
        return NULL;
    const char *q = STEP_PLAIN_END(++p, end);
    if (UNLIKELY(q == end || *q != '"' || copy)) {
        struct str text;
        q = odd_string(d, p, end, &text);
        if (q == NULL)
            return NULL;
        *to = view_of(text.p, text.n);
    } else {
        json_store_view(to, p, (uint32_t)(q - p), end);
    }
    return q + 1;
}

/* The value at p into its column. Returns what is behind it, or NULL: it is not in a common form. */
STEP_TARGET ALWAYS_INLINE const char *STEP_NAME(take)(struct json_decoder *d, const struct json_key *key,
                                                      const enum type_kind kind, bool copy, void *data,
                                                      uint32_t row, const char *p, const char *end)
{
    int64_t i = 0;
    const char *q;
    bool has_zone;
    switch (kind) {
    case TYPE_STRING: return STEP_NAME(take_string)(d, copy, (struct view *)data + row, p, end);
    case TYPE_TIMESTAMP:
        q = *p == '"' ? STEP_PLAIN_END(++p, end) : end;
        return LIKELY(q < end && *q == '"' &&
                      timestamp_parse_iso(str_n(p, (size_t)(q - p)), (int64_t *)data + row, &has_zone) &&
                      has_zone)
                   ? q + 1
                   : NULL;
    case TYPE_LONG: return json_read_i64(p, end, (int64_t *)data + row);
    case TYPE_INT:
        q = json_read_i64(p, end, &i);
        ((int32_t *)data)[row] = (int32_t)i;
        return LIKELY(i == (int32_t)i) ? q : NULL;
    case TYPE_DOUBLE: return json_read_f64(p, end, (double *)data + row);
    case TYPE_BOOLEAN: return json_read_boolean(p, end, (uint8_t *)data + row);
    default: return key->slot ? take_other(d, key->slot, row, p, end) : pass(d, key, p, end);
    }
}

/* One name in all records. kind: the column's, where take() has a case for it. */
STEP_TARGET ALWAYS_INLINE void STEP_NAME(step_kind)(struct json_decoder *d, const struct json_key *given,
                                                    const enum type_kind kind)
{
    struct json_block *b = &d->block;
    const struct json_key key = *given;
    void *data = key.slot ? key.slot->data : NULL;
    bool copy = d->options.copy;
    uint64_t valid = 0;
    for (uint32_t i = 0; i < b->count; i++) {
        const char *p = b->at[i], *end = b->end[i], *q;
        if (!json_key_is(&key, p, end))
            continue;
        p += key.size;
        p += *p == ' ';
        if (UNLIKELY(p == end))
            continue;
        bool is_valid = true;
        q = STEP_NAME(take)(d, given, kind, copy, data, b->row + i, p, end);
        if (UNLIKELY(q == NULL)) {
            if ((view_load8(p, end) & UINT32_MAX) != JSON_NULL_WORD)
                continue;
            is_valid = false;
            q = p + 4;
        }
        if (UNLIKELY(q == end))
            continue;
        if (LIKELY(*q == ',')) {
            q++;
            b->at[i] = q + (q < end && *q == ' ');
        } else if (*q == '}' && q + 1 == end) {
            b->at[i] = end;
            b->done |= UINT32_C(1) << i;
        } else {
            continue;
        }
        valid |= (uint64_t)is_valid << i;
    }
    if (key.slot)
        json_slot_set_valid(key.slot, b->row, valid);
}

STEP_TARGET static void STEP_NAME(step)(struct json_decoder *d, const struct json_key *key)
{
    switch (key->slot ? key->slot->kind : TYPE_NULL) {
    case TYPE_STRING: STEP_NAME(step_kind)(d, key, TYPE_STRING); return;
    case TYPE_LONG: STEP_NAME(step_kind)(d, key, TYPE_LONG); return;
    case TYPE_INT: STEP_NAME(step_kind)(d, key, TYPE_INT); return;
    case TYPE_DOUBLE: STEP_NAME(step_kind)(d, key, TYPE_DOUBLE); return;
    case TYPE_BOOLEAN: STEP_NAME(step_kind)(d, key, TYPE_BOOLEAN); return;
    case TYPE_TIMESTAMP:
        if (d->timestamp_pattern == NULL) {
            STEP_NAME(step_kind)(d, key, TYPE_TIMESTAMP);
            return;
        }
        break;
    default: break;
    }
    STEP_NAME(step_kind)(d, key, TYPE_NULL);
}

#undef STEP_TARGET
#undef STEP_NAME
#undef STEP_PLAIN_END
