#include "broker/session.h"

#include "os/os.h"

void sessions_init(struct fetch_sessions *all)
{
    *all = (struct fetch_sessions){0};
    list_init(&all->by_use);
}

struct fetch_session *session_find(struct fetch_sessions *all, int32_t id)
{
    struct fetch_session *s = all->slots[(uint32_t)id % SESSIONS_MAX];
    return s && s->id == id ? s : NULL;
}

/* A free slot, perhaps that of the session that was not used for the longest time; SESSIONS_MAX: none. */
static uint32_t make_slot(struct fetch_sessions *all, struct mono_time now)
{
    for (uint32_t i = 0; i < SESSIONS_MAX; i++)
        if (all->slots[i] == NULL)
            return i;
    LIST_EACH(link, &all->by_use)
    {
        struct fetch_session *s = CONTAINER_OF(link, struct fetch_session, link);
        if (mono_since_ns(now, s->used) < SESSION_IDLE_MS * NS_PER_MS)
            break;
        if (s->busy)
            continue;
        uint32_t slot = (uint32_t)s->id % SESSIONS_MAX;
        session_free(all, s);
        return slot;
    }
    return SESSIONS_MAX;
}

struct fetch_session *session_new(struct fetch_sessions *all, bool by_id, struct mono_time now)
{
    uint32_t slot = make_slot(all, now), id;
    if (slot == SESSIONS_MAX)
        return NULL;
    struct fetch_session *s = mem_new(sizeof *s);
    *s = (struct fetch_session){.by_id = by_id, .used = now};
    do {
        os_random(&id, sizeof id);
        s->id = (int32_t)((id & INT32_MAX) / SESSIONS_MAX * SESSIONS_MAX + slot);
    } while (s->id == 0);
    list_init(&s->parts);
    list_push_back(&all->by_use, &s->link);
    all->slots[slot] = s;
    return s;
}

static void part_free(struct fetch_sessions *all, struct fetch_session *s, struct fetch_part *part)
{
    list_remove(&part->link);
    log_release(part->log);
    s->part_count--;
    all->part_count--;
    mem_free(part);
}

void session_free(struct fetch_sessions *all, struct fetch_session *s)
{
    while (!list_empty(&s->parts))
        part_free(all, s, CONTAINER_OF(s->parts.next, struct fetch_part, link));
    map_fini(&s->by_key);
    all->slots[(uint32_t)s->id % SESSIONS_MAX] = NULL;
    list_remove(&s->link);
    mem_free(s);
}

void sessions_fini(struct fetch_sessions *all)
{
    while (!list_empty(&all->by_use))
        session_free(all, CONTAINER_OF(all->by_use.next, struct fetch_session, link));
}

void session_use(struct fetch_sessions *all, struct fetch_session *s, struct mono_time now)
{
    s->used = now;
    list_remove(&s->link);
    list_push_back(&all->by_use, &s->link);
}

enum { KEY_MAX = sizeof(struct kafka_uuid) + sizeof(int32_t) + TOPIC_NAME_MAX };

/* False: no topic has such a name. */
static bool part_key(char out[KEY_MAX], struct str topic, const struct kafka_uuid *id, int32_t partition,
                     struct str *key)
{
    if (topic.n > TOPIC_NAME_MAX)
        return false;
    memcpy(out, id, sizeof *id);
    memcpy(out + sizeof *id, &partition, sizeof partition);
    if (topic.n)
        memcpy(out + sizeof *id + sizeof partition, topic.p, topic.n);
    *key = str_n(out, sizeof *id + sizeof partition + topic.n);
    return true;
}

bool session_put(struct fetch_sessions *all, struct fetch_session *s, const struct fetch_part *from)
{
    char bytes[KEY_MAX];
    struct str key;
    if (!part_key(bytes, from->topic, &from->topic_id, from->partition, &key))
        return false;
    struct fetch_part *part = map_get(&s->by_key, key);
    if (part == NULL) {
        if (all->part_count >= SESSION_PARTITIONS_MAX)
            return false;
        part = mem_new(sizeof *part + from->topic.n);
        *part = *from;
        part->log = NULL;
        part->topic = str_n(part + 1, from->topic.n);
        if (from->topic.n)
            memcpy(part + 1, from->topic.p, from->topic.n);
        list_push_back(&s->parts, &part->link);
        map_put(&s->by_key, key, part);
        s->part_count++;
        all->part_count++;
        return true;
    }
    part->offset = from->offset;
    part->max_bytes = from->max_bytes;
    part->leader_epoch = from->leader_epoch;
    part->last_epoch = from->last_epoch;
    return true;
}

void session_forget(struct fetch_sessions *all, struct fetch_session *s, struct str topic,
                    const struct kafka_uuid *topic_id, int32_t partition)
{
    char bytes[KEY_MAX];
    struct str key;
    struct fetch_part *part = NULL;
    if (part_key(bytes, topic, topic_id, partition, &key))
        part = map_remove(&s->by_key, key);
    if (part)
        part_free(all, s, part);
}
