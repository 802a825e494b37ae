#include "source/randomuser.h"

#include <openssl/evp.h>
#include <stdio.h>

#include "base/bytes.h"
#include "base/map.h"
#include "type/timestamp.h"

enum postcode { POSTCODE_NUMBER, POSTCODE_AU, POSTCODE_CH, POSTCODE_NO, POSTCODE_CA, POSTCODE_GB };

struct nation {
    const char *code, *country, *men, *women, *last, *streets, *cities, *states, *phone, *cell, *id_name, *id;
    enum postcode postcode;
};

static const struct nation nations[] = {
#define NATION(code, country, men, women, last, streets, cities, states, phone, cell, id_name, id, postcode) \
    {code, country, men, women, last, streets, cities, states, phone, cell, id_name, id, postcode},
#include "source/randomuser.def"
#undef NATION
};
enum { NATIONS = sizeof nations / sizeof nations[0] };

static const char zones[] =
    "-12:00 Eniwetok, Kwajalein|-11:00 Midway Island, Samoa|-10:00 Hawaii|-9:00 Alaska|-8:00 Pacific Time (US & Canada)|"
    "-7:00 Mountain Time (US & Canada)|-6:00 Central Time (US & Canada), Mexico City|"
    "-5:00 Eastern Time (US & Canada), Bogota, Lima|-4:00 Atlantic Time (Canada), Caracas, La Paz|-3:30 Newfoundland|"
    "-3:00 Brazil, Buenos Aires, Georgetown|-2:00 Mid-Atlantic|-1:00 Azores, Cape Verde Islands|"
    "0:00 Western Europe Time, London, Lisbon, Casablanca|+1:00 Brussels, Copenhagen, Madrid, Paris|"
    "+2:00 Kaliningrad, South Africa|+3:00 Baghdad, Riyadh, Moscow, St. Petersburg|+3:30 Tehran|"
    "+4:00 Abu Dhabi, Muscat, Baku, Tbilisi|+4:30 Kabul|+5:00 Ekaterinburg, Islamabad, Karachi, Tashkent|"
    "+5:30 Bombay, Calcutta, Madras, New Delhi|+5:45 Kathmandu|+6:00 Almaty, Dhaka, Colombo|+7:00 Bangkok, Hanoi, Jakarta|"
    "+8:00 Beijing, Perth, Singapore, Hong Kong|+9:00 Tokyo, Seoul, Osaka, Sapporo, Yakutsk|+9:30 Adelaide, Darwin|"
    "+10:00 Eastern Australia, Guam, Vladivostok|+11:00 Magadan, Solomon Islands, New Caledonia|"
    "+12:00 Auckland, Wellington, Fiji, Kamchatka";
static const char colours[] =
    "beautiful|purple|blue|brown|sad|small|black|crazy|heavy|ticklish|silver|golden|organic|happy|lazy|angry|tiny|yellow";
static const char animals[] =
    "fish|rabbit|frog|gorilla|dog|bird|butterfly|snake|wolf|lion|panda|swan|tiger|goose|koala|meercat|bear|duck|cat";
static const char passwords[] =
    "disney1|natasha|godfather|chessie|shelter|luke|hurley|jamaica|tabitha|profit|school|shark1|victor|orion|sunshine|velvet|"
    "paradise|cobra|monkey1|lovely|toronto|winston|zeppelin|maggie";

/* ---- chance -------------------------------------------------------------------------------------------------------------- */

struct chance {
    uint64_t state;
};

/* SplitMix64. */
static uint64_t draw(struct chance *c)
{
    uint64_t z = c->state += UINT64_C(0x9E3779B97F4A7C15);
    z = (z ^ z >> 30) * UINT64_C(0xBF58476D1CE4E5B9);
    z = (z ^ z >> 27) * UINT64_C(0x94D049BB133111EB);
    return z ^ z >> 31;
}

static uint64_t below(struct chance *c, uint64_t n)
{
    return draw(c) % n;
}

static struct str pick(struct chance *c, const char *list)
{
    struct str rest = str_of(list);
    size_t count = 1;
    for (size_t i = 0; i < rest.n; i++)
        count += rest.p[i] == '|';
    for (uint64_t skip = below(c, count); skip > 0; skip--) {
        size_t bar = str_find(rest, STR("|"), 0);
        rest = str_n(rest.p + bar + 1, rest.n - bar - 1);
    }
    size_t bar = str_find(rest, STR("|"), 0);
    return bar == SIZE_MAX ? rest : str_n(rest.p, bar);
}

/* ---- one person ------------------------------------------------------------------------------------------------------------- */

struct person {
    const struct nation *nation;
    bool female;
    struct str first, last;
    int64_t born_us, registered_us;
};

static void put_pattern(struct sbuf *out, struct chance *c, const char *pattern, const struct person *p)
{
    struct datetime born;
    timestamp_to_datetime(p->born_us, &born);
    for (; *pattern; pattern++) {
        if (*pattern == '#')
            sbuf_char(out, (char)('0' + below(c, 10)));
        else if (*pattern == '^')
            sbuf_char(out, (char)('1' + below(c, 9)));
        else if (*pattern == '?')
            sbuf_char(out, (char)('A' + below(c, 26)));
        else if (*pattern == '@')
            sbuf_printf(out, "%02d%02d%02d", born.day, born.month, (int)(born.year % 100));
        else if (*pattern == '$')
            sbuf_printf(out, "%d%02d%02d", p->female ? 2 : 1, (int)(born.year % 100), born.month);
        else
            sbuf_char(out, *pattern);
    }
}

static void put_pattern_text(struct sbuf *out, struct chance *c, const char *pattern, const struct person *p)
{
    sbuf_char(out, '"');
    put_pattern(out, c, pattern, p);
    sbuf_char(out, '"');
}

static void put_name(struct sbuf *out, struct chance *c, const struct person *p)
{
    bool swiss = strcmp(p->nation->code, "CH") == 0;
    struct str title = p->female ? pick(c, swiss ? "Mademoiselle|Madame" : "Miss|Mrs|Ms")
                       : swiss   ? STR("Monsieur")
                                 : STR("Mr");
    sbuf_cstr(out, "{\"title\":");
    sbuf_json(out, title);
    sbuf_cstr(out, ",\"first\":");
    sbuf_json(out, p->first);
    sbuf_cstr(out, ",\"last\":");
    sbuf_json(out, p->last);
    sbuf_char(out, '}');
}

static void put_postcode(struct sbuf *out, struct chance *c, const struct person *p)
{
    struct str text;
    switch (p->nation->postcode) {
    case POSTCODE_NUMBER: sbuf_printf(out, "%d", (int)(10000 + below(c, 90000))); break;
    case POSTCODE_AU: sbuf_printf(out, "%d", (int)(200 + below(c, 9800))); break;
    case POSTCODE_CH: sbuf_printf(out, "%d", (int)(1000 + below(c, 9000))); break;
    case POSTCODE_NO: sbuf_printf(out, "\"%04d\"", (int)below(c, 10000)); break;
    case POSTCODE_CA: put_pattern_text(out, c, "?#? #?#", p); break;
    case POSTCODE_GB:
        text = pick(c, "?# #??|?## #??|?#? #??|??# #??|??## #??|??#? #??");
        sbuf_char(out, '"');
        for (size_t i = 0; i < text.n; i++)
            put_pattern(out, c, (const char[]){text.p[i], '\0'}, p);
        sbuf_char(out, '"');
        break;
    }
}

static void put_coordinate(struct sbuf *out, struct chance *c, int limit)
{
    int64_t v = (int64_t)below(c, (uint64_t)limit * 20000) - (int64_t)limit * 10000;
    sbuf_printf(out, "\"%s%lld.%04lld\"", v < 0 ? "-" : "", (long long)(v < 0 ? -v : v) / 10000,
                (long long)(v < 0 ? -v : v) % 10000);
}

static void put_location(struct sbuf *out, struct chance *c, const struct person *p)
{
    sbuf_printf(out, "{\"street\":{\"number\":%d,\"name\":", (int)(1 + below(c, 9999)));
    sbuf_json(out, pick(c, p->nation->streets));
    sbuf_cstr(out, "},\"city\":");
    sbuf_json(out, pick(c, p->nation->cities));
    sbuf_cstr(out, ",\"state\":");
    sbuf_json(out, pick(c, p->nation->states));
    sbuf_cstr(out, ",\"country\":");
    sbuf_json(out, str_of(p->nation->country));
    sbuf_cstr(out, ",\"postcode\":");
    put_postcode(out, c, p);
    sbuf_cstr(out, ",\"coordinates\":{\"latitude\":");
    put_coordinate(out, c, 90);
    sbuf_cstr(out, ",\"longitude\":");
    put_coordinate(out, c, 180);
    struct str zone = pick(c, zones);
    size_t blank = str_find(zone, STR(" "), 0);
    sbuf_cstr(out, "},\"timezone\":{\"offset\":");
    sbuf_json(out, str_n(zone.p, blank));
    sbuf_cstr(out, ",\"description\":");
    sbuf_json(out, str_n(zone.p + blank + 1, zone.n - blank - 1));
    sbuf_cstr(out, "}}");
}

/* Lower case ASCII letters of a name; others by a rough transliteration, or left out. */
static void put_ascii(struct sbuf *out, struct str name)
{
    static const struct {
        const char *from, *to;
    } table[] = {{"ä", "a"}, {"ö", "o"}, {"ü", "u"}, {"ß", "ss"}, {"é", "e"}, {"è", "e"},  {"ë", "e"},
                 {"á", "a"}, {"ã", "a"}, {"â", "a"}, {"í", "i"},  {"ï", "i"}, {"ó", "o"},  {"ô", "o"},
                 {"ú", "u"}, {"ç", "c"}, {"ñ", "n"}, {"å", "a"},  {"ø", "o"}, {"æ", "ae"}, {"š", "s"},
                 {"č", "c"}, {"ć", "c"}, {"ž", "z"}, {"đ", "d"},  {"ş", "s"}, {"ğ", "g"},  {"ı", "i"},
                 {"É", "e"}, {"Ö", "o"}, {"Ş", "s"}, {"Ç", "c"},  {"İ", "i"}, {"Š", "s"},  {"Ž", "z"},
                 {"Đ", "d"}, {"Č", "c"}, {"Ć", "c"}, {"Á", "a"},  {"Å", "a"}, {"Ø", "o"},  {"Ü", "u"},
                 {"Í", "i"}, {"Ó", "o"}, {"ê", "e"}, {"î", "i"}};
    size_t before = out->n;
    for (size_t i = 0; i < name.n; i++) {
        char ch = name.p[i];
        if ((ch >= 'a' && ch <= 'z') || ch == '-' || ch == '\'')
            sbuf_char(out, ch);
        else if (ch >= 'A' && ch <= 'Z')
            sbuf_char(out, (char)(ch + 32));
        for (size_t k = 0; k < sizeof table / sizeof table[0]; k++)
            if (str_starts(str_n(name.p + i, name.n - i), str_of(table[k].from)))
                sbuf_cstr(out, table[k].to);
    }
    if (out->n == before) /* another script */
        sbuf_printf(out, "user%u", (unsigned)(hash_bytes(name.p, name.n) % 1000));
}

static void put_hash(struct sbuf *out, const char *name, const EVP_MD *md, struct str text)
{
    uint8_t digest[EVP_MAX_MD_SIZE];
    char hex[2 * EVP_MAX_MD_SIZE + 1];
    unsigned n = 0;
    EVP_Digest(text.p, text.n, digest, &n, md, NULL);
    hex_encode(hex, digest, n);
    sbuf_printf(out, ",\"%s\":\"%s\"", name, hex);
}

static void put_login(struct sbuf *out, struct chance *c, const struct person *p)
{
    uint64_t high = draw(c), low = draw(c);
    char salt[9];
    (void)p;
    for (int i = 0; i < 8; i++)
        salt[i] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"[below(c, 62)];
    salt[8] = '\0';
    struct str password = pick(c, passwords), colour = pick(c, colours), animal = pick(c, animals);
    struct sbuf salted = {0};
    sbuf_printf(&salted, "%.*s%s", STR_ARG(password), salt);
    sbuf_printf(
        out,
        "{\"uuid\":\"%08x-%04x-4%03x-%04x-%012llx\",\"username\":\"%.*s%.*s%d\",\"password\":\"%.*s\",\"salt\":\"%s\"",
        (unsigned)(high >> 32), (unsigned)(high >> 16 & 0xFFFF), (unsigned)(high & 0xFFF),
        (unsigned)(low >> 48 & 0x3FFF) | 0x8000, (unsigned long long)(low & UINT64_C(0xFFFFFFFFFFFF)),
        STR_ARG(colour), STR_ARG(animal), (int)(100 + below(c, 900)), STR_ARG(password), salt);
    put_hash(out, "md5", EVP_md5(), sbuf_view(&salted));
    put_hash(out, "sha1", EVP_sha1(), sbuf_view(&salted));
    put_hash(out, "sha256", EVP_sha256(), sbuf_view(&salted));
    sbuf_char(out, '}');
    sbuf_fini(&salted);
}

static void put_moment(struct sbuf *out, int64_t us, struct wall_time now)
{
    struct datetime at, today;
    timestamp_to_datetime(us, &at);
    timestamp_to_datetime(now.us, &today);
    bool before = today.month < at.month || (today.month == at.month && today.day < at.day);
    sbuf_printf(out, "{\"date\":\"%04d-%02d-%02dT%02d:%02d:%02d.%03uZ\",\"age\":%d}", at.year, at.month,
                at.day, at.hour, at.minute, at.second, at.micro / 1000, today.year - at.year - before);
}

static void put_picture(struct sbuf *out, struct chance *c, const struct person *p)
{
    const char *folder = p->female ? "women" : "men";
    int n = (int)below(c, p->female ? 97 : 100);
    sbuf_printf(
        out,
        "{\"large\":\"https://randomuser.me/api/portraits/%s/%d.jpg\",\"medium\":\"https://randomuser.me/api/portraits/med/%s/%d.jpg\","
        "\"thumbnail\":\"https://randomuser.me/api/portraits/thumb/%s/%d.jpg\"}",
        folder, n, folder, n, folder, n);
}

static const char *const field_names[] = {"gender",     "name",  "location", "email", "login",   "dob",
                                          "registered", "phone", "cell",     "id",    "picture", "nat"};
enum {
    FIELD_GENDER,
    FIELD_NAME,
    FIELD_LOCATION,
    FIELD_EMAIL,
    FIELD_LOGIN,
    FIELD_DOB,
    FIELD_REGISTERED,
    FIELD_PHONE,
    FIELD_CELL,
    FIELD_ID,
    FIELD_PICTURE,
    FIELD_NAT,
    FIELDS
};

static void put_field(struct sbuf *out, struct chance *c, const struct person *p, int field,
                      struct wall_time now)
{
    switch (field) {
    case FIELD_GENDER: sbuf_cstr(out, p->female ? "\"female\"" : "\"male\""); break;
    case FIELD_NAME: put_name(out, c, p); break;
    case FIELD_LOCATION: put_location(out, c, p); break;
    case FIELD_EMAIL:
        sbuf_char(out, '"');
        put_ascii(out, p->first);
        sbuf_char(out, '.');
        put_ascii(out, p->last);
        sbuf_cstr(out, "@example.com\"");
        break;
    case FIELD_LOGIN: put_login(out, c, p); break;
    case FIELD_DOB: put_moment(out, p->born_us, now); break;
    case FIELD_REGISTERED: put_moment(out, p->registered_us, now); break;
    case FIELD_PHONE: put_pattern_text(out, c, p->nation->phone, p); break;
    case FIELD_CELL: put_pattern_text(out, c, p->nation->cell, p); break;
    case FIELD_ID:
        sbuf_printf(out, "{\"name\":\"%s\",\"value\":", p->nation->id_name);
        if (p->nation->id[0])
            put_pattern_text(out, c, p->nation->id, p);
        else
            sbuf_cstr(out, "null");
        sbuf_char(out, '}');
        break;
    case FIELD_PICTURE: put_picture(out, c, p); break;
    default: sbuf_printf(out, "\"%s\"", p->nation->code); break;
    }
}

/* Each field draws from a chance of its own, so that leaving some out does not change the others. */
static void put_person(struct sbuf *out, struct chance c, const struct nation *nation, int gender,
                       unsigned fields, struct wall_time now)
{
    struct person p = {.nation = nation};
    bool any = false;
    p.female = gender < 0 ? below(&c, 2) == 1 : gender == 1;
    p.first = pick(&c, p.female ? nation->women : nation->men);
    p.last = pick(&c, nation->last);
    p.born_us = (int64_t)(-820454400000 + (int64_t)below(&c, UINT64_C(1825200000000))) *
                1000; /* 1944 … 2001 */
    p.registered_us = (int64_t)(1009843200000 + (int64_t)below(&c, UINT64_C(643200000000))) *
                      1000; /* 2002 … 2022-05 */
    sbuf_char(out, '{');
    for (int field = 0; field < FIELDS; field++) {
        struct chance own = {draw(&c)};
        if (!(fields >> field & 1))
            continue;
        sbuf_printf(out, "%s\"%s\":", any ? "," : "", field_names[field]);
        put_field(out, &own, &p, field, now);
        any = true;
    }
    sbuf_char(out, '}');
}

/* ---- the request ---------------------------------------------------------------------------------------------------------------- */

/* Calls for each part of a comma list; returns a bit set of the names found in table. */
static unsigned bits_of(const char *list, const char *const *table, int count, bool *unknown)
{
    unsigned bits = 0;
    struct str rest = str_of(list);
    *unknown = false;
    while (rest.n) {
        size_t comma = str_find(rest, STR(","), 0);
        struct str one = str_trim(str_n(rest.p, comma == SIZE_MAX ? rest.n : comma));
        bool found = false;
        for (int i = 0; i < count; i++)
            if (str_eq_nocase(one, str_of(table[i]))) {
                bits |= 1u << i;
                found = true;
            }
        *unknown = *unknown || !found;
        rest = comma == SIZE_MAX ? STR("") : str_n(rest.p + comma + 1, rest.n - comma - 1);
    }
    return bits;
}

static int64_t number_within(const char *text, int64_t max)
{
    int64_t n;
    return text && str_to_i64(str_of(text), &n) && n >= 1 && n <= max ? n : 1;
}

const char *randomuser_answer(const struct randomuser_request *r, struct sbuf *out)
{
    const char *codes[NATIONS];
    bool unknown;
    char made_seed[17];
    for (int i = 0; i < NATIONS; i++)
        codes[i] = nations[i].code;
    unsigned wanted = r->nat ? bits_of(r->nat, codes, NATIONS, &unknown) : 0;
    if (wanted == 0 || unknown)
        wanted = (1u << NATIONS) - 1;
    unsigned fields = r->inc ? bits_of(r->inc, field_names, FIELDS, &unknown) : (1u << FIELDS) - 1;
    if (r->exc)
        fields &= ~bits_of(r->exc, field_names, FIELDS, &unknown);
    int64_t results = number_within(r->results, RANDOMUSER_RESULTS_MAX),
            page = number_within(r->page, RANDOMUSER_PAGE_MAX);
    int gender = r->seed || r->gender == NULL       ? -1
                 : strcmp(r->gender, "female") == 0 ? 1
                 : strcmp(r->gender, "male") == 0   ? 0
                                                    : -1;
    snprintf(made_seed, sizeof made_seed, "%016llx", (unsigned long long)r->entropy);
    const char *seed = r->seed && *r->seed ? r->seed : made_seed;
    struct chance chance = {hash_bytes(seed, strlen(seed)) + (uint64_t)page * UINT64_C(0xD1B54A32D192ED03)};
    sbuf_cstr(out, "{\"results\":[");
    for (int64_t i = 0; i < results; i++) {
        struct chance own = {draw(&chance)};
        int nation;
        do
            nation = (int)below(&own, NATIONS);
        while (!(wanted >> nation & 1));
        sbuf_cstr(out, i ? "," : "");
        put_person(out, own, &nations[nation], gender, fields, r->now);
    }
    sbuf_char(out, ']');
    if (r->noinfo == NULL) {
        sbuf_cstr(out, ",\"info\":{\"seed\":");
        sbuf_json(out, str_of(seed));
        sbuf_printf(out, ",\"results\":%lld,\"page\":%lld,\"version\":\"1.4\"}", (long long)results,
                    (long long)page);
    }
    sbuf_char(out, '}');
    return randomuser_form(r->format, out);
}
