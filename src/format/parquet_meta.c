/* The tables of Parquet's Thrift structs: id, kind, whether required, C member. */
#include "format/parquet_meta_i.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define SCALAR(id, kind, required, type, member)                                                             \
    {                                                                                                        \
        id, THRIFT_##kind, 0, required, offsetof(struct type, member), NULL                                  \
    }
#define NESTED(id, required, type, member, of)                                                               \
    {                                                                                                        \
        id, THRIFT_STRUCT, 0, required, offsetof(struct type, member), &of##_table                           \
    }
#define LIST(id, element, required, type, member)                                                            \
    {                                                                                                        \
        id, THRIFT_LIST, THRIFT_##element, required, offsetof(struct type, member), NULL                     \
    }
#define LIST_OF(id, required, type, member, of)                                                              \
    {                                                                                                        \
        id, THRIFT_LIST, THRIFT_STRUCT, required, offsetof(struct type, member), &of##_table                 \
    }
#define MARK(id)                                                                                             \
    {                                                                                                        \
        id, THRIFT_MARK, 0, false, 0, NULL                                                                   \
    }
#define TABLE(type)                                                                                          \
    static const struct thrift_struct type##_table = {#type, sizeof(struct type), COUNT(type##_fields),      \
                                                      type##_fields}
#define PUBLIC_TABLE(type)                                                                                   \
    const struct thrift_struct type##_table = {#type, sizeof(struct type), COUNT(type##_fields),             \
                                               type##_fields}

static const struct thrift_field pq_statistics_fields[] = {
    SCALAR(1, BINARY, false, pq_statistics, max),
    SCALAR(2, BINARY, false, pq_statistics, min),
    SCALAR(3, I64, false, pq_statistics, null_count),
    SCALAR(4, I64, false, pq_statistics, distinct_count),
    SCALAR(5, BINARY, false, pq_statistics, max_value),
    SCALAR(6, BINARY, false, pq_statistics, min_value),
    SCALAR(7, BOOL, false, pq_statistics, is_max_value_exact),
    SCALAR(8, BOOL, false, pq_statistics, is_min_value_exact),
};
TABLE(pq_statistics);

static const struct thrift_field pq_decimal_type_fields[] = {
    SCALAR(1, I32, true, pq_decimal_type, scale),
    SCALAR(2, I32, true, pq_decimal_type, precision),
};
TABLE(pq_decimal_type);

static const struct thrift_field pq_time_unit_fields[] = {MARK(PQ_MILLIS), MARK(PQ_MICROS), MARK(PQ_NANOS)};
TABLE(pq_time_unit);

static const struct thrift_field pq_time_type_fields[] = {
    SCALAR(1, BOOL, true, pq_time_type, utc),
    NESTED(2, true, pq_time_type, unit, pq_time_unit),
};
TABLE(pq_time_type);

static const struct thrift_field pq_int_type_fields[] = {
    SCALAR(1, I8, true, pq_int_type, bits),
    SCALAR(2, BOOL, true, pq_int_type, is_signed),
};
TABLE(pq_int_type);

static const struct thrift_field pq_variant_type_fields[] = {
    SCALAR(1, I8, false, pq_variant_type, specification_version),
};
TABLE(pq_variant_type);

static const struct thrift_field pq_logical_fields[] = {
    MARK(PQ_L_STRING),
    MARK(PQ_L_MAP),
    MARK(PQ_L_LIST),
    MARK(PQ_L_ENUM),
    NESTED(PQ_L_DECIMAL, false, pq_logical, decimal, pq_decimal_type),
    MARK(PQ_L_DATE),
    NESTED(PQ_L_TIME, false, pq_logical, time, pq_time_type),
    NESTED(PQ_L_TIMESTAMP, false, pq_logical, timestamp, pq_time_type),
    NESTED(PQ_L_INTEGER, false, pq_logical, integer, pq_int_type),
    MARK(PQ_L_UNKNOWN),
    MARK(PQ_L_JSON),
    MARK(PQ_L_BSON),
    MARK(PQ_L_UUID),
    MARK(PQ_L_FLOAT16),
    NESTED(PQ_L_VARIANT, false, pq_logical, variant, pq_variant_type),
};
TABLE(pq_logical);

static const struct thrift_field pq_schema_element_fields[] = {
    SCALAR(1, I32, false, pq_schema_element, type),
    SCALAR(2, I32, false, pq_schema_element, type_length),
    SCALAR(3, I32, false, pq_schema_element, repetition),
    SCALAR(4, BINARY, true, pq_schema_element, name),
    SCALAR(5, I32, false, pq_schema_element, num_children),
    SCALAR(6, I32, false, pq_schema_element, converted),
    SCALAR(7, I32, false, pq_schema_element, scale),
    SCALAR(8, I32, false, pq_schema_element, precision),
    SCALAR(9, I32, false, pq_schema_element, field_id),
    NESTED(10, false, pq_schema_element, logical, pq_logical),
};
TABLE(pq_schema_element);

static const struct thrift_field pq_key_value_fields[] = {
    SCALAR(1, BINARY, true, pq_key_value, key),
    SCALAR(2, BINARY, false, pq_key_value, value),
};
TABLE(pq_key_value);

static const struct thrift_field pq_encoding_stats_fields[] = {
    SCALAR(1, I32, true, pq_encoding_stats, page_type),
    SCALAR(2, I32, true, pq_encoding_stats, encoding),
    SCALAR(3, I32, true, pq_encoding_stats, count),
};
TABLE(pq_encoding_stats);

static const struct thrift_field pq_column_meta_fields[] = {
    SCALAR(1, I32, true, pq_column_meta, type),
    LIST(2, I32, true, pq_column_meta, encodings),
    LIST(3, BINARY, true, pq_column_meta, path),
    SCALAR(4, I32, true, pq_column_meta, codec),
    SCALAR(5, I64, true, pq_column_meta, num_values),
    SCALAR(6, I64, true, pq_column_meta, total_uncompressed_size),
    SCALAR(7, I64, true, pq_column_meta, total_compressed_size),
    SCALAR(9, I64, true, pq_column_meta, data_page_offset),
    SCALAR(11, I64, false, pq_column_meta, dictionary_page_offset),
    NESTED(12, false, pq_column_meta, statistics, pq_statistics),
    LIST_OF(13, false, pq_column_meta, encoding_stats, pq_encoding_stats),
};
TABLE(pq_column_meta);

static const struct thrift_field pq_column_chunk_fields[] = {
    SCALAR(1, BINARY, false, pq_column_chunk, file_path),
    SCALAR(2, I64, true, pq_column_chunk, file_offset),
    NESTED(3, false, pq_column_chunk, meta, pq_column_meta),
    SCALAR(4, I64, false, pq_column_chunk, offset_index_offset),
    SCALAR(5, I32, false, pq_column_chunk, offset_index_length),
    SCALAR(6, I64, false, pq_column_chunk, column_index_offset),
    SCALAR(7, I32, false, pq_column_chunk, column_index_length),
    MARK(PQ_K_CRYPTO),
    MARK(PQ_K_ENCRYPTED_META),
};
TABLE(pq_column_chunk);

static const struct thrift_field pq_row_group_fields[] = {
    LIST_OF(1, true, pq_row_group, columns, pq_column_chunk),
    SCALAR(2, I64, true, pq_row_group, total_byte_size),
    SCALAR(3, I64, true, pq_row_group, num_rows),
    SCALAR(5, I64, false, pq_row_group, file_offset),
    SCALAR(6, I64, false, pq_row_group, total_compressed_size),
    SCALAR(7, I16, false, pq_row_group, ordinal),
};
TABLE(pq_row_group);

static const struct thrift_field pq_column_order_fields[] = {MARK(1)};
TABLE(pq_column_order);

static const struct thrift_field pq_file_meta_fields[] = {
    SCALAR(1, I32, true, pq_file_meta, version),
    LIST_OF(2, true, pq_file_meta, schema, pq_schema_element),
    SCALAR(3, I64, true, pq_file_meta, num_rows),
    LIST_OF(4, true, pq_file_meta, row_groups, pq_row_group),
    LIST_OF(5, false, pq_file_meta, key_values, pq_key_value),
    SCALAR(6, BINARY, false, pq_file_meta, created_by),
    LIST_OF(7, false, pq_file_meta, column_orders, pq_column_order),
    MARK(PQ_F_ENCRYPTION),
};
PUBLIC_TABLE(pq_file_meta);

static const struct thrift_field pq_data_page_fields[] = {
    SCALAR(1, I32, true, pq_data_page, num_values),
    SCALAR(2, I32, true, pq_data_page, encoding),
    SCALAR(3, I32, true, pq_data_page, def_encoding),
    SCALAR(4, I32, true, pq_data_page, rep_encoding),
};
TABLE(pq_data_page);

static const struct thrift_field pq_dictionary_page_fields[] = {
    SCALAR(1, I32, true, pq_dictionary_page, num_values),
    SCALAR(2, I32, true, pq_dictionary_page, encoding),
};
TABLE(pq_dictionary_page);

static const struct thrift_field pq_data_page_v2_fields[] = {
    SCALAR(1, I32, true, pq_data_page_v2, num_values),      SCALAR(2, I32, true, pq_data_page_v2, num_nulls),
    SCALAR(3, I32, true, pq_data_page_v2, num_rows),        SCALAR(4, I32, true, pq_data_page_v2, encoding),
    SCALAR(5, I32, true, pq_data_page_v2, def_bytes),       SCALAR(6, I32, true, pq_data_page_v2, rep_bytes),
    SCALAR(7, BOOL, false, pq_data_page_v2, is_compressed),
};
TABLE(pq_data_page_v2);

static const struct thrift_field pq_page_header_fields[] = {
    SCALAR(1, I32, true, pq_page_header, type),
    SCALAR(2, I32, true, pq_page_header, uncompressed_size),
    SCALAR(3, I32, true, pq_page_header, compressed_size),
    SCALAR(4, I32, false, pq_page_header, crc),
    NESTED(5, false, pq_page_header, data, pq_data_page),
    NESTED(7, false, pq_page_header, dictionary, pq_dictionary_page),
    NESTED(8, false, pq_page_header, data_v2, pq_data_page_v2),
};
PUBLIC_TABLE(pq_page_header);

static const struct thrift_field pq_page_location_fields[] = {
    SCALAR(1, I64, true, pq_page_location, offset),
    SCALAR(2, I32, true, pq_page_location, compressed_page_size),
    SCALAR(3, I64, true, pq_page_location, first_row_index),
};
TABLE(pq_page_location);

static const struct thrift_field pq_offset_index_fields[] = {
    LIST_OF(1, true, pq_offset_index, locations, pq_page_location),
};
PUBLIC_TABLE(pq_offset_index);

static const struct thrift_field pq_column_index_fields[] = {
    LIST(1, BOOL, true, pq_column_index, null_pages),   LIST(2, BINARY, true, pq_column_index, min_values),
    LIST(3, BINARY, true, pq_column_index, max_values), SCALAR(4, I32, true, pq_column_index, boundary_order),
    LIST(5, I64, false, pq_column_index, null_counts),
};
PUBLIC_TABLE(pq_column_index);

static const char *name_in(const char *const *names, size_t count, int32_t i)
{
    return i >= 0 && (size_t)i < count && names[i] ? names[i] : "unknown";
}

const char *pq_codec_name(int32_t codec)
{
    static const char *const names[] = {"UNCOMPRESSED", "SNAPPY", "GZIP", "LZO",
                                        "BROTLI",       "LZ4",    "ZSTD", "LZ4_RAW"};
    return name_in(names, COUNT(names), codec);
}

const char *pq_encoding_name(int32_t encoding)
{
    static const char *const names[] = {"PLAIN",
                                        NULL,
                                        "PLAIN_DICTIONARY",
                                        "RLE",
                                        "BIT_PACKED",
                                        "DELTA_BINARY_PACKED",
                                        "DELTA_LENGTH_BYTE_ARRAY",
                                        "DELTA_BYTE_ARRAY",
                                        "RLE_DICTIONARY",
                                        "BYTE_STREAM_SPLIT"};
    return name_in(names, COUNT(names), encoding);
}

const char *pq_type_name(int32_t type)
{
    static const char *const names[] = {"BOOLEAN", "INT32",  "INT64",      "INT96",
                                        "FLOAT",   "DOUBLE", "BYTE_ARRAY", "FIXED_LEN_BYTE_ARRAY"};
    return name_in(names, COUNT(names), type);
}
