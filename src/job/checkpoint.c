#include "job/checkpoint.h"

#include <errno.h>

#include "json/tree.h"

enum { HEADER = 32, INPUT_BYTES = 28, TOPIC_ID = 16, CRC_AT = 8, CRC_FROM = 12 };
static const char MAGIC[8] = "SLUICEC2";

char *checkpoint_path(struct arena *arena, const char *data, const char *stream, int64_t turn)
{
    return arena_printf(arena, "%s/checkpoints/%s/%020lld", data, stream, (long long)turn);
}

static struct str key_of(struct arena *arena, const char *stream, const char *what)
{
    return str_of(arena_printf(arena, "stream/%s/%s", stream, what));
}

/* ---- files ----------------------------------------------------------------------------------------------------------- */

bool checkpoint_write(const char *path, const struct checkpoint_data *data, struct err *err)
{
    struct arena arena = {0};
    struct sbuf file = {0};
    char *folder = arena_strdup(&arena, path), *slash = strrchr(folder, '/');
    size_t n = HEADER + data->input_count * (size_t)INPUT_BYTES, size = n + data->state.n;
    char *p = sbuf_reserve(&file, size);
    memcpy(p, MAGIC, sizeof MAGIC);
    put_be32(p + 12, data->input_count);
    put_be64(p + 16, data->fingerprint);
    put_be64(p + 24, (uint64_t)data->turn);
    for (uint32_t i = 0; i < data->input_count; i++) {
        char *at = p + HEADER + i * (size_t)INPUT_BYTES;
        memcpy(at, data->inputs[i].topic, TOPIC_ID);
        put_be32(at + 16, (uint32_t)data->inputs[i].partition);
        put_be64(at + 20, (uint64_t)data->inputs[i].next);
    }
    if (data->state.n)
        memcpy(p + n, data->state.p, data->state.n);
    put_be32(p + CRC_AT, crc32c(0, p + CRC_FROM, size - CRC_FROM));
    bool ok = size <= CHECKPOINT_BYTES_MAX ||
              err_set(err, ERR_FATAL, "the state's %zu bytes are more than a checkpoint takes (%d)",
                      data->state.n, CHECKPOINT_BYTES_MAX);
    if (slash)
        *slash = '\0';
    ok = ok && (slash == NULL || os_mkdirs(folder, err)) && os_write_file(path, p, size, err);
    sbuf_fini(&file);
    arena_fini(&arena);
    return ok;
}

bool checkpoint_read(struct arena *arena, const char *path, struct sbuf *file, struct checkpoint_data *data,
                     struct err *err)
{
    if (!os_read_file(path, CHECKPOINT_BYTES_MAX, file, err)) {
        if (err->code == ENOENT)
            err->class = ERR_DATA;
        return false;
    }
    const char *p = file->p;
    if (file->n < HEADER || memcmp(p, MAGIC, sizeof MAGIC) != 0 ||
        get_be32(p + CRC_AT) != crc32c(0, p + CRC_FROM, file->n - CRC_FROM) ||
        get_be32(p + 12) > (file->n - HEADER) / INPUT_BYTES)
        return err_set(err, ERR_DATA, "\"%s\" is damaged, or no checkpoint", path);
    uint32_t count = get_be32(p + 12);
    struct checkpoint_input *inputs = arena_array(arena, struct checkpoint_input, count + 1);
    for (uint32_t i = 0; i < count; i++) {
        const char *at = p + HEADER + i * (size_t)INPUT_BYTES;
        memcpy(inputs[i].topic, at, TOPIC_ID);
        inputs[i].partition = (int32_t)get_be32(at + 16);
        inputs[i].next = (int64_t)get_be64(at + 20);
    }
    size_t n = HEADER + count * (size_t)INPUT_BYTES;
    *data = (struct checkpoint_data){.fingerprint = get_be64(p + 16),
                                     .turn = (int64_t)get_be64(p + 24),
                                     .inputs = inputs,
                                     .input_count = count,
                                     .state = str_n(p + n, file->n - n)};
    return true;
}

/* ---- what the store knows ---------------------------------------------------------------------------------------------- */

uint32_t checkpoints_get(struct store *store, const char *stream, struct checkpoint *kept)
{
    struct arena arena = {0};
    struct sbuf text = {0};
    const struct json_node *list = NULL;
    uint32_t count = 0;
    memset(kept, 0, CHECKPOINTS_KEPT * sizeof *kept);
    if (store_get(store, key_of(&arena, stream, "checkpoint"), &text) &&
        json_parse(&arena, sbuf_view(&text), &list, NULL))
        JSON_EACH(one, list)
    if (count < CHECKPOINTS_KEPT && json_i64(one, "turn", &kept[count].turn) &&
        json_i64(one, "changelog", &kept[count].changelog))
        count++;
    sbuf_fini(&text);
    arena_fini(&arena);
    return count;
}

void checkpoints_put(struct frame *frame, const char *stream, const struct checkpoint *kept)
{
    struct arena arena = {0};
    struct sbuf text = {0};
    for (int i = 0; i < CHECKPOINTS_KEPT && kept[i].turn; i++)
        sbuf_printf(&text, "%s{\"turn\":%lld,\"changelog\":%lld}", i ? "," : "[", (long long)kept[i].turn,
                    (long long)kept[i].changelog);
    sbuf_char(&text, ']');
    frame_put(frame, key_of(&arena, stream, "checkpoint"), sbuf_view(&text));
    sbuf_fini(&text);
    arena_fini(&arena);
}

void turn_begin(struct sbuf *value, int64_t turn)
{
    char bytes[8];
    sbuf_clear(value);
    put_be64(bytes, (uint64_t)turn);
    sbuf_add(value, bytes, sizeof bytes);
}

void turn_position(struct sbuf *value, int32_t input, int32_t partition, int64_t next)
{
    char bytes[TURN_POSITION_BYTES];
    put_be32(bytes, (uint32_t)input);
    put_be32(bytes + 4, (uint32_t)partition);
    put_be64(bytes + 8, (uint64_t)next);
    sbuf_add(value, bytes, sizeof bytes);
}

void turn_put(struct frame *frame, const char *stream, const struct sbuf *value)
{
    struct arena arena = {0};
    frame_put(frame, key_of(&arena, stream, "turn"), sbuf_view(value));
    arena_fini(&arena);
}

int64_t turn_get(struct store *store, const char *stream, struct sbuf *value)
{
    struct arena arena = {0};
    bool known = store_get(store, key_of(&arena, stream, "turn"), value) && value->n >= 8;
    arena_fini(&arena);
    return known ? (int64_t)get_be64(value->p) : 0;
}

/* ---- going back ----------------------------------------------------------------------------------------------------------- */

static const struct topic_info *topic_by_id(const struct topic_info *infos, size_t count, const uint8_t *id)
{
    for (size_t i = 0; i < count; i++)
        if (memcmp(infos[i].id, id, TOPIC_ID) == 0)
            return &infos[i];
    return NULL;
}

/* The place of the id in the stream's list of inputs; -1: it is not there. */
static int32_t number_of(const struct sbuf *ids, const uint8_t *id)
{
    for (size_t at = 0; at + TOPIC_ID <= ids->n; at += TOPIC_ID)
        if (memcmp(ids->p + at, id, TOPIC_ID) == 0)
            return (int32_t)(at / TOPIC_ID);
    return -1;
}

static int64_t position_now(const struct sbuf *turn, int32_t input, int32_t partition)
{
    for (size_t at = 8; at + TURN_POSITION_BYTES <= turn->n; at += TURN_POSITION_BYTES)
        if ((int32_t)get_be32(turn->p + at) == input && (int32_t)get_be32(turn->p + at + 4) == partition)
            return (int64_t)get_be64(turn->p + at + 8);
    return 0;
}

static bool check_way(const struct checkpoint_way *way, struct log *log, struct err *err)
{
    if (way->next > log_end(log))
        return err_set(err, ERR_FATAL,
                       "the checkpoint is at offset %lld of topic \"%s\", partition %d, which ends at %lld",
                       (long long)way->next, way->topic.name, way->partition, (long long)log_end(log));
    if (way->next < way->start)
        return err_set(
            err, ERR_FATAL,
            "records %lld to %lld of topic \"%s\", partition %d, which come after the checkpoint, are gone",
            (long long)way->next, (long long)way->start - 1, way->topic.name, way->partition);
    return true;
}

bool checkpoint_ways(struct arena *arena, struct store *store, const char *stream,
                     const struct checkpoint_data *data, struct checkpoint_way **ways, uint32_t *count,
                     struct err *err)
{
    struct sbuf ids = {0}, turn = {0};
    struct topic_info *infos;
    size_t topics = store_topics(store, arena, &infos);
    bool ok = true;
    *ways = arena_zarray(arena, struct checkpoint_way, data->input_count + 1);
    store_get(store, key_of(arena, stream, "inputs"), &ids);
    turn_get(store, stream, &turn);
    for (*count = 0; ok && *count < data->input_count; ++*count) {
        const struct checkpoint_input *input = &data->inputs[*count];
        struct checkpoint_way *way = &(*ways)[*count];
        const struct topic_info *info = topic_by_id(infos, topics, input->topic);
        int32_t number = number_of(&ids, input->topic);
        struct log *log = info && number >= 0 ? log_get(store, info->name, input->partition) : NULL;
        ok = log != NULL ||
             err_set(err, ERR_FATAL, "the checkpoint is of another stream, or of another data folder");
        if (!ok)
            break;
        *way = (struct checkpoint_way){.topic = *info,
                                       .partition = input->partition,
                                       .input = number,
                                       .next = input->next,
                                       .now = position_now(&turn, number, input->partition),
                                       .start = log_start(log)};
        ok = check_way(way, log, err);
        log_release(log);
    }
    sbuf_fini(&ids);
    sbuf_fini(&turn);
    return ok;
}

bool checkpoint_restore(struct store *store, const char *data_folder, const char *stream,
                        struct checkpoint_data *data, const struct checkpoint_way *ways, uint32_t count,
                        struct frame *frame, struct err *err)
{
    struct arena arena = {0};
    struct sbuf turn = {0};
    struct checkpoint kept[CHECKPOINTS_KEPT] = {{0}};
    struct log *changelog = log_get(store, arena_printf(&arena, "__changelog.%s", stream), 0);
    bool ok = changelog != NULL || err_set(err, ERR_FATAL, "stream \"%s\" has not run yet", stream);
    if (ok) {
        data->turn = turn_get(store, stream, &turn) + 1;
        kept[0] = (struct checkpoint){data->turn, log_end(changelog)};
        ok = checkpoint_write(checkpoint_path(&arena, data_folder, stream, data->turn), data, err);
    }
    if (ok) {
        turn_begin(&turn, data->turn);
        for (uint32_t i = 0; i < count; i++)
            turn_position(&turn, ways[i].input, ways[i].partition, ways[i].next);
        frame->internal = true;
        turn_put(frame, stream, &turn);
        checkpoints_put(frame, stream, kept);
        frame_log_truncate_before(frame, changelog, kept[0].changelog);
    }
    if (changelog)
        log_release(changelog);
    sbuf_fini(&turn);
    arena_fini(&arena);
    return ok;
}
