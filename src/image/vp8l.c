/* vp8l.c - WebP, lossless: an own format of Google's, nothing to do with VP8.
 *
 *      2F | width, height, alpha, version : 32 bits | transforms | picture
 *
 *      picture:  colour cache? | groups? | prefix codes of each group | symbols
 *
 * A pixel is 0xAARRGGBB. It is written as a symbol for green and one each for red, blue
 * and alpha; or as a copy (length and distance, of pixels; small distances mean places in
 * the neighbourhood); or as a place in a cache of colours seen before. Each of the five
 * kinds of symbol has a prefix code of its own, sent as code lengths like deflate's; and
 * different parts of the picture may have different sets of five (a group), told by a
 * small picture of their numbers. The transforms (vp8l_transform.c) come with small
 * pictures of their own, written in the same way.
 *
 * "WebP Lossless Bitstream Specification" (RFC 9649, chapter 3).
 * SPDX-License-Identifier: MIT */
#include <string.h>

#include "base/bytes.h"
#include "image/webp.h"

enum {
    MAX_CODE = 15, ROOT = 8, N_LENGTHS = 24, N_DISTANCES = 40, MAX_CACHE_BITS = 11,
    MAX_GREEN = 256 + N_LENGTHS + (1 << MAX_CACHE_BITS), N_CODES = 5, NEAR_CODES = 120,
    SUB = 0x80                      /* in the low byte of an entry: leads to a subtable */
};

typedef struct bits {
    const uint8_t *at, *end;
    uint64_t word;
    unsigned n, n_padding;
} bits;

/* A table: entries are symbol << 8 | bits. A code of one symbol takes no bits at all. */
typedef struct prefix { uint32_t *table; unsigned root; } prefix;
typedef struct group { prefix codes[N_CODES]; } group; /* green red blue alpha place */

typedef struct reader {
    bits b;
    mni_arena *arena;
    mann_error *err;
} reader;

/* --- bits --------------------------------------------------------------------------- */

static inline void refill(bits *b)
{
    if (b->end - b->at >= 8) {
        b->word |= mni_get64(b->at) << b->n;
        b->at += (63 - b->n) >> 3;
        b->n |= 56;
        return;
    }
    while (b->n < 56) {
        if (b->at < b->end) b->word |= (uint64_t)*b->at++ << b->n;
        else b->n_padding += 8;
        b->n += 8;
    }
}

static inline unsigned take(bits *b, unsigned n)        /* n <= 24 */
{
    refill(b);
    const unsigned v = (unsigned)(b->word & ((1u << n) - 1));
    b->word >>= n;
    b->n -= n;
    return v;
}

static int overrun(const bits *b) { return b->n < b->n_padding; }

static mann_status damaged(const reader *r, const char *what)
{
    return mni_fail(r->err, MANN_E_FORMAT, "webp: %s, %lu bytes before the end",
                    overrun(&r->b) ? "cut short" : what,
                    (unsigned long)(r->b.end - r->b.at));
}

static mann_status no_memory(const reader *r)
{
    return mni_fail(r->err, MANN_E_NOMEM, "webp: no memory for a picture's tables");
}

/* --- prefix codes ------------------------------------------------------------------- */

static unsigned reversed(unsigned v, unsigned n)
{
    unsigned r = 0;
    for (unsigned i = 0; i < n; i++) r |= (v >> i & 1u) << (n - 1 - i);
    return r;
}

/* Bits of the subtable under each prefix: the longest code there decides. Gives the size
 * of all tables together. */
static size_t plan_tables(uint8_t *sub_bits, unsigned root, const unsigned *first,
                          const uint8_t *lengths, unsigned n)
{
    unsigned next[MAX_CODE + 2];
    memcpy(next, first, sizeof next);
    size_t size = (size_t)1 << root;
    for (unsigned s = 0; s < n; s++) {
        const unsigned l = lengths[s];
        if (!l) continue;
        const unsigned low = reversed(next[l]++, l) & ((1u << root) - 1);
        if (l <= root || sub_bits[low] >= l - root) continue;
        size += ((size_t)1 << (l - root)) - (sub_bits[low] ? 1u << sub_bits[low] : 0);
        sub_bits[low] = (uint8_t)(l - root);
    }
    return size;
}

static void fill_tables(prefix *p, const uint8_t *sub_bits, unsigned *next,
                        const uint8_t *lengths, unsigned n)
{
    uint32_t used = 1u << p->root;
    for (unsigned s = 0; s < n; s++) {
        const unsigned l = lengths[s];
        if (!l) continue;
        const unsigned code = reversed(next[l]++, l);
        if (l <= p->root) {
            for (unsigned i = code; i < 1u << p->root; i += 1u << l)
                p->table[i] = s << 8 | l;
            continue;
        }
        const unsigned low = code & ((1u << p->root) - 1), width = sub_bits[low];
        if (!p->table[low]) {
            p->table[low] = used << 8 | SUB | width;
            used += 1u << width;
        }
        uint32_t *sub = p->table + (p->table[low] >> 8);
        for (unsigned i = code >> p->root; i < 1u << width; i += 1u << (l - p->root))
            sub[i] = s << 8 | (l - p->root);
    }
}

static mann_status make_prefix(reader *r, prefix *p, const uint8_t *lengths, unsigned n)
{
    unsigned count[MAX_CODE + 1] = { 0 }, first[MAX_CODE + 2] = { 0 }, longest = 0;
    unsigned n_symbols = 0, last = 0;
    uint8_t sub_bits[1 << ROOT] = { 0 };
    int left = 1;
    for (unsigned s = 0; s < n; s++) {
        count[lengths[s]]++;
        if (lengths[s]) { last = s; n_symbols++; }
    }
    if (n_symbols == 0) return damaged(r, "a code without a symbol");
    if (n_symbols == 1) {
        p->root = 0;
        p->table = mni_arena_get(r->arena, 1, sizeof *p->table);
        if (!p->table) return no_memory(r);
        p->table[0] = last << 8;
        return MANN_OK;
    }
    for (unsigned l = 1; l <= MAX_CODE; l++) {
        left = left * 2 - (int)count[l];
        if (left < 0) return damaged(r, "an impossible code");
        first[l + 1] = (first[l] + count[l]) << 1;
        if (count[l]) longest = l;
    }
    if (left) return damaged(r, "an incomplete code");
    p->root = longest < ROOT ? longest : ROOT;
    const size_t size = plan_tables(sub_bits, p->root, first, lengths, n);
    p->table = mni_arena_get(r->arena, size, sizeof *p->table);
    if (!p->table) return no_memory(r);
    fill_tables(p, sub_bits, first, lengths, n);
    return MANN_OK;
}

/* The next symbol; at least 15 bits must wait. */
static inline unsigned symbol(bits *b, const prefix *p)
{
    uint32_t e = p->table[b->word & ((1u << p->root) - 1)];
    if (e & SUB) {
        b->word >>= p->root;
        b->n -= p->root;
        e = p->table[(e >> 8) + (b->word & ((1u << (e & 15)) - 1))];
    }
    b->word >>= e & 15;
    b->n -= e & 15;
    return e >> 8;
}

static mann_status read_lengths(reader *r, uint8_t *lengths, unsigned n)
{
    static const uint8_t order[19] = { 17, 18, 0, 1, 2,  3,  4,  5,  16, 6,
                                       7,  8,  9, 10, 11, 12, 13, 14, 15 };
    uint8_t of_lengths[19] = { 0 };
    prefix p = { NULL, 0 };
    const unsigned n_codes = 4 + take(&r->b, 4);
    for (unsigned i = 0; i < n_codes; i++)
        of_lengths[order[i]] = (uint8_t)take(&r->b, 3);
    MNI_TRY(make_prefix(r, &p, of_lengths, 19));
    unsigned left = n, before = 8;
    if (take(&r->b, 1)) {
        left = 2 + take(&r->b, 2 + 2 * take(&r->b, 3));
        if (left > n) return damaged(r, "more code lengths than symbols");
    }
    for (unsigned i = 0; i < n && left > 0; left--) {
        refill(&r->b);
        const unsigned s = symbol(&r->b, &p);
        if (s < 16) {
            lengths[i++] = (uint8_t)s;
            if (s) before = s;
            continue;
        }
        unsigned run = s == 16 ? 3 + take(&r->b, 2) : s == 17 ? 3 + take(&r->b, 3)
                                                              : 11 + take(&r->b, 7);
        if (run > n - i) return damaged(r, "a run of code lengths that is too long");
        while (run--) lengths[i++] = (uint8_t)(s == 16 ? before : 0);
    }
    return MANN_OK;
}

static mann_status read_prefix(reader *r, prefix *p, unsigned n)
{
    uint8_t lengths[MAX_GREEN] = { 0 };
    if (take(&r->b, 1)) {                       /* simple: one or two symbols */
        const unsigned two = take(&r->b, 1), wide = take(&r->b, 1);
        const unsigned a = take(&r->b, wide ? 8 : 1), b = two ? take(&r->b, 8) : a;
        if (a >= n || b >= n) return damaged(r, "a symbol that does not exist");
        lengths[a] = lengths[b] = 1;
    } else {
        MNI_TRY(read_lengths(r, lengths, n));
    }
    if (overrun(&r->b)) return damaged(r, "");
    return make_prefix(r, p, lengths, n);
}

/* --- one picture -------------------------------------------------------------------- */

typedef struct picture {
    uint32_t width, height;
    uint32_t *pixels;
    unsigned cache_bits, group_bits;
    uint32_t *cache;
    const uint32_t *groups_of;      /* a number per block of 2^group_bits, or NULL */
    uint32_t blocks_wide;
    group *groups;
} picture;

/* Copies of up to 120 places have the nearest pixels' distances, nearest first: x to the
 * left is positive, y upwards. */
static uint32_t distance_of(unsigned code, uint32_t width)
{
    static const int8_t near[NEAR_CODES][2] = {
        { 0, 1 },  { 1, 0 },  { 1, 1 },  { -1, 1 }, { 0, 2 },  { 2, 0 },  { 1, 2 },
        { -1, 2 }, { 2, 1 },  { -2, 1 }, { 2, 2 },  { -2, 2 }, { 0, 3 },  { 3, 0 },
        { 1, 3 },  { -1, 3 }, { 3, 1 },  { -3, 1 }, { 2, 3 },  { -2, 3 }, { 3, 2 },
        { -3, 2 }, { 0, 4 },  { 4, 0 },  { 1, 4 },  { -1, 4 }, { 4, 1 },  { -4, 1 },
        { 3, 3 },  { -3, 3 }, { 2, 4 },  { -2, 4 }, { 4, 2 },  { -4, 2 }, { 0, 5 },
        { 3, 4 },  { -3, 4 }, { 4, 3 },  { -4, 3 }, { 5, 0 },  { 1, 5 },  { -1, 5 },
        { 5, 1 },  { -5, 1 }, { 2, 5 },  { -2, 5 }, { 5, 2 },  { -5, 2 }, { 4, 4 },
        { -4, 4 }, { 3, 5 },  { -3, 5 }, { 5, 3 },  { -5, 3 }, { 0, 6 },  { 6, 0 },
        { 1, 6 },  { -1, 6 }, { 6, 1 },  { -6, 1 }, { 2, 6 },  { -2, 6 }, { 6, 2 },
        { -6, 2 }, { 4, 5 },  { -4, 5 }, { 5, 4 },  { -5, 4 }, { 3, 6 },  { -3, 6 },
        { 6, 3 },  { -6, 3 }, { 0, 7 },  { 7, 0 },  { 1, 7 },  { -1, 7 }, { 5, 5 },
        { -5, 5 }, { 7, 1 },  { -7, 1 }, { 4, 6 },  { -4, 6 }, { 6, 4 },  { -6, 4 },
        { 2, 7 },  { -2, 7 }, { 7, 2 },  { -7, 2 }, { 3, 7 },  { -3, 7 }, { 7, 3 },
        { -7, 3 }, { 5, 6 },  { -5, 6 }, { 6, 5 },  { -6, 5 }, { 8, 0 },  { 4, 7 },
        { -4, 7 }, { 7, 4 },  { -7, 4 }, { 8, 1 },  { 8, 2 },  { 6, 6 },  { -6, 6 },
        { 8, 3 },  { 5, 7 },  { -5, 7 }, { 7, 5 },  { -7, 5 }, { 8, 4 },  { 6, 7 },
        { -6, 7 }, { 7, 6 },  { -7, 6 }, { 8, 5 },  { 7, 7 },  { -7, 7 }, { 8, 6 },
        { 8, 7 },
    };
    if (code > NEAR_CODES) return code - NEAR_CODES;
    const int64_t d = near[code - 1][0] + (int64_t)near[code - 1][1] * width;
    return d < 1 ? 1 : (uint32_t)d;
}

/* Lengths and distances: a class, and extra bits for the larger ones. */
static unsigned read_number(bits *b, unsigned s)
{
    if (s < 4) return s + 1;
    const unsigned extra = (s - 2) >> 1;
    return ((2 + (s & 1)) << extra) + take(b, extra) + 1;
}

static inline uint32_t cache_place(uint32_t argb, unsigned n_bits)
{
    return (argb * 0x1E35A7BDu) >> (32 - n_bits);
}

static const group *group_at(const picture *p, size_t at)
{
    if (!p->groups_of) return p->groups;
    const uint32_t x = (uint32_t)(at % p->width), y = (uint32_t)(at / p->width);
    const size_t block = (size_t)(y >> p->group_bits) * p->blocks_wide +
                         (x >> p->group_bits);
    return &p->groups[p->groups_of[block] >> 8 & 0xFFFF];
}

static mann_status read_copy(reader *r, picture *p, const group *g, unsigned s,
                             size_t *at, size_t n)
{
    const unsigned length = read_number(&r->b, s - 256);
    refill(&r->b);
    const uint32_t distance =
        distance_of(read_number(&r->b, symbol(&r->b, &g->codes[4])), p->width);
    if (distance > *at || length > n - *at)
        return damaged(r, "a copy that leads out of the picture");
    uint32_t *to = p->pixels + *at;
    for (unsigned i = 0; i < length; i++) to[i] = to[(ptrdiff_t)i - (ptrdiff_t)distance];
    *at += length;
    return MANN_OK;
}

static mann_status read_pixels(reader *r, picture *p)
{
    const size_t n = (size_t)p->width * p->height;
    const uint32_t mask = p->groups_of ? (1u << p->group_bits) - 1 : UINT32_MAX;
    const group *g = p->groups;
    size_t at = 0, cached = 0;
    uint32_t x = 0;
    while (at < n) {
        if ((x & mask) == 0 || at == 0) g = group_at(p, at);
        refill(&r->b);
        const unsigned s = symbol(&r->b, &g->codes[0]);
        if (s < 256) {
            const unsigned red = symbol(&r->b, &g->codes[1]);
            refill(&r->b);
            const unsigned blue = symbol(&r->b, &g->codes[2]),
                           alpha = symbol(&r->b, &g->codes[3]);
            p->pixels[at++] = (uint32_t)alpha << 24 | red << 16 | s << 8 | blue;
            if (++x == p->width) x = 0;
        } else if (s < 256 + N_LENGTHS) {
            MNI_TRY(read_copy(r, p, g, s, &at, n));
            x = (uint32_t)(at % p->width);
            if (at < n) g = group_at(p, at);
        } else {
            while (cached < at) {               /* all up to here must be in the cache */
                const uint32_t v = p->pixels[cached++];
                p->cache[cache_place(v, p->cache_bits)] = v;
            }
            p->pixels[at++] = p->cache[s - 256 - N_LENGTHS];
            if (++x == p->width) x = 0;
        }
        if (overrun(&r->b)) return damaged(r, "");
    }
    return MANN_OK;
}

static mann_status read_picture(reader *r, uint32_t width, uint32_t height, int is_main,
                                uint32_t **out);

/* The small picture of group numbers; *n_groups: the largest and one. */
static mann_status read_groups_of(reader *r, picture *p, uint32_t *n_groups)
{
    uint32_t *of;
    p->group_bits = 2 + take(&r->b, 3);
    p->blocks_wide = (p->width + (1u << p->group_bits) - 1) >> p->group_bits;
    const uint32_t high = (p->height + (1u << p->group_bits) - 1) >> p->group_bits;
    MNI_TRY(read_picture(r, p->blocks_wide, high, 0, &of));
    for (size_t i = 0; i < (size_t)p->blocks_wide * high; i++)
        if ((of[i] >> 8 & 0xFFFF) >= *n_groups) *n_groups = (of[i] >> 8 & 0xFFFF) + 1;
    p->groups_of = of;
    return MANN_OK;
}

static mann_status read_groups(reader *r, picture *p, uint32_t n_groups)
{
    const unsigned sizes[N_CODES] = {
        256 + N_LENGTHS + (p->cache_bits ? 1u << p->cache_bits : 0), 256, 256, 256,
        N_DISTANCES
    };
    /* A code is four bits at least. */
    if (n_groups > 1 && (uint64_t)(r->b.end - r->b.at) + 8 < (uint64_t)n_groups * 2)
        return damaged(r, "more groups of codes than bytes");
    p->groups = mni_arena_get(r->arena, n_groups, sizeof *p->groups);
    if (!p->groups) return no_memory(r);
    for (uint32_t i = 0; i < n_groups; i++)
        for (int k = 0; k < N_CODES; k++)
            MNI_TRY(read_prefix(r, &p->groups[i].codes[k], sizes[k]));
    return MANN_OK;
}

static mann_status read_picture(reader *r, uint32_t width, uint32_t height, int is_main,
                                uint32_t **out)
{
    picture p = { .width = width, .height = height };
    uint32_t n_groups = 1;
    if (take(&r->b, 1)) {
        p.cache_bits = take(&r->b, 4);
        if (p.cache_bits < 1 || p.cache_bits > MAX_CACHE_BITS)
            return damaged(r, "a colour cache of a size that does not exist");
        p.cache = mni_arena_get(r->arena, (size_t)1 << p.cache_bits, sizeof *p.cache);
        if (!p.cache) return no_memory(r);
    }
    if (is_main && take(&r->b, 1)) MNI_TRY(read_groups_of(r, &p, &n_groups));
    MNI_TRY(read_groups(r, &p, n_groups));
    p.pixels = mni_arena_get(r->arena, (size_t)width * height, sizeof *p.pixels);
    if (!p.pixels) return no_memory(r);
    *out = p.pixels;
    return read_pixels(r, &p);
}

/* --- transforms --------------------------------------------------------------------- */

/* *width shrinks where pixels are packed. */
static mann_status read_transform(reader *r, mni_vp8l_transform *t, uint32_t *width,
                                  uint32_t height)
{
    t->width = *width;
    t->height = height;
    if (t->kind == MNI_VP8L_PREDICT || t->kind == MNI_VP8L_COLOUR) {
        t->bits = 2 + take(&r->b, 3);
        const uint32_t round = (1u << t->bits) - 1;
        return read_picture(r, (*width + round) >> t->bits, (height + round) >> t->bits,
                            0, &t->data);
    }
    if (t->kind == MNI_VP8L_INDEX) {
        uint32_t *colours;
        const unsigned n = take(&r->b, 8) + 1;
        MNI_TRY(read_picture(r, n, 1, 0, &colours));
        t->data = mni_arena_get(r->arena, 256, sizeof *t->data);
        if (!t->data) return no_memory(r);
        for (unsigned i = 0; i < n; i++)        /* each is the difference to the last */
            for (unsigned k = 0; k < 32; k += 8)
                t->data[i] |=
                    (((colours[i] >> k) + (i ? t->data[i - 1] >> k : 0)) & 255) << k;
        t->bits = n <= 2 ? 3 : n <= 4 ? 2 : n <= 16 ? 1 : 0;
        *width = (*width + (1u << t->bits) - 1) >> t->bits;
    }
    return MANN_OK;
}

mann_status mni_vp8l_size(const uint8_t *bytes, size_t n_bytes, uint32_t *width,
                          uint32_t *height, int *has_alpha, mann_error *err)
{
    if (n_bytes < 5 || bytes[0] != 0x2F || bytes[4] >> 5 != 0)
        return mni_fail(err, MANN_E_FORMAT, "webp: no VP8L header of version 0");
    const uint32_t v = mni_get32(bytes + 1);
    *width = (v & 0x3FFF) + 1;
    *height = (v >> 14 & 0x3FFF) + 1;
    *has_alpha = v >> 28 & 1;
    return MANN_OK;
}

mann_status mni_vp8l_decode(uint32_t **argb, const uint8_t *bytes, size_t n_bytes,
                            uint32_t width, uint32_t height, int with_header,
                            mni_arena *arena, mann_error *err)
{
    const size_t skip = with_header ? 5 : 0;
    reader r = { { bytes + skip, bytes + n_bytes, 0, 0, 0 }, arena, err };
    mni_vp8l_transform t[4];
    unsigned n = 0, seen = 0;
    uint32_t narrow = width;
    while (take(&r.b, 1)) {
        const unsigned kind = take(&r.b, 2);
        if (seen >> kind & 1) return damaged(&r, "a transform twice");
        seen |= 1u << kind;
        t[n] = (mni_vp8l_transform){ .kind = kind };
        MNI_TRY(read_transform(&r, &t[n++], &narrow, height));
    }
    uint32_t *pixels;
    MNI_TRY(read_picture(&r, narrow, height, 1, &pixels));
    while (n-- > 0) {
        uint32_t *to = pixels;
        if (t[n].kind == MNI_VP8L_INDEX && t[n].bits) {
            to = mni_arena_get(arena, (size_t)t[n].width * height, sizeof *to);
            if (!to) return no_memory(&r);
        }
        mni_vp8l_undo(&t[n], to, pixels);
        pixels = to;
    }
    *argb = pixels;
    return MANN_OK;
}
