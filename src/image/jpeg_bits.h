/* jpeg_bits.h - the bits of a scan, for the two files that read them.
 *
 * The entropy-coded bytes of a file cannot be read eight at a time: a data byte 0xFF is
 * followed by a 0 to be dropped, and any other byte behind it makes it a marker, the end.
 * So they are first copied, some thousand at a time, into a clean buffer without those
 * zeros (jpeg_bits.c). Behind the end stand zeros: enough for one whole block, so that one
 * look a block (mni_jpeg_bits_ready) is all the checking of bounds there is.
 *
 * A reservoir of 64 bits is topped up by one load of 8 bytes:
 *
 *       | 13 bits waiting |          free          |      n = 13
 *       |    as they are  |  next 51 bits  of 64   |      6 whole bytes: n = 61
 *
 * What of the last byte did not fit is loaded again next time, onto the same place.
 * SPDX-License-Identifier: MIT */
#ifndef MNI_IMAGE_JPEG_BITS_H
#define MNI_IMAGE_JPEG_BITS_H

#include <string.h>

#include "base/bytes.h"
#include "image/jpeg.h"

/* What the inner loops hold in registers. */
typedef struct mni_bits {
    uint64_t word;                  /* the next bit is the highest */
    unsigned n;                     /* bits that count; what lies below may be set too */
    const uint8_t *at;              /* the next byte to load */
} mni_bits;

/* The file's bytes [from, end), clean, as far as there is room. */
void mni_jpeg_bits_fetch(mni_jpeg_bits *b);

/* Before every block. 0: the data has ended, and more was asked of it. */
static inline int mni_jpeg_bits_ready(mni_jpeg_bits *b)
{
    if (b->at <= b->safe) return 1;
    if (b->ended) return 0;
    mni_jpeg_bits_fetch(b);
    return 1;
}

/* Were more bits used than there are? */
static inline int mni_jpeg_bits_overrun(const mni_jpeg_bits *b)
{
    return b->ended && b->at > b->clean_end &&
           8 * (size_t)(b->at - b->clean_end) > b->n;
}

static inline mni_bits mni_bits_begin(const mni_jpeg_bits *b)
{
    return (mni_bits){ b->word, b->n, b->at };
}

static inline void mni_bits_end(mni_bits r, mni_jpeg_bits *b)
{
    b->word = r.word;
    b->n = r.n;
    b->at = r.at;
}

static inline uint64_t mni_load64be(const uint8_t *p)
{
#if defined(__GNUC__) && defined(__BYTE_ORDER__) && __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
    uint64_t w;
    memcpy(&w, p, 8);
    return __builtin_bswap64(w);
#else
    return (uint64_t)mni_get32be(p) << 32 | mni_get32be(p + 4);
#endif
}

/* At least 56 bits: enough for a code (16) and its number (15), or several short ones. */
static inline void mni_bits_fill(mni_bits *r)
{
    r->word |= mni_load64be(r->at) >> r->n;
    r->at += (63 - r->n) >> 3;
    r->n |= 56;
}

static inline void mni_bits_drop(mni_bits *r, unsigned n)       /* n < 64 */
{
    r->word <<= n;
    r->n -= n;
}

static inline unsigned mni_bits_take(mni_bits *r, unsigned n)   /* 1..32, after a fill */
{
    const unsigned v = (unsigned)(r->word >> (64 - n));
    mni_bits_drop(r, n);
    return v;
}

/* Numbers of `size` >= 1 bits that begin with 1 are themselves, those that begin with 0
 * are negative: 3 bits give -7..-4 and 4..7. */
static inline int mni_jpeg_number(unsigned v, unsigned size)
{
    return v >> (size - 1) ? (int)v : (int)v - (1 << size) + 1;
}

static inline int mni_bits_take_number(mni_bits *r, unsigned size)
{
    return mni_jpeg_number(mni_bits_take(r, size), size);
}

/* --- the first look ----------------------------------------------------------------- */

/* An entry for the next LOOK bits (jpeg_huffman.c draws it):
 *   complete       skip 1..16, the value, bits of code and value
 *   SKIP_END       end of block (or of several): code alone, symbol where the value stands
 *   SKIP_NUMBER    code alone, symbol; its number comes behind
 *   SKIP_LONG      the code is longer than the look */
enum { MNI_SKIP_END = 64, MNI_SKIP_NUMBER = 128, MNI_SKIP_LONG = 192 };

static inline unsigned mni_look_bits(int32_t e) { return (unsigned)e & 63; }
static inline unsigned mni_look_skip(int32_t e) { return (unsigned)e >> 8 & 255; }
static inline int mni_look_value(int32_t e) { return e >> 16; }

/* The symbol of a code longer than the look, after a fill; -1 if no code begins so. */
int mni_jpeg_long_symbol(mni_bits *r, const mni_jpeg_huffman *h);

/* The difference from the last DC of the component added to *dc. 0 if there is no such
 * code, or the sum leaves what 16 bits can hold (8-bit pictures need 12). */
static inline int mni_jpeg_next_dc(mni_bits *r, const mni_jpeg_huffman *h, int *dc)
{
    mni_bits_fill(r);
    const int32_t e = h->look[r->word >> (64 - MNI_JPEG_LOOK)];
    mni_bits_drop(r, mni_look_bits(e));
    if (mni_look_skip(e) < MNI_SKIP_END) {
        *dc += mni_look_value(e);
    } else {
        int size = mni_look_value(e);
        if (mni_look_skip(e) == MNI_SKIP_LONG) size = mni_jpeg_long_symbol(r, h);
        if (size < 0) return 0;
        if (size > 0) *dc += mni_bits_take_number(r, (unsigned)size);
    }
    return *dc >= -32768 && *dc <= 32767;
}

#endif
