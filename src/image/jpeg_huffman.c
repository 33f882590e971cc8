/* jpeg_huffman.c - tables that turn bits into coefficients.
 *
 * A code word stands for a byte RUN << 4 | SIZE: skip RUN zeros, then a number of SIZE
 * bits follows (T.81 F.1.2). One look at the next bits mostly gives all at once, since
 * frequent codes are short and most numbers small: code, run and value. An entry of that
 * table:
 *
 *      31                    16 15       8 7  6 5         0
 *      +-----------------------+----------+----+----------+
 *      |  value (or symbol)    |   skip   |    |   bits   |
 *      +-----------------------+----------+----+----------+
 *
 * skip = RUN + 1 leads from the last coefficient's place to this one's. Whatever is not a
 * complete coefficient has a skip that leads out of the block (kern/jpeg_bits.h): so the
 * inner loop (kern/jpeg_block.h) has one test for "something special", be it the end of
 * the block, a long code or damage, and the processor waits for nothing but the table:
 *
 *      word ->  top bits -> look -> bits -> word << bits -> ...      7 cycles a
 * coefficient
 *
 * SPDX-License-Identifier: MIT */
#include <string.h>

#include "image/jpeg.h"

enum { LOOK = MNI_JPEG_LOOK };

/* --- codes -------------------------------------------------------------------------- */

static int32_t entry(int value, unsigned skip, unsigned bits)
{
    return (int32_t)((uint32_t)value << 16 | skip << 8 | bits);
}

/* 16 zeros (0xF0) are a coefficient of value 0; size 0 with any other run ends blocks. In
 * a DC code, the symbol is the size. */
static void fill_look(mni_jpeg_huffman *h, unsigned code, unsigned length,
                      unsigned symbol, int is_dc)
{
    const unsigned spare = LOOK - length, size = symbol & 15, run = symbol >> 4;
    int32_t *to = h->look + (code << spare);
    for (unsigned i = 0; i < 1u << spare; i++) {
        if (is_dc) to[i] = entry((int)symbol, length, length + size);
        else if (size > spare) to[i] = entry((int)symbol, MNI_SKIP_NUMBER, length);
        else if (size > 0)
            to[i] = entry(mni_jpeg_number(i >> (spare - size), size), run + 1,
                          length + size);
        else if (run == 15) to[i] = entry(0, run + 1, length);
        else to[i] = entry((int)symbol, MNI_SKIP_END, length);
    }
}

int mni_jpeg_huffman_build(mni_jpeg_huffman *h, const uint8_t counts[16],
                           const uint8_t *symbols, int is_dc)
{
    memset(h->limit, 0, sizeof h->limit);
    memset(h->symbols, 0, sizeof h->symbols);
    h->known = h->pairs_known = h->skips_known = 0;
    for (int i = 0; i < 1 << LOOK; i++) h->look[i] = entry(0, MNI_SKIP_LONG, 0);
    unsigned code = 0;
    int n = 0;
    for (unsigned length = 1; length <= 16; length++, code <<= 1) {
        h->first[length] = n - (int)code;
        for (int i = 0; i < counts[length - 1]; i++, code++, n++) {
            if (code >= 1u << length || (is_dc && symbols[n] > 15)) return 0;
            h->symbols[n] = symbols[n];
            if (length <= LOOK) fill_look(h, code, length, symbols[n], is_dc);
        }
        h->limit[length] = (uint32_t)code << (16 - length);
    }
    h->known = 1;
    return 1;
}

/* A code that is in the look, with its number at least begun. */
typedef struct coded { unsigned skip, before, size; int value, whole; } coded;

/* Of the `room` bits that are left of the look. Returns 0 for the end of a block and for
 * codes that are longer. */
static int read_coded(coded *c, int32_t e, unsigned room)
{
    const unsigned skip = mni_look_skip(e), n = mni_look_bits(e);
    const int value = mni_look_value(e);
    *c = (coded){ skip, n, 0, value, 1 };
    if (skip == MNI_SKIP_END || skip == MNI_SKIP_LONG) return 0;
    if (skip == MNI_SKIP_NUMBER) {
        *c = (coded){ ((unsigned)value >> 4) + 1, n, (unsigned)value & 15, 0, 0 };
    } else {
        for (int v = value < 0 ? -value : value; v; v >>= 1) c->size++;
        c->before = n - c->size;
        c->whole = n <= room;
    }
    return c->before <= room;
}

static uint64_t pair_entry(const int32_t *look, unsigned i)
{
    const unsigned mask = (1u << LOOK) - 1;
    coded one, two;
    unsigned n = 0, ends = 0, skip = 0, first = 0;
    int value = 0;
    if (read_coded(&one, look[i], LOOK)) {
        first = skip = one.skip;
        value = one.value;
        if (one.whole) {
            const unsigned used = one.before + one.size;
            if (read_coded(&two, look[i << used & mask], LOOK - used)) {
                n = used;
                skip += two.skip;
                one = two;
            }
        }
    } else if (mni_look_skip(look[i]) == MNI_SKIP_END) {
        first = skip = 1;
        ends = MNI_PAIR_EMPTY | MNI_PAIR_ENDS;
        one = (coded){ 1, mni_look_bits(look[i]), 0, 0, 0 };
    } else {
        return 255 << 16;
    }
    const unsigned before = n + one.before;
    n = before + one.size;
    if (one.whole && n <= LOOK) {
        const int32_t e = look[i << n & mask];
        if (mni_look_skip(e) == MNI_SKIP_END && mni_look_bits(e) <= LOOK - n) {
            n += mni_look_bits(e);
            ends = MNI_PAIR_ENDS;
        }
    }
    return (uint64_t)(63 - one.size) << 56 | (uint64_t)(uint16_t)value << 32 |
           (uint64_t)before << 24 | skip << 16 | first << 8 | ends | n;
}

void mni_jpeg_huffman_pair(mni_jpeg_huffman *h)
{
    if (h->pairs_known) return;
    for (unsigned i = 0; i < 1u << LOOK; i++) h->pairs[i] = pair_entry(h->look, i);
    h->pairs_known = 1;
}

/* The codes that begin within the look, walked through. A walk that leaves no room for
 * one more coefficient is as good as none: there the end needs care. */
static uint16_t skip_entry(const int32_t *look, unsigned i)
{
    enum { WIDE = MNI_JPEG_SKIP_LOOK, MASK = (1 << WIDE) - 1 };
    unsigned n = 0, skip = 0;
    while (n < WIDE) {
        coded c;
        const int32_t e = look[(i << n & MASK) >> (WIDE - LOOK)];
        if (!read_coded(&c, e, WIDE - n)) {
            if (mni_look_skip(e) != MNI_SKIP_END || mni_look_bits(e) > WIDE - n) break;
            n += mni_look_bits(e);
            return (uint16_t)((skip < 126 ? skip : 127) << 9 | MNI_SKIPS_ENDS | n);
        }
        n += c.before + c.size;
        skip += c.skip;
    }
    return (uint16_t)((n && skip < 126 ? skip : 127) << 9 | n);
}

void mni_jpeg_huffman_skip(mni_jpeg_huffman *h)
{
    if (h->skips_known) return;
    for (unsigned i = 0; i < 1u << MNI_JPEG_SKIP_LOOK; i++)
        h->skips[i] = skip_entry(h->look, i);
    h->skips_known = 1;
}

size_t mni_jpeg_standard_code(int number, int is_dc, const uint8_t **counts_out,
                              const uint8_t **symbols)
{
    static const uint8_t counts[2][2][16] = {
        { { 0, 2, 1, 3, 3, 2, 4, 3, 5, 5, 4, 4, 0, 0, 1, 125 },
          { 0, 2, 1, 2, 4, 4, 3, 4, 7, 5, 4, 4, 0, 1, 2, 119 } },
        { { 0, 1, 5, 1, 1, 1, 1, 1, 1, 0, 0, 0, 0, 0, 0, 0 },
          { 0, 3, 1, 1, 1, 1, 1, 1, 1, 1, 1, 0, 0, 0, 0, 0 } },
    };
    static const uint8_t dc_symbols[12] = { 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11 };
    static const uint8_t ac_symbols[2][162] = {
        { 0x01, 0x02, 0x03, 0x00, 0x04, 0x11, 0x05, 0x12, 0x21, 0x31, 0x41, 0x06, 0x13,
          0x51, 0x61, 0x07, 0x22, 0x71, 0x14, 0x32, 0x81, 0x91, 0xA1, 0x08, 0x23, 0x42,
          0xB1, 0xC1, 0x15, 0x52, 0xD1, 0xF0, 0x24, 0x33, 0x62, 0x72, 0x82, 0x09, 0x0A,
          0x16, 0x17, 0x18, 0x19, 0x1A, 0x25, 0x26, 0x27, 0x28, 0x29, 0x2A, 0x34, 0x35,
          0x36, 0x37, 0x38, 0x39, 0x3A, 0x43, 0x44, 0x45, 0x46, 0x47, 0x48, 0x49, 0x4A,
          0x53, 0x54, 0x55, 0x56, 0x57, 0x58, 0x59, 0x5A, 0x63, 0x64, 0x65, 0x66, 0x67,
          0x68, 0x69, 0x6A, 0x73, 0x74, 0x75, 0x76, 0x77, 0x78, 0x79, 0x7A, 0x83, 0x84,
          0x85, 0x86, 0x87, 0x88, 0x89, 0x8A, 0x92, 0x93, 0x94, 0x95, 0x96, 0x97, 0x98,
          0x99, 0x9A, 0xA2, 0xA3, 0xA4, 0xA5, 0xA6, 0xA7, 0xA8, 0xA9, 0xAA, 0xB2, 0xB3,
          0xB4, 0xB5, 0xB6, 0xB7, 0xB8, 0xB9, 0xBA, 0xC2, 0xC3, 0xC4, 0xC5, 0xC6, 0xC7,
          0xC8, 0xC9, 0xCA, 0xD2, 0xD3, 0xD4, 0xD5, 0xD6, 0xD7, 0xD8, 0xD9, 0xDA, 0xE1,
          0xE2, 0xE3, 0xE4, 0xE5, 0xE6, 0xE7, 0xE8, 0xE9, 0xEA, 0xF1, 0xF2, 0xF3, 0xF4,
          0xF5, 0xF6, 0xF7, 0xF8, 0xF9, 0xFA },
        { 0x00, 0x01, 0x02, 0x03, 0x11, 0x04, 0x05, 0x21, 0x31, 0x06, 0x12, 0x41, 0x51,
          0x07, 0x61, 0x71, 0x13, 0x22, 0x32, 0x81, 0x08, 0x14, 0x42, 0x91, 0xA1, 0xB1,
          0xC1, 0x09, 0x23, 0x33, 0x52, 0xF0, 0x15, 0x62, 0x72, 0xD1, 0x0A, 0x16, 0x24,
          0x34, 0xE1, 0x25, 0xF1, 0x17, 0x18, 0x19, 0x1A, 0x26, 0x27, 0x28, 0x29, 0x2A,
          0x35, 0x36, 0x37, 0x38, 0x39, 0x3A, 0x43, 0x44, 0x45, 0x46, 0x47, 0x48, 0x49,
          0x4A, 0x53, 0x54, 0x55, 0x56, 0x57, 0x58, 0x59, 0x5A, 0x63, 0x64, 0x65, 0x66,
          0x67, 0x68, 0x69, 0x6A, 0x73, 0x74, 0x75, 0x76, 0x77, 0x78, 0x79, 0x7A, 0x82,
          0x83, 0x84, 0x85, 0x86, 0x87, 0x88, 0x89, 0x8A, 0x92, 0x93, 0x94, 0x95, 0x96,
          0x97, 0x98, 0x99, 0x9A, 0xA2, 0xA3, 0xA4, 0xA5, 0xA6, 0xA7, 0xA8, 0xA9, 0xAA,
          0xB2, 0xB3, 0xB4, 0xB5, 0xB6, 0xB7, 0xB8, 0xB9, 0xBA, 0xC2, 0xC3, 0xC4, 0xC5,
          0xC6, 0xC7, 0xC8, 0xC9, 0xCA, 0xD2, 0xD3, 0xD4, 0xD5, 0xD6, 0xD7, 0xD8, 0xD9,
          0xDA, 0xE2, 0xE3, 0xE4, 0xE5, 0xE6, 0xE7, 0xE8, 0xE9, 0xEA, 0xF2, 0xF3, 0xF4,
          0xF5, 0xF6, 0xF7, 0xF8, 0xF9, 0xFA },
    };
    number = number != 0;
    *counts_out = counts[is_dc != 0][number];
    *symbols = is_dc ? dc_symbols : ac_symbols[number];
    return is_dc ? sizeof dc_symbols : sizeof ac_symbols[number];
}

void mni_jpeg_huffman_standard(mni_jpeg_huffman *h, int number, int is_dc)
{
    const uint8_t *counts, *symbols;
    mni_jpeg_standard_code(number, is_dc, &counts, &symbols);
    (void)mni_jpeg_huffman_build(h, counts, symbols, is_dc);
}
