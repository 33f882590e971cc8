/* vp8.c - WebP, lossy: one key frame of the VP8 video format; bits to numbers.
 *
 *      tag : 3, 9D 01 2A, width : 2, height : 2 | header and modes | sizes | coefficients
 *                                                 first partition            1..8 others
 *
 * Everything behind the first ten bytes is written with a binary arithmetic coder: each
 * yes or no has a probability, and costs few bits where it was likely. Numbers are walks
 * through trees of such questions. A macroblock (16 x 16 pixels) has modes, which say how
 * it is guessed from its neighbours, and coefficients of what the guess lacks.
 *
 * J. Bankoski et al., "VP8 Data Format and Decoding Guide", RFC 6386, 2011; the numbers
 * in the comments are its sections. SPDX-License-Identifier: MIT */
#include "image/vp8.h"

#include <string.h>

#include "base/bytes.h"

enum { HEAD_BYTES = 10, MAX_PARTITIONS = 8, SEGMENTS = 4 };

/* --- yes or no ---------------------------------------------------------------------- */

/* 7: the interval [0, range) is cut at `split`; the value's top byte tells the side. */
typedef struct coder {
    const uint8_t *at, *end;
    uint64_t value;             /* the next bits, highest first */
    int n_bits;                 /* of them, beyond the first eight */
    unsigned range;
    int n_missing;              /* bits that were not in the file */
} coder;

static void fill(coder *c)
{
    while (c->n_bits <= 40) {
        if (c->at < c->end) c->value |= (uint64_t)*c->at++ << (48 - c->n_bits);
        else c->n_missing += 8;
        c->n_bits += 8;
    }
}

static void coder_begin(coder *c, const uint8_t *at, size_t n)
{
    *c = (coder){ at, at + n, 0, -8, 255, 0 };
    fill(c);
}

static inline unsigned ask(coder *c, unsigned probability)
{
    const unsigned split = 1 + (((c->range - 1) * probability) >> 8);
    const uint64_t cut = (uint64_t)split << 56;
    const unsigned answer = c->value >= cut;
    if (answer) {
        c->value -= cut;
        c->range -= split;
    } else {
        c->range = split;
    }
    if (c->range >= 128) return answer;
    unsigned shift = c->range < 16 ? 4 : 0;             /* until it is 128 or more */
    if (c->range << shift < 64) shift += 2;
    if (c->range << shift < 128) shift += 1;
    if (c->range << shift < 128) shift += 1;
    c->range <<= shift;
    c->value <<= shift;
    c->n_bits -= (int)shift;
    if (c->n_bits < 0) fill(c);
    return answer;
}

static unsigned number(coder *c, unsigned n)            /* n plain bits */
{
    unsigned v = 0;
    while (n--) v = v << 1 | ask(c, 128);
    return v;
}

static int flagged(coder *c, unsigned n)                /* 0, or a number with a sign */
{
    if (!number(c, 1)) return 0;
    const int v = (int)number(c, n);
    return number(c, 1) ? -v : v;
}

static int overrun(const coder *c) { return c->n_bits + 8 < c->n_missing; }

/* --- header ------------------------------------------------------------------------- */

typedef struct steps { int luma[2], second[2], chroma[2]; } steps;      /* DC, AC */

typedef struct vp8 {
    const uint8_t *bytes;
    size_t n_bytes;
    uint32_t width, height, wide, high;         /* in pixels; in macroblocks */
    coder c, parts[MAX_PARTITIONS];
    unsigned n_parts;
    int has_segments, has_map, is_absolute;
    int segment_quant[SEGMENTS], segment_level[SEGMENTS];
    uint8_t map_odds[3];
    int is_simple, level, sharpness, has_deltas, intra_delta, blocks_delta;
    steps steps[SEGMENTS];
    int can_skip;
    unsigned skip_odds;
    uint8_t odds[4][8][3][11];
    /* Around the present macroblock: modes and "had coefficients" of those above (per
     * column) and to the left. 4 luma, 2 + 2 chroma, 1 second-order. */
    uint8_t *modes_above, modes_left[4];
    uint8_t *full_above, full_left[9];
    mni_vp8_smooth *smooth;
    mni_vp8_plane planes[3];
} vp8;

static mann_status read_size(vp8 *v, mann_error *err)
{
    const uint8_t *b = v->bytes;
    if (v->n_bytes < HEAD_BYTES || b[3] != 0x9D || b[4] != 0x01 || b[5] != 0x2A)
        return mni_fail(err, MANN_E_FORMAT, "webp: no VP8 header");
    if (b[0] & 1)
        return mni_fail(err, MANN_E_FORMAT, "webp: the first frame needs another");
    if ((b[0] >> 1 & 7) > 3)
        return mni_fail(err, MANN_E_UNSUPPORTED, "webp: VP8 version %u is not supported; "
                        "convert it to PNG or JPEG", b[0] >> 1 & 7);
    v->width = mni_get16(b + 6) & 0x3FFF;
    v->height = mni_get16(b + 8) & 0x3FFF;
    v->wide = (v->width + 15) / 16;
    v->high = (v->height + 15) / 16;
    return MANN_OK;
}

static void read_segments(vp8 *v)                       /* 9.3 */
{
    coder *c = &v->c;
    v->map_odds[0] = v->map_odds[1] = v->map_odds[2] = 255;
    v->has_segments = (int)number(c, 1);
    if (!v->has_segments) return;
    v->has_map = (int)number(c, 1);
    if (number(c, 1)) {
        v->is_absolute = (int)number(c, 1);
        for (int i = 0; i < SEGMENTS; i++) v->segment_quant[i] = flagged(c, 7);
        for (int i = 0; i < SEGMENTS; i++) v->segment_level[i] = flagged(c, 6);
    }
    for (int i = 0; v->has_map && i < 3; i++)
        if (number(c, 1)) v->map_odds[i] = (uint8_t)number(c, 8);
}

static void read_filter(vp8 *v)                         /* 9.6 */
{
    coder *c = &v->c;
    v->is_simple = (int)number(c, 1);
    v->level = (int)number(c, 6);
    v->sharpness = (int)number(c, 3);
    v->has_deltas = (int)number(c, 1);
    if (!v->has_deltas || !number(c, 1)) return;
    for (int i = 0; i < 8; i++) {       /* four by frame, four by mode; two matter here */
        const int had = (int)number(c, 1);
        int delta = had ? (int)number(c, 6) : 0;
        if (had && number(c, 1)) delta = -delta;
        if (i == 0) v->intra_delta = delta;
        if (i == 4) v->blocks_delta = delta;
    }
}

static int bounded(int v, int most) { return v < 0 ? 0 : v > most ? most : v; }

static void read_steps(vp8 *v)                          /* 9.6, 14.1 */
{
    int delta[5];
    const int base = (int)number(&v->c, 7);
    for (int i = 0; i < 5; i++) delta[i] = flagged(&v->c, 4);
    for (int i = 0; i < SEGMENTS; i++) {
        int q = base;
        if (v->has_segments) q = v->segment_quant[i] + (v->is_absolute ? 0 : base);
        steps *s = &v->steps[i];
        s->luma[0] = mni_vp8_dc_steps[bounded(q + delta[0], 127)];
        s->luma[1] = mni_vp8_ac_steps[bounded(q, 127)];
        s->second[0] = 2 * mni_vp8_dc_steps[bounded(q + delta[1], 127)];
        s->second[1] = mni_vp8_ac_steps[bounded(q + delta[2], 127)] * 155 / 100;
        if (s->second[1] < 8) s->second[1] = 8;
        s->chroma[0] = mni_vp8_dc_steps[bounded(q + delta[3], 117)];
        s->chroma[1] = mni_vp8_ac_steps[bounded(q + delta[4], 127)];
    }
}

/* 9.5: sizes of all partitions but the last stand in front of them. */
static mann_status find_partitions(vp8 *v, const uint8_t *at, const uint8_t *end,
                                   mann_error *err)
{
    const size_t table = 3 * (size_t)(v->n_parts - 1);
    if ((size_t)(end - at) < table)
        return mni_fail(err, MANN_E_FORMAT, "webp: cut short in front of the pixels");
    const uint8_t *sizes = at;
    at += table;
    for (unsigned i = 0; i < v->n_parts; i++, sizes += 3) {
        size_t n = (size_t)(end - at);
        if (i + 1 < v->n_parts) {
            const size_t told = mni_get16(sizes) | (size_t)sizes[2] << 16;
            if (told < n) n = told;
        }
        coder_begin(&v->parts[i], at, n);
        at += n;
    }
    return MANN_OK;
}

static mann_status read_header(vp8 *v, mann_error *err)
{
    coder *c = &v->c;
    const size_t first = (v->bytes[0] | (size_t)mni_get16(v->bytes + 1) << 8) >> 5;
    if (first > v->n_bytes - HEAD_BYTES)
        return mni_fail(err, MANN_E_FORMAT,
                        "webp: cut short: modes of %lu bytes, %lu are left",
                        (unsigned long)first, (unsigned long)(v->n_bytes - HEAD_BYTES));
    coder_begin(c, v->bytes + HEAD_BYTES, first);
    (void)number(c, 2);                                 /* colour space, clamping */
    read_segments(v);
    read_filter(v);
    v->n_parts = 1u << number(c, 2);
    MNI_TRY(find_partitions(v, v->bytes + HEAD_BYTES + first, v->bytes + v->n_bytes,
                            err));
    read_steps(v);
    (void)number(c, 1);                                 /* for the next frame */
    memcpy(v->odds, mni_vp8_tokens, sizeof v->odds);
    uint8_t *odds = &v->odds[0][0][0][0];
    const uint8_t *updates = &mni_vp8_token_updates[0][0][0][0];
    for (size_t i = 0; i < sizeof v->odds; i++)
        if (ask(c, updates[i])) odds[i] = (uint8_t)number(c, 8);
    v->can_skip = (int)number(c, 1);
    if (v->can_skip) v->skip_odds = number(c, 8);
    return MANN_OK;
}

/* --- modes (11) --------------------------------------------------------------------- */

/* A tree is pairs: what follows a no and a yes; a leaf is minus its value. */
static unsigned walk(coder *c, const int8_t *tree, const uint8_t *odds)
{
    int i = 0;
    while ((i = tree[i + (int)ask(c, odds[i >> 1])]) > 0) continue;
    return (unsigned)-i;
}

static void read_block_modes(vp8 *v, mni_vp8_block *b, uint8_t *above)
{
    static const int8_t tree[] = {
        -MNI_VP8_B_DC, 2, -MNI_VP8_B_TM, 4, -MNI_VP8_B_VE, 6, 8, 12, -MNI_VP8_B_HE, 10,
        -MNI_VP8_B_RD, -MNI_VP8_B_VR, -MNI_VP8_B_LD, 14, -MNI_VP8_B_VL, 16, -MNI_VP8_B_HD,
        -MNI_VP8_B_HU
    };
    for (int y = 0; y < 4; y++)
        for (int x = 0; x < 4; x++) {
            const uint8_t *odds = mni_vp8_block_modes[above[x]][v->modes_left[y]];
            const uint8_t mode = (uint8_t)walk(&v->c, tree, odds);
            b->modes[4 * y + x] = above[x] = v->modes_left[y] = mode;
        }
}

/* Gives the segment; *skip: no coefficients follow. */
static unsigned read_modes(vp8 *v, mni_vp8_block *b, uint32_t x, int *skip)
{
    static const int8_t luma[] = { -MNI_VP8_BLOCKS, 2, 4, 6, -MNI_VP8_DC, -MNI_VP8_V,
                                   -MNI_VP8_H, -MNI_VP8_TM };
    static const uint8_t luma_odds[] = { 145, 156, 163, 128 };
    static const int8_t chroma[] = { -MNI_VP8_DC, 2, -MNI_VP8_V, 4, -MNI_VP8_H,
                                     -MNI_VP8_TM };
    static const uint8_t chroma_odds[] = { 142, 114, 183 };
    static const uint8_t as_block[] = { MNI_VP8_B_DC, MNI_VP8_B_VE, MNI_VP8_B_HE,
                                        MNI_VP8_B_TM };
    static const int8_t segments[] = { 2, 4, 0, -1, -2, -3 };
    uint8_t *above = v->modes_above + 4 * (size_t)x;
    unsigned segment = 0;
    if (v->has_map) segment = walk(&v->c, segments, v->map_odds);
    *skip = v->can_skip ? (int)ask(&v->c, v->skip_odds) : 0;
    b->mode = (uint8_t)walk(&v->c, luma, luma_odds);
    if (b->mode == MNI_VP8_BLOCKS) {
        read_block_modes(v, b, above);
    } else {
        memset(above, as_block[b->mode], 4);
        memset(v->modes_left, as_block[b->mode], 4);
    }
    b->chroma_mode = (uint8_t)walk(&v->c, chroma, chroma_odds);
    return segment;
}

/* --- coefficients (13) -------------------------------------------------------------- */

/* A value of 2 or more. */
static int large(coder *c, const uint8_t *odds)
{
    static const uint8_t extra[4][12] = {
        { 173, 148, 140, 0 }, { 176, 155, 140, 135, 0 }, { 180, 157, 141, 134, 130, 0 },
        { 254, 254, 243, 230, 196, 177, 153, 140, 133, 130, 129, 0 }
    };
    if (!ask(c, odds[3])) {
        if (!ask(c, odds[4])) return 2;
        return 3 + (int)ask(c, odds[5]);
    }
    if (!ask(c, odds[6])) {
        if (!ask(c, odds[7])) return 5 + (int)ask(c, 159);
        const int two = (int)ask(c, 165);
        return 7 + 2 * two + (int)ask(c, 145);
    }
    const unsigned high = ask(c, odds[8]), range = 2 * high + ask(c, odds[9 + high]);
    int v = 0;
    for (const uint8_t *p = extra[range]; *p; p++) v = 2 * v + (int)ask(c, *p);
    return v + 3 + (8 << range);
}

/* One block from coefficient `first` on; around: how many of the blocks above and to the
 * left had any. Gives the place behind the last one that was written. */
static int read_block(coder *c, uint8_t odds[8][3][11], unsigned around, int first,
                      const int step[2], int16_t *to)
{
    static const uint8_t bands[17] = { 0, 1, 2, 3, 6, 4, 5, 6, 6,
                                      6, 6, 6, 6, 6, 6, 7, 0 };
    static const uint8_t zigzag[16] = { 0, 1,  4,  8,  5, 2,  3,  6,
                                        9, 12, 13, 10, 7, 11, 14, 15 };
    const uint8_t *p = odds[bands[first]][around];
    for (int i = first; i < 16;) {
        if (!ask(c, p[0])) return i;                    /* no more */
        while (!ask(c, p[1])) {                         /* zeros */
            if (++i == 16) return 16;
            p = odds[bands[i]][0];
        }
        int v = 1;
        const int is_one = !ask(c, p[2]);
        if (!is_one) v = large(c, p);
        if (ask(c, 128)) v = -v;
        to[zigzag[i]] = (int16_t)(v * step[i > 0]);
        i++;
        p = odds[bands[i]][is_one ? 1 : 2];
    }
    return 16;
}

/* n x n blocks of one plane; `full` above and to the left are used and set. */
static void read_plane(coder *c, uint8_t odds[8][3][11], int n, int first,
                       const int step[2], uint8_t *above, uint8_t *left,
                       mni_vp8_block *b, int at)
{
    for (int y = 0; y < n; y++)
        for (int x = 0; x < n; x++, at++) {
            const int end = read_block(c, odds, (unsigned)above[x] + left[y], first, step,
                                       b->coefs[at]);
            above[x] = left[y] = end > first;
            if (end > first) b->has |= 1u << at;
        }
}

static void read_coefs(vp8 *v, coder *c, mni_vp8_block *b, const steps *s, uint32_t x)
{
    uint8_t *above = v->full_above + 9 * (size_t)x, *left = v->full_left;
    int first = 0;
    if (b->mode != MNI_VP8_BLOCKS) {
        int16_t second[16] = { 0 };
        const int end = read_block(c, v->odds[1], (unsigned)above[8] + left[8], 0,
                                   s->second, second);
        above[8] = left[8] = end > 0;
        first = 1;
        if (end > 0) mni_vp8_spread(b->coefs, second);
        for (int i = 0; i < 16; i++) b->has |= (uint32_t)(b->coefs[i][0] != 0) << i;
    }
    read_plane(c, v->odds[first ? 0 : 3], 4, first, s->luma, above, left, b, 0);
    read_plane(c, v->odds[2], 2, 0, s->chroma, above + 4, left + 4, b, 16);
    read_plane(c, v->odds[2], 2, 0, s->chroma, above + 6, left + 6, b, 20);
}

/* --- macroblocks -------------------------------------------------------------------- */

/* 9.3, 9.6, 15.4 */
static mni_vp8_smooth smooth_of(const vp8 *v, const mni_vp8_block *b, unsigned segment)
{
    int level = v->level;
    if (v->level == 0) return (mni_vp8_smooth){ 0 };
    if (v->has_segments)
        level = v->segment_level[segment] + (v->is_absolute ? 0 : v->level);
    if (v->has_deltas)
        level += v->intra_delta + (b->mode == MNI_VP8_BLOCKS ? v->blocks_delta : 0);
    level = bounded(level, 63);
    int limit = level;
    if (v->sharpness) {
        limit >>= v->sharpness > 4 ? 2 : 1;
        if (limit > 9 - v->sharpness) limit = 9 - v->sharpness;
    }
    if (limit < 1) limit = 1;
    return (mni_vp8_smooth){ (uint8_t)level, b->mode == MNI_VP8_BLOCKS || b->has,
                             (uint8_t)(2 * level + limit), (uint8_t)limit };
}

static mann_status read_row(vp8 *v, mni_vp8_block *b, uint32_t y, mann_error *err)
{
    coder *part = &v->parts[y & (v->n_parts - 1)];
    memset(v->modes_left, MNI_VP8_B_DC, sizeof v->modes_left);
    memset(v->full_left, 0, sizeof v->full_left);
    for (uint32_t x = 0; x < v->wide; x++) {
        int skip;
        memset(b, 0, sizeof *b);
        const unsigned segment = read_modes(v, b, x, &skip);
        if (!skip) {
            read_coefs(v, part, b, &v->steps[segment], x);
        } else {            /* the second-order flag stays where a block has no such */
            const size_t n = b->mode == MNI_VP8_BLOCKS ? 8 : 9;
            memset(v->full_above + 9 * (size_t)x, 0, n);
            memset(v->full_left, 0, n);
        }
        mni_vp8_predict(v->planes, b, x, y);
        v->smooth[(size_t)y * v->wide + x] = smooth_of(v, b, segment);
    }
    /* What the rightmost blocks of the next row see above to the right. */
    uint8_t *last = v->planes[0].at + (16 * (ptrdiff_t)y + 15) * v->planes[0].stride +
                    16 * (ptrdiff_t)v->wide;
    memset(last, last[-1], 4);
    if (overrun(&v->c) || overrun(part))
        return mni_fail(err, MANN_E_FORMAT, "webp: cut short in row %lu of %lu of blocks",
                        (unsigned long)y + 1, (unsigned long)v->high);
    return MANN_OK;
}

/* 12.2, 12.3: outside of the picture, 127 above and 129 to the left. */
static mann_status make_planes(vp8 *v, mni_arena *arena, mann_error *err)
{
    for (int k = 0; k < 3; k++) {
        const size_t side = k ? 8 : 16, stride = v->wide * side + 32,
                     rows = v->high * side + 1;
        uint8_t *p = mni_arena_get(arena, rows, stride);
        if (!p) return mni_fail(err, MANN_E_NOMEM, "webp: no memory for the planes");
        memset(p, 127, stride);
        for (size_t y = 1; y < rows; y++) p[y * stride + 15] = 129;
        v->planes[k] = (mni_vp8_plane){ p + stride + 16, (ptrdiff_t)stride };
    }
    const size_t n = (size_t)v->wide * v->high;
    v->modes_above = mni_arena_get(arena, v->wide, 4);
    v->full_above = mni_arena_get(arena, v->wide, 9);
    v->smooth = mni_arena_get(arena, n, sizeof *v->smooth);
    if (!v->modes_above || !v->full_above || !v->smooth)
        return mni_fail(err, MANN_E_NOMEM, "webp: no memory for %llu blocks",
                        (unsigned long long)n);
    return MANN_OK;
}

mann_status mni_vp8_size(const uint8_t *bytes, size_t n_bytes, uint32_t *width,
                         uint32_t *height, mann_error *err)
{
    vp8 v = { .bytes = bytes, .n_bytes = n_bytes };
    MNI_TRY(read_size(&v, err));
    *width = v.width;
    *height = v.height;
    return MANN_OK;
}

mann_status mni_vp8_decode(uint8_t *to, size_t stride, size_t step, const uint8_t *bytes,
                           size_t n_bytes, mni_arena *arena, mann_error *err)
{
    vp8 *v = mni_arena_get(arena, 1, sizeof *v);
    mni_vp8_block *b = mni_arena_get(arena, 1, sizeof *b);
    if (!v || !b) return mni_fail(err, MANN_E_NOMEM, "webp: tables");
    v->bytes = bytes;
    v->n_bytes = n_bytes;
    MNI_TRY(read_size(v, err));
    MNI_TRY(read_header(v, err));
    MNI_TRY(make_planes(v, arena, err));
    for (uint32_t y = 0; y < v->high; y++) MNI_TRY(read_row(v, b, y, err));
    mni_vp8_smooth_all(v->planes, v->smooth, v->wide, v->high, v->is_simple);
    mni_vp8_to_rgb(to, stride, step, v->planes, v->width, v->height);
    return MANN_OK;
}
