/* jpeg_huffman.c - from bits to coefficients: where a JPEG decoder spends its time.
 *
 * A code word stands for a byte RUN << 4 | SIZE: skip RUN zeros, then a number of SIZE
 * bits follows (T.81 F.1.2). Numbers of SIZE bits that begin with 1 are themselves, those
 * that begin with 0 are negative: 3 bits give -7..-4 and 4..7.
 *
 * One look at the next 9 bits mostly gives all at once, since frequent codes are short
 * and most numbers small: code, run and value. An entry of that table:
 *
 *      31            16 15     8  5  4    0
 *      +---------------+--------+--+------+     V: value is complete,
 *      |     value     | symbol |V | bits |        bits = code and number
 *      +---------------+--------+--+------+     not V: bits = code alone
 *
 * (all 0: longer than 9).
 * SPDX-License-Identifier: MIT */
#include <string.h>

#include "base/bytes.h"
#include "image/jpeg.h"

enum { BITS = 0x1F, HAS_VALUE = 0x20, LOOK = MNI_JPEG_LOOK };

const uint8_t mni_jpeg_zigzag[MNI_JPEG_BLOCK] = {
     0,  1,  8, 16,  9,  2,  3, 10, 17, 24, 32, 25, 18, 11,  4,  5,
    12, 19, 26, 33, 40, 48, 41, 34, 27, 20, 13,  6,  7, 14, 21, 28,
    35, 42, 49, 56, 57, 50, 43, 36, 29, 22, 15, 23, 30, 37, 44, 51,
    58, 59, 52, 45, 38, 31, 39, 46, 53, 60, 61, 54, 47, 55, 62, 63,
};

/* --- bits --------------------------------------------------------------------------- */

void mni_jpeg_bits_init(mni_jpeg_bits *b, const uint8_t *at, const uint8_t *end)
{
    *b = (mni_jpeg_bits){ 0, 0, 0, at, end };
}

static void refill_slowly(mni_jpeg_bits *b)
{
    while (b->n_bits <= 56) {
        uint64_t byte = 0;
        if (b->at < b->end && *b->at != 0xFF) {
            byte = *b->at++;
        } else if (b->end - b->at >= 2 && b->at[1] == 0) {
            byte = 0xFF;
            b->at += 2;
        } else {
            b->n_padding += 8; /* a marker, or the end of the file: stays where it is */
        }
        b->bits |= byte << (56 - b->n_bits);
        b->n_bits += 8;
    }
}

/* At least 32 bits: enough for a code (16) and its number (15). Eight bytes without an
 * 0xFF among them are taken at once; what of them did not fit whole is put on top again
 * next time. */
static inline void refill(mni_jpeg_bits *b)
{
    if (b->n_bits >= 32) return;
    if (b->end - b->at >= 8) {
        const uint64_t w = (uint64_t)mni_get32be(b->at) << 32 | mni_get32be(b->at + 4);
        const uint64_t ones = 0x0101010101010101u;
        if (!((~w - ones) & w & (ones << 7))) {     /* no byte of ~w is 0 */
            b->bits |= w >> b->n_bits;
            b->at += (63 - b->n_bits) >> 3;
            b->n_bits |= 56;
            return;
        }
    }
    refill_slowly(b);
}

static inline void drop(mni_jpeg_bits *b, int n)
{
    b->bits <<= n;
    b->n_bits -= n;
}

static inline unsigned take(mni_jpeg_bits *b, int n)        /* n >= 1, after a refill */
{
    const unsigned v = (unsigned)(b->bits >> (64 - n));
    drop(b, n);
    return v;
}

static inline int number(unsigned v, int size)
{
    return v >> (size - 1) ? (int)v : (int)v - (1 << size) + 1;
}

static inline int take_number(mni_jpeg_bits *b, int size)
{
    return number(take(b, size), size);
}

/* --- codes -------------------------------------------------------------------------- */

static void fill_look(mni_jpeg_huffman *h, unsigned code, int length, int symbol)
{
    const int spare = LOOK - length, size = symbol & 15;
    for (unsigned i = 0; i < 1u << spare; i++) {
        uint32_t e = (uint32_t)(symbol << 8 | length);
        if (size > 0 && size <= spare) {
            const int value = number(i >> (spare - size), size);
            e = (uint32_t)value << 16 |
                (uint32_t)(symbol << 8 | HAS_VALUE | (length + size));
        }
        h->look[(code << spare) + i] = (int32_t)e;
    }
}

int mni_jpeg_huffman_build(mni_jpeg_huffman *h, const uint8_t counts[16],
                           const uint8_t *symbols, int is_dc)
{
    memset(h, 0, sizeof *h);
    unsigned code = 0;
    int n = 0;
    for (int length = 1; length <= 16; length++, code <<= 1) {
        h->first[length] = n - (int)code;
        for (int i = 0; i < counts[length - 1]; i++, code++, n++) {
            if (code >= 1u << length || (is_dc && symbols[n] > 15)) return 0;
            h->symbols[n] = symbols[n];
            if (length <= LOOK) fill_look(h, code, length, symbols[n]);
        }
        h->limit[length] = (uint32_t)code << (16 - length);
    }
    h->known = 1;
    return 1;
}

void mni_jpeg_huffman_standard(mni_jpeg_huffman *h, int number, int is_dc)
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
    (void)mni_jpeg_huffman_build(h, counts[is_dc != 0][number],
                                 is_dc ? dc_symbols : ac_symbols[number], is_dc);
}

/* The symbol of a code longer than the look; -1 if no code begins like this. */
static int long_symbol(mni_jpeg_bits *b, const mni_jpeg_huffman *h)
{
    const unsigned next = (unsigned)(b->bits >> 48);
    for (int length = LOOK + 1; length <= 16; length++)
        if (next < h->limit[length]) {
            drop(b, length);
            return h->symbols[(int)(next >> (16 - length)) + h->first[length]];
        }
    return -1;
}

static inline int next_symbol(mni_jpeg_bits *b, const mni_jpeg_huffman *h)
{
    refill(b);
    const int32_t e = h->look[b->bits >> (64 - LOOK)];
    if (e == 0) return long_symbol(b, h);
    const int symbol = e >> 8 & 0xFF;
    drop(b, (e & BITS) - (e & HAS_VALUE ? symbol & 15 : 0));
    return symbol;
}

/* --- blocks of sequential scans ----------------------------------------------------- */

static inline int16_t limited(int v)
{
    return (int16_t)(v < -32768 ? -32768 : v > 32767 ? 32767 : v);
}

/* The difference from the last DC of the component. 0 if there is no such code, or the
 * sum leaves what 16 bits can hold (8-bit pictures need 12). */
static inline int next_dc(mni_jpeg_bits *b, const mni_jpeg_huffman *h, int *dc)
{
    const int size = next_symbol(b, h);
    if (size < 0) return 0;
    if (size > 0) *dc += take_number(b, size);
    return *dc >= -32768 && *dc <= 32767;
}

int mni_jpeg_block(mni_jpeg_bits *bits, const mni_jpeg_huffman *dc_code,
                   const mni_jpeg_huffman *ac_code, const uint16_t quant[MNI_JPEG_BLOCK],
                   int *dc, int16_t block[MNI_JPEG_BLOCK])
{
    mni_jpeg_bits b = *bits;            /* in registers for the length of the block */
    int last = 0;
    if (!next_dc(&b, dc_code, dc)) return -1;
    block[0] = limited(*dc * quant[0]);
    for (int k = 1; k < MNI_JPEG_BLOCK; k++) {
        refill(&b);
        const int32_t e = ac_code->look[b.bits >> (64 - LOOK)];
        int value;
        if (e & HAS_VALUE) {
            drop(&b, e & BITS);
            k += e >> 12 & 15;
            value = e >> 16;
        } else {
            int symbol = e >> 8 & 0xFF;
            if (e) drop(&b, e & BITS);
            else symbol = long_symbol(&b, ac_code);
            if (symbol < 0) return -1;
            k += symbol >> 4;
            if ((symbol & 15) == 0) {
                if (symbol != 0xF0) break;      /* end of block, else sixteen zeros */
                continue;
            }
            value = take_number(&b, symbol & 15);
        }
        if (k >= MNI_JPEG_BLOCK) return -1;
        block[mni_jpeg_zigzag[k]] = limited(value * quant[k]);
        last = k;
    }
    *bits = b;
    return last;
}

/* --- blocks of progressive scans (T.81 annex G) ------------------------------------- */

/* v * 2^low as a coefficient; 0 if it has no place there. */
static inline int put_scaled(int16_t *to, int v, int low)
{
    const int scaled = v * (1 << low);
    if (scaled < -32768 || scaled > 32767) return 0;
    *to = (int16_t)scaled;
    return 1;
}

/* "n and r more bits": this many blocks, this one among them, have nothing more in this
 * band. */
static inline uint32_t take_end_run(mni_jpeg_bits *b, int n)
{
    return (1u << n) + (n ? take(b, n) : 0);
}

static int first_ac(mni_jpeg_bits *b, const mni_jpeg_huffman *code, mni_jpeg_band *band,
                    int16_t *coefs)
{
    for (int k = band->from; k <= band->to; k++) {
        const int symbol = next_symbol(b, code);
        if (symbol < 0) return 0;
        const int run = symbol >> 4, size = symbol & 15;
        if (size == 0 && run < 15) {
            band->end_run = take_end_run(b, run) - 1;
            return 1;
        }
        k += run;
        if (size == 0) continue;
        if (k > band->to || !put_scaled(&coefs[k], take_number(b, size), band->low))
            return 0;
    }
    return 1;
}

/* One more bit for a coefficient that is already something. */
static inline void refine(mni_jpeg_bits *b, int16_t *c, int bit)
{
    refill(b);
    if (take(b, 1) && !(*c & bit)) *c = (int16_t)(*c + (*c > 0 ? bit : -bit));
}

/* Runs count only the coefficients that are still 0; those passed over get their bit on
 * the way. */
static int refine_ac(mni_jpeg_bits *b, const mni_jpeg_huffman *code, mni_jpeg_band *band,
                     int16_t *coefs)
{
    const int bit = 1 << band->low;
    int k = band->from;
    for (; k <= band->to && band->end_run == 0; k++) {
        const int symbol = next_symbol(b, code);
        if (symbol < 0 || (symbol & 15) > 1) return 0;
        int run = symbol >> 4, value = 0;
        if (symbol & 15) {
            value = take(b, 1) ? bit : -bit;
        } else if (run < 15) {
            band->end_run = take_end_run(b, run);
            break;
        }
        for (; k <= band->to; k++) {
            if (coefs[k]) refine(b, &coefs[k], bit);
            else if (run-- == 0) break;
        }
        if (value && k > band->to) return 0;
        if (value) coefs[k] = (int16_t)value;
    }
    if (band->end_run == 0) return 1;
    for (; k <= band->to; k++)
        if (coefs[k]) refine(b, &coefs[k], bit);
    band->end_run--;
    return 1;
}

int mni_jpeg_block_part(mni_jpeg_bits *b, const mni_jpeg_huffman *code,
                        mni_jpeg_band *band, int *dc, int16_t coefs[MNI_JPEG_BLOCK])
{
    if (band->from == 0) {
        if (band->high == 0)
            return next_dc(b, code, dc) && put_scaled(&coefs[0], *dc, band->low);
        refill(b);
        if (take(b, 1)) coefs[0] = (int16_t)(coefs[0] | 1 << band->low);
        return 1;
    }
    if (band->high) return refine_ac(b, code, band, coefs);
    if (band->end_run) {
        band->end_run--;
        return 1;
    }
    return first_ac(b, code, band, coefs);
}
