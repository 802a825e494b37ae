/* Parquet's metadata as C structs (parquet-format, parquet.thrift), with the tables that read and write
 * them. The members' names and order are the specification's. */
#ifndef FORMAT_PARQUET_META_I_H
#define FORMAT_PARQUET_META_I_H

#include "format/parquet_thrift_i.h"

enum pq_type {
    PQ_BOOLEAN,
    PQ_INT32,
    PQ_INT64,
    PQ_INT96,
    PQ_FLOAT,
    PQ_DOUBLE,
    PQ_BYTE_ARRAY,
    PQ_FIXED,
    PQ_TYPES
};
enum pq_repetition { PQ_REQUIRED, PQ_OPTIONAL, PQ_REPEATED };

enum pq_converted {
    PQ_UTF8,
    PQ_MAP,
    PQ_MAP_KEY_VALUE,
    PQ_LIST,
    PQ_ENUM,
    PQ_DECIMAL,
    PQ_DATE,
    PQ_TIME_MILLIS,
    PQ_TIME_MICROS,
    PQ_TIMESTAMP_MILLIS,
    PQ_TIMESTAMP_MICROS,
    PQ_UINT_8,
    PQ_UINT_16,
    PQ_UINT_32,
    PQ_UINT_64,
    PQ_INT_8,
    PQ_INT_16,
    PQ_INT_32,
    PQ_INT_64,
    PQ_JSON,
    PQ_BSON,
    PQ_INTERVAL,
};

/* Bits of pq_logical.has. */
enum pq_logical_id {
    PQ_L_STRING = 1,
    PQ_L_MAP = 2,
    PQ_L_LIST = 3,
    PQ_L_ENUM = 4,
    PQ_L_DECIMAL = 5,
    PQ_L_DATE = 6,
    PQ_L_TIME = 7,
    PQ_L_TIMESTAMP = 8,
    PQ_L_INTEGER = 10,
    PQ_L_UNKNOWN = 11,
    PQ_L_JSON = 12,
    PQ_L_BSON = 13,
    PQ_L_UUID = 14,
    PQ_L_FLOAT16 = 15,
    PQ_L_VARIANT = 16,
};

enum pq_unit { PQ_MILLIS = 1, PQ_MICROS = 2, PQ_NANOS = 3 }; /* bits of pq_time_unit.has */

enum pq_encoding {
    PQ_PLAIN = 0,
    PQ_PLAIN_DICTIONARY = 2,
    PQ_RLE = 3,
    PQ_BIT_PACKED = 4,
    PQ_DELTA_BINARY_PACKED = 5,
    PQ_DELTA_LENGTH_BYTE_ARRAY = 6,
    PQ_DELTA_BYTE_ARRAY = 7,
    PQ_RLE_DICTIONARY = 8,
    PQ_BYTE_STREAM_SPLIT = 9,
};

enum pq_codec {
    PQ_UNCOMPRESSED,
    PQ_SNAPPY,
    PQ_GZIP,
    PQ_LZO,
    PQ_BROTLI,
    PQ_LZ4,
    PQ_ZSTD,
    PQ_LZ4_RAW,
    PQ_CODECS,
};

enum pq_page_type { PQ_DATA_PAGE, PQ_INDEX_PAGE, PQ_DICTIONARY_PAGE, PQ_DATA_PAGE_V2 };
enum pq_boundary { PQ_UNORDERED, PQ_ASCENDING, PQ_DESCENDING };

struct pq_statistics {
    uint32_t has;
    struct str max, min; /* deprecated: signed comparison */
    int64_t null_count, distinct_count;
    struct str max_value, min_value;
    bool is_max_value_exact, is_min_value_exact;
};
enum {
    PQ_S_MAX = 1,
    PQ_S_MIN,
    PQ_S_NULL_COUNT,
    PQ_S_DISTINCT,
    PQ_S_MAX_VALUE,
    PQ_S_MIN_VALUE,
    PQ_S_MAX_EXACT,
    PQ_S_MIN_EXACT
};

struct pq_decimal_type {
    uint32_t has;
    int32_t scale, precision;
};
struct pq_time_unit {
    uint32_t has; /* enum pq_unit */
};
struct pq_time_type {
    uint32_t has;
    bool utc;
    struct pq_time_unit unit;
};
struct pq_int_type {
    uint32_t has;
    int8_t bits;
    bool is_signed;
};
struct pq_variant_type {
    uint32_t has;
    int8_t specification_version;
};
struct pq_logical {
    uint32_t has; /* enum pq_logical_id; 0 = one that we do not know */
    struct pq_decimal_type decimal;
    struct pq_time_type time, timestamp;
    struct pq_int_type integer;
    struct pq_variant_type variant;
};

struct pq_schema_element {
    uint32_t has;
    int32_t type, type_length, repetition;
    struct str name;
    int32_t num_children, converted, scale, precision, field_id;
    struct pq_logical logical;
};
enum {
    PQ_E_TYPE = 1,
    PQ_E_LENGTH,
    PQ_E_REPETITION,
    PQ_E_NAME,
    PQ_E_CHILDREN,
    PQ_E_CONVERTED,
    PQ_E_SCALE,
    PQ_E_PRECISION,
    PQ_E_FIELD_ID,
    PQ_E_LOGICAL
};

struct pq_key_value {
    uint32_t has;
    struct str key, value;
};
struct pq_encoding_stats {
    uint32_t has;
    int32_t page_type, encoding, count;
};

struct pq_column_meta {
    uint32_t has;
    int32_t type;
    struct thrift_list encodings; /* int32_t */
    struct thrift_list path;      /* struct str */
    int32_t codec;
    int64_t num_values, total_uncompressed_size, total_compressed_size;
    int64_t data_page_offset, dictionary_page_offset;
    struct pq_statistics statistics;
    struct thrift_list encoding_stats; /* struct pq_encoding_stats */
};
enum { PQ_C_DICTIONARY = 11, PQ_C_STATISTICS = 12, PQ_C_ENCODING_STATS = 13 };

struct pq_column_chunk {
    uint32_t has;
    struct str file_path;
    int64_t file_offset;
    struct pq_column_meta meta;
    int64_t offset_index_offset;
    int32_t offset_index_length;
    int64_t column_index_offset;
    int32_t column_index_length;
};
enum {
    PQ_K_FILE_PATH = 1,
    PQ_K_META = 3,
    PQ_K_OFFSET_INDEX = 4,
    PQ_K_COLUMN_INDEX = 6,
    PQ_K_CRYPTO = 8,
    PQ_K_ENCRYPTED_META = 9
};

struct pq_row_group {
    uint32_t has;
    struct thrift_list columns; /* struct pq_column_chunk */
    int64_t total_byte_size, num_rows, file_offset, total_compressed_size;
    int16_t ordinal;
};

struct pq_column_order {
    uint32_t has; /* 1 = by type */
};

struct pq_file_meta {
    uint32_t has;
    int32_t version;
    struct thrift_list schema; /* struct pq_schema_element */
    int64_t num_rows;
    struct thrift_list row_groups; /* struct pq_row_group */
    struct thrift_list key_values; /* struct pq_key_value */
    struct str created_by;
    struct thrift_list column_orders; /* struct pq_column_order */
};
enum { PQ_F_KEY_VALUES = 5, PQ_F_CREATED_BY = 6, PQ_F_COLUMN_ORDERS = 7, PQ_F_ENCRYPTION = 8 };

struct pq_data_page {
    uint32_t has;
    int32_t num_values, encoding, def_encoding, rep_encoding;
};
struct pq_dictionary_page {
    uint32_t has;
    int32_t num_values, encoding;
};
struct pq_data_page_v2 {
    uint32_t has;
    int32_t num_values, num_nulls, num_rows, encoding, def_bytes, rep_bytes;
    bool is_compressed;
};
struct pq_page_header {
    uint32_t has;
    int32_t type, uncompressed_size, compressed_size, crc;
    struct pq_data_page data;
    struct pq_dictionary_page dictionary;
    struct pq_data_page_v2 data_v2;
};
enum { PQ_P_CRC = 4, PQ_P_DATA = 5, PQ_P_DICTIONARY = 7, PQ_P_DATA_V2 = 8, PQ_V2_IS_COMPRESSED = 7 };

struct pq_page_location {
    uint32_t has;
    int64_t offset;
    int32_t compressed_page_size;
    int64_t first_row_index;
};
struct pq_offset_index {
    uint32_t has;
    struct thrift_list locations; /* struct pq_page_location */
};
struct pq_column_index {
    uint32_t has;
    struct thrift_list null_pages; /* bool */
    struct thrift_list min_values; /* struct str */
    struct thrift_list max_values; /* struct str */
    int32_t boundary_order;
    struct thrift_list null_counts; /* int64_t */
};

extern const struct thrift_struct pq_file_meta_table, pq_page_header_table, pq_offset_index_table,
    pq_column_index_table;

const char *pq_codec_name(int32_t codec);       /* "SNAPPY"; "unknown" */
const char *pq_encoding_name(int32_t encoding); /* "PLAIN"; "unknown" */
const char *pq_type_name(int32_t type);         /* "INT32"; "unknown" */

#endif
