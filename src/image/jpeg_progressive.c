/* jpeg_progressive.c - blocks of progressive scans (T.81 annex G).
 *
 * A progressive file sends each coefficient in pieces. First the DCs of all blocks
 * without their lowest bits; then bands of the zigzag, also without; then, scan by scan,
 * one bit more of everything. A photo can so be seen after a tenth of the file.
 *
 *                   DC      1 .. 5    6 .. 63
 *      bits 7..1   scan 1   scan 2    scan 3
 *      bit  0      scan 4   scan 5    scan 6
 *
 * In a refining scan, coefficients that are something already get their bit where the
 * walk passes them; runs count only those that are still 0. SPDX-License-Identifier: MIT
 */
#include "image/jpeg.h"

/* v * 2^low as a coefficient; 0 if it has no place there. */
static inline int put_scaled(int16_t *to, int v, int low)
{
    const int scaled = v * (1 << low);
    if (scaled < -32768 || scaled > 32767) return 0;
    *to = (int16_t)scaled;
    return 1;
}

/* One code with its number: `skip` places on stands `value`; or the band ends here, for
 * 2^n and some more blocks: ends = n, else -1. */
typedef struct step { unsigned skip; int value, ends; } step;

static inline int next_step(mni_bits *r, const mni_jpeg_huffman *h, step *s)
{
    mni_bits_fill(r);
    const int32_t e = h->look[r->word >> (64 - MNI_JPEG_LOOK)];
    mni_bits_drop(r, mni_look_bits(e));
    *s = (step){ mni_look_skip(e), mni_look_value(e), -1 };
    if (s->skip < MNI_SKIP_END) return 1;
    const int symbol =
        s->skip == MNI_SKIP_LONG ? mni_jpeg_long_symbol(r, h) : s->value;
    if (symbol < 0) return 0;
    const unsigned size = (unsigned)symbol & 15, run = (unsigned)symbol >> 4;
    if (size == 0 && run < 15) s->ends = (int)run;
    *s = (step){ run + 1, size ? mni_bits_take_number(r, size) : 0, s->ends };
    return 1;
}

/* "n and so many bits": this many blocks, this one among them, have nothing more in this
 * band. */
static inline uint32_t take_end_run(mni_bits *r, unsigned n)
{
    return (1u << n) + (n ? mni_bits_take(r, n) : 0);
}

static int first_ac(mni_bits *r, const mni_jpeg_huffman *code, mni_jpeg_band *band,
                    int16_t *coefs)
{
    int k = band->from - 1;
    while (k < band->to) {
        step s;
        if (!next_step(r, code, &s)) return 0;
        if (s.ends >= 0) {
            band->end_run = take_end_run(r, (unsigned)s.ends) - 1;
            return 1;
        }
        k += (int)s.skip;
        if (s.value == 0) continue;
        if (k > band->to || !put_scaled(&coefs[mni_jpeg_place[k]], s.value, band->low))
            return 0;
    }
    return 1;
}

/* One more bit for a coefficient that is already something. */
static inline void refine(mni_bits *r, int16_t *c, int bit)
{
    if (r->n < 8) mni_bits_fill(r);
    if (mni_bits_take(r, 1) && !(*c & bit)) *c = (int16_t)(*c + (*c > 0 ? bit : -bit));
}

static int refine_ac(mni_bits *r, const mni_jpeg_huffman *code, mni_jpeg_band *band,
                     int16_t *coefs)
{
    const int bit = 1 << band->low;
    int k = band->from;
    for (; k <= band->to && band->end_run == 0; k++) {
        step s;
        if (!next_step(r, code, &s) || s.value < -1 || s.value > 1) return 0;
        if (s.ends >= 0) {
            band->end_run = take_end_run(r, (unsigned)s.ends);
            break;
        }
        unsigned zeros = s.skip - 1;
        for (; k <= band->to; k++) {
            int16_t *c = &coefs[mni_jpeg_place[k]];
            if (*c) refine(r, c, bit);
            else if (zeros-- == 0) break;
        }
        if (s.value && k > band->to) return 0;
        if (s.value) coefs[mni_jpeg_place[k]] = (int16_t)(s.value * bit);
    }
    if (band->end_run == 0) return 1;
    for (; k <= band->to; k++) {
        int16_t *c = &coefs[mni_jpeg_place[k]];
        if (*c) refine(r, c, bit);
    }
    band->end_run--;
    return 1;
}

static int block_part(mni_bits *r, const mni_jpeg_huffman *code, mni_jpeg_band *band,
                      int *dc, int16_t *coefs)
{
    if (band->from == 0) {
        if (band->high == 0)
            return mni_jpeg_next_dc(r, code, dc) && put_scaled(&coefs[0], *dc, band->low);
        mni_bits_fill(r);
        if (mni_bits_take(r, 1)) coefs[0] = (int16_t)(coefs[0] | 1 << band->low);
        return 1;
    }
    return band->high ? refine_ac(r, code, band, coefs) : first_ac(r, code, band, coefs);
}

int mni_jpeg_block_part(mni_jpeg_bits *b, const mni_jpeg_huffman *code,
                        mni_jpeg_band *band, int *dc, int16_t coefs[MNI_JPEG_BLOCK])
{
    if (band->end_run && !band->high) {         /* nothing in this block */
        band->end_run--;
        return 1;
    }
    if (!mni_jpeg_bits_ready(b)) return 0;
    mni_bits r = b->now;
    const int good = block_part(&r, code, band, dc, coefs);
    b->now = r;
    return good;
}
