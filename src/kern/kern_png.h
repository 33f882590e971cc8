/* kern_png.h - the loops under PNG: two checksums, the row filters both ways, and the
 * symbols of a deflate block.
 *
 * All entries are whole-number work: every level gives the same bytes as plain C
 * (tests/test_kern_png.c). No alignment is asked; nothing is read or written outside of
 * what is said; n == 0 is legal. SPDX-License-Identifier: MIT */
#ifndef MNI_KERN_KERN_PNG_H
#define MNI_KERN_KERN_PNG_H

#include <stddef.h>
#include <stdint.h>

enum { MNI_PNG_NONE, MNI_PNG_SUB, MNI_PNG_UP, MNI_PNG_AVERAGE, MNI_PNG_PAETH,
       MNI_PNG_N_FILTERS };

/* --- deflate symbols ---------------------------------------------------------------- */

/* Tables map the next ROOT bits of the stream to an entry of 32 bits:
 *
 *    31   30..25   24      23..16   15..8    7..0
 *   | 1 |    0    |two?| literal 2|literal 1| bits |   one or two literals at once
 *   | 0 | value: 15       | flags:4| code:4 | bits |   a length or distance: its code is
 *                                                      `code` bits, `bits` with the extra
 *                                                      bits that are added to value
 *   | 0 | place: 15       | SUB    |  0     | ROOT |   longer codes: a second table */
enum {
    MNI_SYM_LITERAL_ROOT = 11, MNI_SYM_DISTANCE_ROOT = 8, MNI_SYM_MAX_CODE = 15,
    /* Every prefix that needs a second table has two codes or more under it. */
    MNI_SYM_LITERALS = (1 << 11) + 288 / 2 * (1 << 4),
    MNI_SYM_DISTANCES = (1 << 8) + 32 / 2 * (1 << 7),
    MNI_SYM_SUB = 0x1000, MNI_SYM_END = 0x2000, MNI_SYM_BAD = 0x4000,
    MNI_SYM_TWO = 0x1000000,
    /* Bytes that may be written behind out_limit: what one step of the loop can add. */
    MNI_SYM_SLACK = 320
};
#define MNI_SYM_LITERAL 0x80000000u

typedef struct mni_symbols {
    const uint8_t *in, *in_end;
    uint64_t bits;              /* the next bit is the lowest */
    unsigned n_bits, n_padding; /* of which zeros that were never in the input */
    uint8_t *out;
    const uint8_t *out_start;   /* no copy reaches before this */
    uint8_t *out_limit;         /* MNI_SYM_SLACK more bytes are there to be written */
    uint32_t literals[MNI_SYM_LITERALS], distances[MNI_SYM_DISTANCES];
} mni_symbols;

typedef enum mni_symbols_end {
    MNI_SYMBOLS_BLOCK, MNI_SYMBOLS_FULL, MNI_SYMBOLS_BAD_CODE, MNI_SYMBOLS_BAD_DISTANCE
} mni_symbols_end;

/* At least 56 bits afterwards. Eight bytes are put on top at once; those that did not fit
 * whole are put there again, in the same place, by the next call. Past the end come
 * zeros, which are counted. */
static inline void mni_symbols_refill(mni_symbols *z)
{
    if (z->in_end - z->in >= 8) {
        uint64_t eight = 0;
        for (int i = 0; i < 8; i++) eight |= (uint64_t)z->in[i] << (8 * i);
        z->bits |= eight << z->n_bits;
        z->in += (63 - z->n_bits) >> 3;
        z->n_bits |= 56;
        return;
    }
    while (z->n_bits < 56) {
        if (z->in < z->in_end) z->bits |= (uint64_t)*z->in++ << z->n_bits;
        else z->n_padding += 8;
        z->n_bits += 8;
    }
}

/* --- the table ---------------------------------------------------------------------- */

typedef struct mni_kern_png {
    const char *name;           /* "scalar", "avx2", "neon" */
    /* Adler-32 (RFC 1950) of what went before (1 at first) and n more bytes. */
    uint32_t (*adler32)(uint32_t sum, const uint8_t *bytes, size_t n);
    /* CRC-32 as PNG and gzip have it, of what went before (0 at first) and n more. */
    uint32_t (*crc32)(uint32_t crc, const uint8_t *bytes, size_t n);
    /* to[i] = from[i] + guess, i < n. step: bytes of a pixel, 1..8. `to` may be `from`;
     * else they do not overlap. filter: MNI_PNG_*. */
    void (*unfilter)(int filter, uint8_t *to, const uint8_t *from, const uint8_t *above,
                     size_t n, size_t step);
    /* Two rows, the second below the first: from2 with filter2 to to2, guessing from to1.
     * The rows of `to` may follow each other directly. */
    void (*unfilter_two)(const int filter[2], uint8_t *const to[2],
                         const uint8_t *const from[2], const uint8_t *above, size_t n,
                         size_t step);
    /* to[i] = x[i] - guess; gives the sum of |to[i]| as signed bytes. */
    uint64_t (*filter)(int filter, uint8_t *to, const uint8_t *x, const uint8_t *above,
                       size_t n, size_t step);
    /* Decodes symbols until the end of the block, or out >= out_limit, or damage. */
    mni_symbols_end (*symbols)(mni_symbols *z);
} mni_kern_png;

/* As in kern_dist.h: build is pure, best is capped by $METRICANN_SIMD and built once. */
void mni_kern_png_build(mni_kern_png *k, unsigned cpu);
const mni_kern_png *mni_kern_png_best(void);
void mni_kern_png_add_avx2(mni_kern_png *k, unsigned cpu);
void mni_kern_png_add_neon(mni_kern_png *k);

/* Plain C, which the levels fall back to for odd pixel sizes and ends of rows. */
uint32_t mni_png_crc32_c(uint32_t crc, const uint8_t *bytes, size_t n);
uint32_t mni_png_adler32_c(uint32_t sum, const uint8_t *bytes, size_t n);
void mni_png_unfilter_c(int filter, uint8_t *to, const uint8_t *from,
                        const uint8_t *above, size_t n, size_t step);
void mni_png_kern_c(mni_kern_png *k);

#endif
