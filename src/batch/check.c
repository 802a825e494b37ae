/* batch_check: every invariant of batch.h in one place, for assertions, tests, fuzzers and recovery. */
#include "base/check.h"
#include "base/utf8.h"
#include "batch/batch.h"
#include "type/decimal.h"

/* What is wrong, in a few words; NULL = nothing. Only the columns on the way down are named, in the
 * caller. */
static const char *check_column(const struct column *column, const struct type *type, const uint8_t *parent);

static bool is_list(const struct type *type)
{
    return type->kind == TYPE_ARRAY || type->kind == TYPE_MAP;
}

static const char *check_lists(const struct column *column, uint32_t rows)
{
    if (column->offsets == NULL)
        return "there are no offsets";
    for (uint32_t i = 0; i < rows; i++) {
        if (column->offsets[i + 1] < column->offsets[i])
            return "offsets descend";
        bool null = column->validity != NULL && !bit_get(column->validity, i);
        if (null && column->offsets[i + 1] != column->offsets[i])
            return "a null list has elements";
    }
    for (uint32_t c = 0; c < column_child_count(column->type); c++)
        if (column->children[c].rows < column->offsets[rows])
            return "offsets pass the end of the elements";
    return NULL;
}

static const char *check_views(const struct column *column, uint32_t rows)
{
    const struct view *views = column->data;
    for (uint32_t i = 0; i < rows; i++) {
        const struct view *v = &views[i];
        bool null = column->validity != NULL && !bit_get(column->validity, i);
        if (v->size > VIEW_INLINE && v->far.p == NULL)
            return "a view points nowhere";
        if (v->size > VIEW_INLINE && memcmp(v->far.prefix, v->far.p, sizeof v->far.prefix) != 0)
            return "a view's prefix is not its first bytes";
        for (uint32_t k = v->size; k < VIEW_INLINE; k++)
            if (v->inlined[k] != 0)
                return "a short view is not padded with zeros";
        if (!null && column->type->kind == TYPE_STRING && !utf8_valid(view_bytes(v), v->size))
            return "a string is not UTF-8";
    }
    return NULL;
}

static const char *check_fixed(const struct column *column, uint32_t rows)
{
    const struct type *type = column->type;
    for (uint32_t i = 0; i < rows; i++) {
        if (type->kind == TYPE_BOOLEAN && ((const uint8_t *)column->data)[i] > 1)
            return "a boolean is neither 0 nor 1";
        bool null = column->validity != NULL && !bit_get(column->validity, i);
        if (type->kind == TYPE_DECIMAL && !null &&
            !decimal_fits(((const i128 *)column->data)[i], type->precision))
            return "a decimal has more digits than its precision";
    }
    return NULL;
}

/* The arrays of a column that hold `rows` rows themselves. */
static const char *check_values(const struct column *column, uint32_t rows)
{
    const struct type *type = column->type;
    const char *wrong = NULL;
    if (type_width(type) > 0 && rows > 0 && column->data == NULL)
        return "there is no data";
    if (column_child_count(type) > 0 && column->children == NULL)
        return "there are no children";
    if (type_is_view(type))
        wrong = check_views(column, rows);
    else if (is_list(type))
        wrong = check_lists(column, rows);
    else
        wrong = check_fixed(column, rows);
    for (uint32_t c = 0; wrong == NULL && c < column_child_count(type); c++) {
        const struct column *child = &column->children[c];
        if (!is_list(type) && child->rows != rows)
            return "a child has another number of rows";
        wrong = check_column(child, column_child_type(type, c), is_list(type) ? NULL : column->validity);
    }
    return wrong;
}

static const char *check_dictionary(const struct column *column)
{
    const struct column *dictionary = column->dictionary;
    if (dictionary == NULL || (column->indices == NULL && column->rows > 0))
        return "a dictionary is missing";
    if (dictionary->encoding != COLUMN_FLAT)
        return "a dictionary is not flat";
    for (uint32_t i = 0; i < column->rows; i++)
        if (column->indices[i] >= dictionary->rows)
            return "an index passes the end of the dictionary";
    return check_column(dictionary, column->type, NULL);
}

static const char *check_column(const struct column *column, const struct type *type, const uint8_t *parent)
{
    if (column->type == NULL || !type_same(column->type, type))
        return "the type is not the schema's";
    for (uint32_t i = 0; parent != NULL && i < column->rows; i++)
        if (!bit_get(parent, i) && !column_is_null(column, i))
            return "a null struct has a field that is not null";
    switch (column->encoding) {
    case COLUMN_FLAT: return check_values(column, column->rows);
    case COLUMN_CONSTANT: return column->rows > 0 ? check_values(column, 1) : NULL;
    case COLUMN_DICTIONARY: return check_dictionary(column);
    }
    return "the encoding is unknown";
}

static const char *check_hidden(const struct batch *batch)
{
    for (uint32_t i = 0; batch->change != NULL && i < batch->rows; i++)
        if (batch->change[i] > CHANGE_DELETE)
            return "a change kind is unknown";
    return batch->partition < -1 ? "the partition is negative" : NULL;
}

bool batch_check(const struct batch *batch, struct err *err)
{
    if (batch->schema == NULL || batch->schema->kind != TYPE_STRUCT)
        return err_set(err, ERR_FATAL, "the batch has no schema");
    if (batch->rows > BATCH_ROWS_MAX)
        return err_set(err, ERR_FATAL, "the batch has %u rows, more than %d", batch->rows, BATCH_ROWS_MAX);
    const char *wrong = check_hidden(batch);
    if (wrong != NULL)
        return err_set(err, ERR_FATAL, "the batch is broken: %s", wrong);
    for (uint32_t i = 0; i < batch->schema->field_count; i++) {
        const struct field *field = &batch->schema->fields[i];
        const struct column *column = &batch->columns[i];
        if (column->rows != batch->rows)
            wrong = "it has another number of rows than the batch";
        else
            wrong = check_column(column, field->type, NULL);
        if (wrong == NULL && !field->nullable && column_null_count(column) > 0)
            wrong = "it has nulls and may not";
        if (wrong != NULL)
            return err_set(err, ERR_FATAL, "column \"%s\" is broken: %s", field->name, wrong);
    }
    return true;
}
