#include "base/bytes.h"

/* CRC-32C, reflected polynomial 0x82F63B78. The table form takes eight bytes a step (slicing); the processor's own
 * instruction is used where it has one, three chains wide, since one chain waits three cycles for each step. */
static uint32_t table[8][256];

static void table_init(void)
{
    for (uint32_t i = 0; i < 256; i++) {
        uint32_t c = i;
        for (int k = 0; k < 8; k++)
            c = c & 1 ? c >> 1 ^ UINT32_C(0x82F63B78) : c >> 1;
        table[0][i] = c;
    }
    for (uint32_t i = 0; i < 256; i++)
        for (int k = 1; k < 8; k++)
            table[k][i] = table[k - 1][i] >> 8 ^ table[0][table[k - 1][i] & 0xFF];
}

static uint32_t crc_table(uint32_t crc, const uint8_t *p, size_t n)
{
    for (; n >= 8; p += 8, n -= 8) {
        uint64_t v = get_le64(p) ^ crc;
        crc = table[7][v & 0xFF] ^ table[6][v >> 8 & 0xFF] ^ table[5][v >> 16 & 0xFF] ^
              table[4][v >> 24 & 0xFF] ^ table[3][v >> 32 & 0xFF] ^ table[2][v >> 40 & 0xFF] ^
              table[1][v >> 48 & 0xFF] ^ table[0][v >> 56];
    }
    while (n--)
        crc = crc >> 8 ^ table[0][(crc ^ *p++) & 0xFF];
    return crc;
}

#if defined(__x86_64__)
enum { LANE = 1024 };             /* bytes of each of the three chains */
static uint32_t shift[2][4][256]; /* [0] advances a crc by LANE zero bytes, [1] by 2 × LANE */

static uint32_t shifted(const uint32_t by[4][256], uint32_t crc)
{
    return by[0][crc & 0xFF] ^ by[1][crc >> 8 & 0xFF] ^ by[2][crc >> 16 & 0xFF] ^ by[3][crc >> 24];
}

/* What zero bytes make of a crc is linear: of each bit by itself, then of all bytes' values. */
static void shift_init(void)
{
    static const uint8_t zeros[2 * LANE];
    for (int which = 0; which < 2; which++)
        for (int byte = 0; byte < 4; byte++)
            for (uint32_t i = 1; i < 256; i++) {
                uint32_t lowest = i & -i, *all = shift[which][byte];
                all[i] = lowest < i ? all[i - lowest] ^ all[lowest]
                                    : crc_table(i << (8 * byte), zeros, (size_t)(which + 1) * LANE);
            }
}

__attribute__((target("sse4.2"))) static uint32_t crc_hardware(uint32_t crc, const uint8_t *p, size_t n)
{
    uint64_t a = crc;
    for (; n >= 3 * LANE; p += 3 * LANE, n -= 3 * LANE) {
        uint64_t b = 0, c = 0;
        for (size_t i = 0; i < LANE; i += 8) {
            a = __builtin_ia32_crc32di(a, get_le64(p + i));
            b = __builtin_ia32_crc32di(b, get_le64(p + LANE + i));
            c = __builtin_ia32_crc32di(c, get_le64(p + 2 * LANE + i));
        }
        a = shifted(shift[1], (uint32_t)a) ^ shifted(shift[0], (uint32_t)b) ^ (uint32_t)c;
    }
    for (; n >= 8; p += 8, n -= 8)
        a = __builtin_ia32_crc32di(a, get_le64(p));
    while (n--)
        a = __builtin_ia32_crc32qi((uint32_t)a, *p++);
    return (uint32_t)a;
}
#endif

static uint32_t (*crc_best)(uint32_t crc, const uint8_t *p, size_t n) = crc_table;

/* Before main: there is one thread. */
__attribute__((constructor)) static void crc_choose(void)
{
    table_init();
#if defined(__x86_64__)
    shift_init();
    if (__builtin_cpu_supports("sse4.2"))
        crc_best = crc_hardware;
#endif
}

uint32_t crc32c(uint32_t crc, const void *p, size_t n)
{
    return ~crc_best(~crc, p, n);
}

void hex_encode(char *out, const void *p, size_t n)
{
    const uint8_t *bytes = p;
    for (size_t i = 0; i < n; i++) {
        out[2 * i] = "0123456789abcdef"[bytes[i] >> 4];
        out[2 * i + 1] = "0123456789abcdef"[bytes[i] & 15];
    }
    out[2 * n] = '\0';
}

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c |= 0x20;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

bool hex_decode(uint8_t *out, const char *text, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        int high = hex_digit(text[2 * i]), low = hex_digit(text[2 * i + 1]);
        if (high < 0 || low < 0)
            return false;
        out[i] = (uint8_t)(high << 4 | low);
    }
    return true;
}
