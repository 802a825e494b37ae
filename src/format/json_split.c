/* Records in a text: lines, and the elements of an array inside of a document that arrives in pieces.
 *
 * json_split_next is a machine over bytes that may stop anywhere and go on there when more has come:
 *
 *     START ──{ and not there yet──> NAME ──the next name of the path──> START
 *       │                             │  └──another name──> SKIP ──> MEMBER
 *       ├──[ and there──> ELEMENT ──> RECORD ──> NEXT ──,──> ELEMENT
 *       ├──another value, there──> RECORD ──> MEMBER          └──]──> MEMBER
 *       └──another value, not there──> SKIP ──> MEMBER ──,──> NAME,  ──}──> MEMBER one further out
 *
 * At START the number of open objects is the number of path names that led here, so that is all the memory
 * it needs. Crossing a value counts brackets outside of strings; what is inside is for whoever decodes the
 * record. A value that is skipped never needs to be in the window as a whole. */
#include "format/json_private.h"

size_t json_lines(struct str chunk, bool last, struct str *records, size_t max, size_t *used)
{
    size_t at = 0, count = 0;
    while (count < max && at < chunk.n) {
        const char *line = chunk.p + at, *end = memchr(line, '\n', chunk.n - at);
        if (end == NULL && !last)
            break;
        size_t size = end ? (size_t)(end - line) : chunk.n - at;
        at += size + (end != NULL);
        while (size > 0 && (line[size - 1] == '\r' || line[size - 1] == ' ' || line[size - 1] == '\t'))
            size--;
        while (size > 0 && (*line == ' ' || *line == '\t')) {
            line++;
            size--;
        }
        if (size > 0)
            records[count++] = str_n(line, size);
    }
    *used = at;
    return count;
}

enum split_state {
    SPLIT_START,
    SPLIT_NAME,
    SPLIT_MEMBER,
    SPLIT_ELEMENT,
    SPLIT_NEXT,
    SPLIT_SKIP,
    SPLIT_RECORD,
    SPLIT_ELEMENT_RECORD
};
enum value_state { VALUE_BEGIN, VALUE_BRACKETS, VALUE_STRING, VALUE_WORD };

void json_split_init(struct json_split *split, struct str path, size_t record_max)
{
    *split = (struct json_split){.path = path, .record_max = record_max};
}

/* How many names the path has, and its i-th. */
static uint32_t path_names(struct str path, uint32_t i, struct str *name)
{
    uint32_t count = 0;
    while (path.n > 0) {
        size_t dot = str_find(path, STR("."), 0), n = dot == SIZE_MAX ? path.n : dot;
        if (count++ == i)
            *name = str_n(path.p, n);
        path = n < path.n ? str_n(path.p + n + 1, path.n - n - 1) : str_n(NULL, 0);
    }
    return count;
}

static enum json_split_result bad(struct err *err, const char *what)
{
    err_set(err, ERR_DATA, "this is not JSON: %s", what);
    return JSON_SPLIT_BAD;
}

#define EVERY_BYTE(c) (UINT64_C(0x0101010101010101) * (uint8_t)(c))

/* Nonzero when some byte of word is c. */
ALWAYS_INLINE uint64_t has_byte(uint64_t word, char c)
{
    uint64_t x = word ^ EVERY_BYTE(c);
    return (x - EVERY_BYTE(1)) & ~x & EVERY_BYTE(0x80);
}

/* Over what cannot matter, eight bytes at a time. */
static size_t leap(struct str window, size_t at, bool in_string)
{
    for (; window.n - at >= 8; at += 8) {
        uint64_t word;
        memcpy(&word, window.p + at, 8);
        uint64_t lower = word | EVERY_BYTE(0x20); /* [ becomes {, ] becomes } */
        if (has_byte(word, '"') |
            (in_string ? has_byte(word, '\\') : has_byte(lower, '{') | has_byte(lower, '}')))
            break;
    }
    return at;
}

static bool ends_word(char c)
{
    return c == ',' || c == ']' || c == '}' || c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

/* One byte of a value's middle: brackets. */
static void cross_bracket(struct json_split *split, char c)
{
    if (c == '"')
        split->value_state = VALUE_STRING;
    else if (c == '{' || c == '[')
        split->brackets++;
    else if (c == '}' || c == ']')
        split->brackets--;
}

/* Crosses the value at split->at; 1: it ends at split->at, 0: more is needed, -1: it is none. */
static int cross_value(struct json_split *split, struct str window, bool last)
{
    while (split->at < window.n) {
        char c = window.p[split->at];
        switch ((enum value_state)split->value_state) {
        case VALUE_BEGIN:
            if (c == ',' || c == ':' || c == '}' || c == ']')
                return -1;
            split->brackets = 0;
            split->value_state = VALUE_BRACKETS;
            if (c != '"' && c != '{' && c != '[')
                split->value_state = VALUE_WORD;
            cross_bracket(split, c);
            break;
        case VALUE_BRACKETS:
            split->at = leap(window, split->at, false);
            if (split->at >= window.n)
                return 0;
            cross_bracket(split, window.p[split->at]);
            if (split->brackets == 0 && split->value_state == VALUE_BRACKETS) {
                split->at++;
                return 1;
            }
            break;
        case VALUE_STRING:
            split->at = leap(window, split->at, true);
            if (split->at >= window.n)
                return 0;
            c = window.p[split->at];
            if (c == '\\') {
                if (split->at + 1 >= window.n)
                    return last ? -1 : 0;
                split->at++;
            } else if (c == '"') {
                split->value_state = VALUE_BRACKETS;
                if (split->brackets == 0) {
                    split->at++;
                    return 1;
                }
            }
            break;
        case VALUE_WORD:
            if (ends_word(c))
                return 1;
            break;
        }
        split->at++;
    }
    return split->value_state == VALUE_WORD && last ? 1 : 0;
}

/* The name at split->at, which is a quote, with its colon: 1, 0 or -1 as cross_value. */
static int cross_name(struct json_split *split, struct str window, struct str *name)
{
    size_t from = split->at + 1, at = from;
    while (at < window.n && window.p[at] != '"')
        at += window.p[at] == '\\' ? 2 : 1;
    if (at >= window.n)
        return 0;
    *name = str_n(window.p + from, at - from);
    at++;
    while (at < window.n && strchr(" \t\r\n", window.p[at]) != NULL && window.p[at] != '\0')
        at++;
    if (at >= window.n)
        return 0;
    if (window.p[at] != ':')
        return -1;
    split->at = at + 1;
    return 1;
}

static void go(struct json_split *split, enum split_state state)
{
    split->state = (uint8_t)state;
    split->value_state = VALUE_BEGIN;
    split->start = split->at;
}

/* A value begins: where the path leads, or on the way. */
static void at_start(struct json_split *split, char c)
{
    struct str unused;
    if (split->depth == path_names(split->path, UINT32_MAX, &unused)) {
        split->found = true;
        split->single = c != '[';
        if (split->single) {
            go(split, SPLIT_RECORD);
            return;
        }
        split->at++;
        go(split, SPLIT_ELEMENT);
    } else if (c == '{') {
        split->depth++;
        split->at++;
        go(split, SPLIT_NAME);
    } else {
        go(split, SPLIT_SKIP);
    }
}

/* 1, 0, -1 as cross_value. */
static int at_name(struct json_split *split, struct str window)
{
    struct str name = {0}, wanted = {0};
    if (window.p[split->at] == '}') {
        split->at++;
        split->depth--;
        go(split, split->depth == 0 ? SPLIT_START : SPLIT_MEMBER);
        return 1;
    }
    if (window.p[split->at] != '"')
        return -1;
    int done = cross_name(split, window, &name);
    if (done != 1)
        return done;
    path_names(split->path, split->depth - 1, &wanted);
    go(split, str_eq(name, wanted) ? SPLIT_START : SPLIT_SKIP);
    return 1;
}

/* A comma, or the bracket that closes the object or array around. */
static int at_separator(struct json_split *split, char c)
{
    bool in_array = split->state == SPLIT_NEXT;
    if (c == ',') {
        split->at++;
        go(split, in_array ? SPLIT_ELEMENT : SPLIT_NAME);
        return 1;
    }
    if (c != (in_array ? ']' : '}'))
        return -1;
    split->at++;
    if (!in_array)
        split->depth--;
    go(split, split->depth == 0 ? SPLIT_START : SPLIT_MEMBER);
    return 1;
}

/* A step that needs no record to be given: 1, 0, -1 as cross_value. */
static int step(struct json_split *split, struct str window)
{
    char c = window.p[split->at];
    switch ((enum split_state)split->state) {
    case SPLIT_START: at_start(split, c); return 1;
    case SPLIT_NAME: return at_name(split, window);
    case SPLIT_MEMBER:
    case SPLIT_NEXT: return at_separator(split, c);
    case SPLIT_ELEMENT:
        if (c == ']') { /* also behind a comma: a decoder of the whole text would mind, the records do not */
            split->state = SPLIT_NEXT;
            return at_separator(split, c);
        }
        go(split, SPLIT_ELEMENT_RECORD);
        return 1;
    case SPLIT_SKIP:
    case SPLIT_RECORD:
    case SPLIT_ELEMENT_RECORD: break;
    }
    UNREACHABLE("values are crossed by the caller");
}

/* A byte order mark counts as a blank before a document. */
static void skip_blanks(struct json_split *split, struct str window)
{
    bool outside = split->state == SPLIT_START && split->depth == 0;
    while (split->at < window.n) {
        unsigned char c = (unsigned char)window.p[split->at];
        if (c != ' ' && c != '\n' && c != '\t' && c != '\r' &&
            !(outside && (c == 0xEF || c == 0xBB || c == 0xBF)))
            return;
        split->at++;
    }
}

static bool is_crossing(const struct json_split *split)
{
    return split->state >= SPLIT_SKIP;
}

/* Goes on with the value that is being crossed. Sets *result when the caller has to hear of it. */
static bool crossed(struct json_split *split, struct str window, bool last, struct str *record,
                    enum json_split_result *result, struct err *err)
{
    if (split->value_state == VALUE_BEGIN) {
        skip_blanks(split, window);
        split->start = split->at;
    }
    int done = cross_value(split, window, last);
    bool is_record = split->state != SPLIT_SKIP;
    if (is_record && split->at - split->start > split->record_max) {
        err_set(err, ERR_DATA, "a record is larger than %zu bytes", split->record_max);
        *result = JSON_SPLIT_BAD;
        return true;
    }
    if (done < 0 || (done == 0 && last)) {
        *result = bad(err, done < 0 ? "a value is expected" : "the text ends too early");
        return true;
    }
    if (done == 0) {
        split->used = is_record ? split->start : split->at;
        *result = JSON_SPLIT_MORE;
        return true;
    }
    *record = str_n(window.p + split->start, split->at - split->start);
    split->used = split->at;
    *result = JSON_SPLIT_RECORD;
    go(split, split->state == SPLIT_ELEMENT_RECORD ? SPLIT_NEXT
              : split->depth == 0                  ? SPLIT_START
                                                   : SPLIT_MEMBER);
    return is_record;
}

enum json_split_result json_split_next(struct json_split *split, struct str window, bool last,
                                       struct str *record, struct err *err)
{
    enum json_split_result result;
    CHECK(split->at >= split->used);
    split->at -= split->used;
    split->start = split->start > split->used ? split->start - split->used : 0;
    split->used = 0;
    for (;;) {
        if (is_crossing(split)) {
            if (crossed(split, window, last, record, &result, err))
                return result;
            continue;
        }
        skip_blanks(split, window);
        bool at_end = split->at >= window.n;
        int done = at_end ? 0 : step(split, window);
        if (done < 0)
            return bad(err, "a comma, a name or a bracket is missing");
        if (done > 0)
            continue;
        if (at_end && last && split->state == SPLIT_START && split->depth == 0)
            return JSON_SPLIT_END;
        if (last)
            return bad(err, "the text ends too early");
        if (window.n - split->at > split->record_max)
            return bad(err, "a name is too long");
        split->used = split->at;
        return JSON_SPLIT_MORE;
    }
}
