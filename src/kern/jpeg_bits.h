/* jpeg_bits.h - the bits of a scan and its codes, for all who read them.
 *
 * The entropy-coded bytes of a file cannot be read eight at a time: a data byte 0xFF is
 * followed by a 0 to be dropped, and any other byte behind it makes it a marker, the end.
 * So they are first copied, some thousand at a time, into a clean buffer without those
 * zeros (image/jpeg_bits.c). Behind the end stand zeros: enough for one whole block, so
 * that one look a block (image: mni_jpeg_bits_ready) is all the checking of bounds there
 * is.
 *
 * A reservoir of 64 bits is topped up by one load of 8 bytes:
 *
 *       | 13 bits waiting |          free          |      n = 13
 *       |    as they are  |  next 51 bits  of 64   |      6 whole bytes: n = 61
 *
 * What of the last byte did not fit is loaded again next time, onto the same place.
 * SPDX-License-Identifier: MIT */
#ifndef MNI_KERN_JPEG_BITS_H
#define MNI_KERN_JPEG_BITS_H

#include <string.h>

#include "base/bytes.h"
#include "kern/level.h"

enum {
    MNI_JPEG_BLOCK = 64,
    MNI_JPEG_LOOK = 10,             /* bits that the first look at a code covers */
    MNI_JPEG_SKIP_LOOK = 11         /* the same where blocks are only walked through */
};

/* Place of the k-th coefficient of the zigzag order in paired order (kern_jpeg.h). */
extern const uint8_t mni_jpeg_place[MNI_JPEG_BLOCK];

/* No block takes more: 64 times a code of 16 and a number of 15 bits. */
enum { MNI_JPEG_BLOCK_BYTES = 248, MNI_JPEG_CLEAN = 4096,
       MNI_JPEG_AFTER = MNI_JPEG_BLOCK_BYTES + 32 };

/* What the inner loops hold in registers. */
typedef struct mni_bits {
    uint64_t word;                  /* the next bit is the highest */
    unsigned n;                     /* bits that count; what lies below may be set too */
    const uint8_t *at;              /* the next byte to load */
} mni_bits;

/* Bytes of a scan [from, from + n) -> clean ones at `to`, at most `room`, without the
 * zero behind each 0xFF. Stops before a marker, before a 0xFF that is not yet known to be
 * none, at the end, or when the room is full. Returns the bytes written, *used those
 * read. */
typedef size_t (*mni_unstuff_fn)(uint8_t *to, size_t room, const uint8_t *from, size_t n,
                                 size_t *used);

/* The entropy-coded bytes of one restart interval. */
typedef struct mni_jpeg_bits {
    mni_bits now;
    mni_unstuff_fn unstuff;
    const uint8_t *safe, *clean_end;            /* in `clean`, as now.at */
    const uint8_t *from, *end;      /* of the file: not yet clean */
    int ended;                      /* a marker or the end of the file is at `from` */
    uint8_t clean[MNI_JPEG_CLEAN + MNI_JPEG_AFTER];
} mni_jpeg_bits;

/* A code as it is sent: how many codes of each length, and their symbols in order. */
typedef struct mni_jpeg_huffman {
    int32_t look[1 << MNI_JPEG_LOOK];           /* by the next bits, see below */
    uint64_t pairs[1 << MNI_JPEG_LOOK];         /* the same, two at once: of AC codes */
    uint16_t skips[1 << MNI_JPEG_SKIP_LOOK];    /* as many as fit, without their values */
    uint32_t limit[18];             /* by length: the first 16 bits beyond its codes */
    int32_t first[17];              /* by length: symbol number minus code number */
    uint8_t symbols[256];
    int known, pairs_known, skips_known;
} mni_jpeg_huffman;


/* Were more bits used than there are? */
static MNI_INLINE int mni_jpeg_bits_overrun(const mni_jpeg_bits *b)
{
    return b->ended && b->now.at > b->clean_end &&
           8 * (size_t)(b->now.at - b->clean_end) > b->now.n;
}

static MNI_INLINE uint64_t mni_load64be(const uint8_t *p)
{
#if defined(__BYTE_ORDER__) && __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
    uint64_t w;
    memcpy(&w, p, 8);
    return __builtin_bswap64(w);
#else
    return (uint64_t)mni_get32be(p) << 32 | mni_get32be(p + 4);
#endif
}

/* At least 56 bits: enough for a code (16) and its number (15), or several short ones. */
static MNI_INLINE void mni_bits_fill(mni_bits *r)
{
    r->word |= mni_load64be(r->at) >> r->n;
    r->at += (63 - r->n) >> 3;
    r->n |= 56;
}

static MNI_INLINE void mni_bits_drop(mni_bits *r, unsigned n)       /* n < 64 */
{
    r->word <<= n;
    r->n -= n;
}

/* n: 1..32, after a fill. */
static MNI_INLINE unsigned mni_bits_take(mni_bits *r, unsigned n)
{
    const unsigned v = (unsigned)(r->word >> (64 - n));
    mni_bits_drop(r, n);
    return v;
}

/* Numbers of `size` >= 1 bits that begin with 1 are themselves, those that begin with 0
 * are negative: 3 bits give -7..-4 and 4..7. */
static MNI_INLINE int mni_jpeg_number(unsigned v, unsigned size)
{
    return v >> (size - 1) ? (int)v : (int)v - (1 << size) + 1;
}

static MNI_INLINE int mni_bits_take_number(mni_bits *r, unsigned size)
{
    return mni_jpeg_number(mni_bits_take(r, size), size);
}

/* --- the first look ----------------------------------------------------------------- */

/* An entry for the next LOOK bits (image/jpeg_huffman.c draws it). Of AC codes:
 *   complete       skip 1..16, the value, bits of code and value
 *   SKIP_END       end of block (or of several): code alone, symbol where the value
 * stands
 *   SKIP_NUMBER    code alone, symbol; its number comes behind
 *   SKIP_LONG      the code is longer than the look
 * Of DC codes: size of the number, bits of the code, bits of both; or SKIP_LONG. */
enum { MNI_SKIP_END = 64, MNI_SKIP_NUMBER = 128, MNI_SKIP_LONG = 192 };

static MNI_INLINE unsigned mni_look_bits(int32_t e) { return (unsigned)e & 63; }
static MNI_INLINE unsigned mni_look_skip(int32_t e) { return (unsigned)e >> 8 & 255; }
static MNI_INLINE int mni_look_value(int32_t e) { return e >> 16; }

/* Often two codes fit into the look, or a last one and the end of the block. The number
 * of the first is in the look, and so in the entry; that of the second may reach beyond:
 * it is cut out of the word, which is long enough, while the next look is under way.
 *
 *      63      56 55  48 47      32 31    24 23    16 15     8 7   6 5    0
 *      +---------+------+----------+--------+--------+--------+-----+------+
 *      |  63 -   |      |          | before |        |        | how |      |
 *      | size 2  |      |  value 1 | number | skip 2 | skip 1 | it  | bits |
 *      |         |      |          |   2    |        |        | ends|      |
 *      +---------+------+----------+--------+--------+--------+-----+------+
 *
 * skip 2 counts from the last coefficient, as skip 1. A single one is the second, and the
 * first is put at the same place before it. An end alone is a 0 at the next place, where
 * 0 is. Where not even the first code is in the look, skip 2 is 255. */
enum { MNI_PAIR_ENDS = 64, MNI_PAIR_EMPTY = 128 };

static MNI_INLINE unsigned mni_pair_bits(uint64_t p) { return (unsigned)p & 63; }
static MNI_INLINE unsigned mni_pair_skip1(uint64_t p) { return (unsigned)p >> 8 & 255; }
static MNI_INLINE unsigned mni_pair_skip2(uint64_t p) { return (unsigned)p >> 16 & 255; }

/* Where only the DC of a block is wanted: all codes that begin within the look, together.
 *
 *      15        9 8  7 6    5 4      0
 *      +----------+----+------+--------+       skip: sum of all; 127: not even the first
 *      |   skip   |    | ends |  bits  |       code is in the look, or it is too many
 *      +----------+----+------+--------+ */
enum { MNI_SKIPS_ENDS = 32 };

/* The number of 63 - down bits that `word` begins with, branch-free: negative ones are
 * those of their inverted bits. */
static MNI_INLINE int mni_jpeg_top_number(uint64_t word, unsigned down)
{
    const uint64_t minus = (word >> 63) - 1;            /* all bits set, or none */
    return (int)(((((word ^ minus) >> 1) >> down) ^ minus) - minus);
}

/* The symbol of a code longer than the look, after a fill; -1 if no code begins so. */
static MNI_INLINE int mni_jpeg_long_symbol(mni_bits *r, const mni_jpeg_huffman *h)
{
    const unsigned next = (unsigned)(r->word >> 48);
    for (unsigned length = MNI_JPEG_LOOK + 1; length <= 16; length++)
        if (next < h->limit[length]) {
            mni_bits_drop(r, length);
            return h->symbols[(int)(next >> (16 - length)) + h->first[length]];
        }
    return -1;
}

/* The difference from the last DC of the component added to *dc. 0 if there is no such
 * code, or the sum leaves what 16 bits can hold (8-bit pictures need 12). */
static MNI_INLINE int mni_jpeg_next_dc(mni_bits *r, const mni_jpeg_huffman *h, int *dc)
{
    mni_bits_fill(r);
    const int32_t e = h->look[r->word >> (64 - MNI_JPEG_LOOK)];
    if (mni_look_skip(e) != MNI_SKIP_LONG) {
        *dc += mni_jpeg_top_number(r->word << mni_look_skip(e),
                                   63 - (unsigned)mni_look_value(e));
        mni_bits_drop(r, mni_look_bits(e));
    } else {
        const int size = mni_jpeg_long_symbol(r, h);
        if (size < 0) return 0;
        if (size > 0) *dc += mni_bits_take_number(r, (unsigned)size);
    }
    return *dc >= -32768 && *dc <= 32767;
}

/* One AC code with its number, whatever it is: *k is moved on to its place. Returns 0 if
 * the block ends there instead, -1 if the bits make no sense. */
static MNI_INLINE int mni_jpeg_next_ac(mni_bits *r, const mni_jpeg_huffman *h,
                                       unsigned *k, int *value)
{
    const int32_t e = h->look[r->word >> (64 - MNI_JPEG_LOOK)];
    const unsigned skip = mni_look_skip(e), at = *k + skip;
    mni_bits_fill(r);
    mni_bits_drop(r, mni_look_bits(e));
    *value = mni_look_value(e);
    if (at < MNI_JPEG_BLOCK) {
        *k = at;
        return 1;
    }
    if (skip == MNI_SKIP_END) return 0;
    if (skip <= 16) return *value ? -1 : 0;     /* some writers send zeros beyond it */
    const int symbol = skip == MNI_SKIP_LONG ? mni_jpeg_long_symbol(r, h) : *value;
    if (symbol < 0) return -1;
    const unsigned size = (unsigned)symbol & 15;
    *value = 0;
    if (size == 0 && symbol != 0xF0) return 0;
    const unsigned place = *k + ((unsigned)symbol >> 4) + 1;
    if (place >= MNI_JPEG_BLOCK) return size ? -1 : 0;
    *k = place;
    if (size) *value = mni_bits_take_number(r, size);
    return 1;
}

#endif
