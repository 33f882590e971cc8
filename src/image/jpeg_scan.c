/* jpeg_scan.c - the order of the blocks: scans, MCUs, restart intervals.
 *
 * A scan with several components is interleaved: an MCU holds h x v blocks of each, so
 * that it covers one area of the picture. With factors 2x2, 1x1, 1x1:
 *
 *      MCU 0          MCU 1
 *      Y Y Y Y Cb Cr  Y Y Y Y Cb Cr  ...      ->   plane of Y:  0 1 | 0 1 | ...
 *      0 1 2 3  0  0  0 1 2 3  0  0                             2 3 | 2 3 |
 *
 * A scan of one component is not: its MCU is one block, row by row, without the blocks
 * that only fill up the last MCUs. A restart marker every so many MCUs begins everything
 * anew: bits at a byte border, predictions at 0. SPDX-License-Identifier: MIT */
#include <string.h>

#include "base/mem.h"
#include "image/jpeg.h"

typedef struct scan {
    mni_jpeg_component *parts[MNI_JPEG_MAX_COMPONENTS];
    unsigned n_parts;
    mni_jpeg_band band;
    uint32_t mcus_w, mcus_h;
    unsigned n_units;               /* blocks of one MCU: */
    struct unit {
        mni_jpeg_component *c;
        uint32_t x, y;              /* in the MCU */
        uint8_t *row;               /* its samples in the first MCU of the row */
        uint32_t step;              /* from there to the next MCU's */
    } units[MNI_JPEG_MAX_UNITS];
} scan;

/* --- header ------------------------------------------------------------------------- */

/* size: of the blocks that the code is for; 0 for a DC code. */
static const mni_jpeg_huffman *code_of(mni_jpeg *j, unsigned number, unsigned size)
{
    const int is_dc = size == 0;
    mni_jpeg_huffman *h = is_dc ? &j->dc_codes[number & 3] : &j->ac_codes[number & 3];
    if (!h->known) mni_jpeg_huffman_standard(h, (int)number, is_dc);
    if (is_dc || j->progressive) return h;
    if (size == 1) mni_jpeg_huffman_skip(h);
    else mni_jpeg_huffman_pair(h);
    return h;
}

static mann_status read_part(mni_jpeg *j, scan *s, const uint8_t *at, mann_error *err)
{
    mni_jpeg_component *c = NULL;
    for (unsigned i = 0; i < j->n_components && !c; i++)
        if (j->components[i].id == at[0]) c = &j->components[i];
    for (unsigned i = 0; i < s->n_parts && c; i++)
        if (s->parts[i] == c) c = NULL;
    if (!c)
        return mni_fail(
            err, MANN_E_FORMAT,
            "jpeg: scan %d names component %u, which the frame lacks or has once",
            j->n_scans, at[0]);
    if (c->n_scans && !j->progressive)
        return mni_fail(err, MANN_E_FORMAT, "jpeg: component %u is sent twice", c->id);
    if (c->n_scans++ == 0) {
        if (!j->quant_known[c->table])
            return mni_fail(err, MANN_E_FORMAT, "jpeg: quantisation table %u is missing",
                            c->table);
        for (int k = 0; k < MNI_JPEG_BLOCK; k++)
            c->quant[mni_jpeg_place[k]] = j->quant[c->table][k];
    }
    if (at[1] >> 4 > 3 || (at[1] & 15) > 3)
        return mni_fail(err, MANN_E_FORMAT, "jpeg: Huffman tables %u and %u, wanted 0..3",
                        at[1] >> 4, at[1] & 15);
    c->dc_code = code_of(j, at[1] >> 4, 0);
    c->ac_code = code_of(j, at[1] & 15, c->size);
    s->parts[s->n_parts++] = c;
    return MANN_OK;
}

static mann_status read_band(const mni_jpeg *j, scan *s, const uint8_t *at,
                             mann_error *err)
{
    const mni_jpeg_band b = { at[0], at[1], at[2] >> 4, at[2] & 15, 0 };
    s->band = b;
    if (!j->progressive)
        return MANN_OK; /* always 0..63 at once; some writers put in noise */
    const int dc = b.from == 0;
    if (b.from > b.to || b.to > 63 || (dc && b.to != 0) || (!dc && s->n_parts != 1) ||
        b.low > 13 || (b.high && b.high != b.low + 1))
        return mni_fail(err, MANN_E_FORMAT,
                        "jpeg: scan %d sends coefficients %d..%d, bits %d to %d, "
                        "of %u components: impossible",
                        j->n_scans, b.from, b.to, b.high, b.low, s->n_parts);
    return MANN_OK;
}

static void list_units(scan *s)
{
    for (unsigned i = 0; i < s->n_parts; i++) {
        mni_jpeg_component *c = s->parts[i];
        const uint32_t w = s->n_parts == 1 ? 1 : c->h, h = s->n_parts == 1 ? 1 : c->v;
        for (uint32_t y = 0; y < h; y++)
            for (uint32_t x = 0; x < w; x++)
                s->units[s->n_units++] = (struct unit){ c, x, y, NULL, 0 };
    }
}

static mann_status read_scan_header(mni_jpeg *j, scan *s, const uint8_t *header,
                                    size_t n_header, mann_error *err)
{
    const unsigned n = n_header ? header[0] : 0;
    if ((uint32_t)++j->n_scans > j->in->max_scans)
        return mni_fail(err, MANN_E_LIMIT, "jpeg: more than %lu scans",
                        (unsigned long)j->in->max_scans);
    if (n < 1 || n > j->n_components || n_header != 4 + 2 * (size_t)n)
        return mni_fail(err, MANN_E_FORMAT,
                        "jpeg: a scan of %u components in %lu bytes of header, "
                        "the frame has %u",
                        n, (unsigned long)n_header, j->n_components);
    for (unsigned i = 0; i < n; i++)
        MNI_TRY(read_part(j, s, header + 1 + 2 * (size_t)i, err));
    MNI_TRY(read_band(j, s, header + 1 + 2 * (size_t)n, err));
    s->mcus_w = n == 1 ? s->parts[0]->blocks_w : j->mcus_w;
    s->mcus_h = n == 1 ? s->parts[0]->blocks_h : j->mcus_h;
    list_units(s);
    return MANN_OK;
}

/* --- planes ------------------------------------------------------------------------- */

/* The scan brings all components at once: planes need to hold two rows of MCUs, since
 * pixels are made of them while they come. Else planes are whole. */
static mann_status make_planes(mni_jpeg *j, const scan *s, mann_error *err)
{
    const int all = s->n_parts == j->n_components;
    j->band_wise = all && !j->progressive;
    for (unsigned i = 0; i < j->n_components; i++) {
        mni_jpeg_component *c = &j->components[i];
        const uint32_t band = (j->band_wise && s->n_parts == 1 ? 1 : c->v) * c->size;
        const uint64_t whole = (uint64_t)c->padded_h * c->size;
        c->n_rows = (uint32_t)whole;
        if ((all || j->progressive) && whole > 2 * (uint64_t)band) c->n_rows = 2 * band;
        c->stride = (size_t)c->padded_w * c->size;
        c->plane = mni_alloc_aligned(c->n_rows, c->stride, 0);
        if (!c->plane)
            return mni_fail(err, MANN_E_NOMEM,
                            "jpeg: no memory for %lu rows of %lu samples",
                            (unsigned long)c->n_rows, (unsigned long)c->stride);
        memset(c->plane, 128, c->n_rows * c->stride);
        c->idct = c->size == 8   ? j->kern->idct8
                  : c->size == 4 ? j->kern->idct4
                  : c->size == 2 ? j->kern->idct2
                                 : NULL;
    }
    return mni_jpeg_pixels_begin(j, err);
}

/* --- blocks ------------------------------------------------------------------------- */

static MNI_INLINE void flat(uint8_t *out, size_t stride, uint8_t v, const unsigned size)
{
    const uint64_t eight = v * 0x0101010101010101u;
    for (unsigned y = 0; y < size; y++, out += stride) memcpy(out, &eight, size);
}

static void put_flat(uint8_t *out, const mni_jpeg_component *c, uint8_t v)
{
    switch (c->size) {
    case 8:  flat(out, c->stride, v, 8); break;
    case 4:  flat(out, c->stride, v, 4); break;
    case 2:  flat(out, c->stride, v, 2); break;
    default: *out = v;
    }
}

/* Coefficients -> samples. only_dc: all others are 0. */
static MNI_INLINE void put_block(uint8_t *out, const mni_jpeg_component *c,
                                 const int16_t *coefs, int only_dc)
{
    if (c->size > 1 && !only_dc) {
        c->idct(out, c->stride, coefs, c->quant);
        return;
    }
    const int dc = (int16_t)(uint16_t)((uint32_t)(uint16_t)coefs[0] * c->quant[0]);
    const int v = ((dc + 4) >> 3) + 128;
    put_flat(out, c, (uint8_t)(v < 0 ? 0 : v > 255 ? 255 : v));
}

static inline uint8_t *place_of(const mni_jpeg_component *c, uint32_t x, uint32_t y)
{
    return c->plane + (size_t)(y * c->size % c->n_rows) * c->stride + (size_t)x * c->size;
}

static inline uint8_t *unit_place(const struct unit *u, uint32_t x)
{
    return u->row + (size_t)x * u->step;
}

/* The place of the last coefficient, or -1 if the bits make no sense or have ended. Of a
 * block that becomes one sample only the DC is read. */
static MNI_INLINE int read_block(mni_jpeg *j, mni_jpeg_component *c, int16_t *coefs)
{
    mni_jpeg_bits *b = &j->bits;
    if (!mni_jpeg_bits_ready(b)) return -1;
    if (c->size > 1)
        return j->kern->block(&b->now, c->dc_code, c->ac_code, &c->dc, coefs);
    if (!j->kern->skip(&b->now, c->dc_code, c->ac_code, &c->dc)) return -1;
    coefs[0] = (int16_t)c->dc;
    return 0;
}

/* All blocks of an MCU are read, then all are transformed: the numbers of one have left
 * the store queue when they are loaded as vectors. Returns 0 if the bits make no sense.
 */
static int sequential_mcu(mni_jpeg *j, const scan *s, uint32_t x)
{
    int last[MNI_JPEG_MAX_UNITS];
    for (unsigned i = 0; i < s->n_units; i++) {
        last[i] = read_block(j, s->units[i].c, j->blocks[i]);
        if (last[i] >= 0) continue;
        memset(j->blocks, 0, sizeof j->blocks);
        return 0;
    }
    for (unsigned i = 0; i < s->n_units; i++) {
        const struct unit *u = &s->units[i];
        put_block(unit_place(u, x), u->c, j->blocks[i], last[i] == 0);
        if (last[i]) memset(j->blocks[i], 0, sizeof j->blocks[i]);
    }
    return 1;
}

static int progressive_mcu(mni_jpeg *j, scan *s, uint32_t x, uint32_t y)
{
    for (unsigned i = 0; i < s->n_units; i++) {
        const struct unit *u = &s->units[i];
        mni_jpeg_component *c = u->c;
        const uint32_t w = s->n_parts == 1 ? 1 : c->h, h = s->n_parts == 1 ? 1 : c->v;
        const size_t at = (size_t)(y * h + u->y) * c->padded_w + x * w + u->x;
        int16_t *coefs = c->coefs + at * MNI_JPEG_BLOCK;
        if (!mni_jpeg_block_part(&j->bits, s->band.from ? c->ac_code : c->dc_code,
                                 &s->band, &c->dc, coefs))
            return 0;
    }
    return 1;
}

/* What did not come: middle grey. Progressive coefficients are 0 as they stand. */
static void grey_mcu(const mni_jpeg *j, const scan *s, uint32_t x)
{
    for (unsigned i = 0; i < s->n_units && !j->progressive; i++)
        put_flat(unit_place(&s->units[i], x), s->units[i].c, 128);
}

/* Where the blocks of row y of MCUs go. */
static void begin_row(scan *s, uint32_t y)
{
    for (unsigned i = 0; i < s->n_units; i++) {
        struct unit *u = &s->units[i];
        const uint32_t w = s->n_parts == 1 ? 1 : u->c->h,
                       h = s->n_parts == 1 ? 1 : u->c->v;
        u->row = place_of(u->c, u->x, y * h + u->y);
        u->step = w * u->c->size;
    }
}

/* --- restart ------------------------------------------------------------------------ */

/* The next marker at or behind `at`: a 0xFF that is not followed by 0 or 0xFF; or the
 * end. */
static const uint8_t *find_marker(const uint8_t *at, const uint8_t *end)
{
    for (; end - at >= 2; at++)
        if (at[0] == 0xFF && at[1] != 0 && at[1] != 0xFF) return at;
    return end;
}

static void begin_interval(mni_jpeg *j, scan *s, const uint8_t *at)
{
    mni_jpeg_bits_init(&j->bits, j->kern->unstuff, at,
                       j->in->bytes + j->in->n_bytes);
    for (unsigned i = 0; i < s->n_parts; i++) s->parts[i]->dc = 0;
    s->band.end_run = 0;
}

static mann_status restart(mni_jpeg *j, scan *s, uint64_t mcu, mann_error *err)
{
    const mni_jpeg_bits *bits = &j->bits;
    const unsigned want = 0xD0 + (unsigned)((mcu / j->restart_interval - 1) & 7);
    const uint8_t *at = find_marker(bits->from, bits->end);
    const unsigned long long place = (unsigned long long)(at - j->in->bytes);
    if (at == bits->end)
        return mni_fail(
            err, MANN_E_FORMAT,
            "jpeg: cut short: the data ends at byte %llu, before MCU %llu of %llu", place,
            (unsigned long long)mcu, (unsigned long long)s->mcus_w * s->mcus_h);
    if (at[1] != want)
        return mni_fail(
            err, MANN_E_FORMAT,
            "jpeg: marker %02x at byte %llu, before MCU %llu; wanted restart %02x", at[1],
            place, (unsigned long long)mcu, want);
    begin_interval(j, s, at + 2);
    return MANN_OK;
}

/* --- the scan ----------------------------------------------------------------------- */

static mann_status bad_mcu(const mni_jpeg *j, const scan *s, uint64_t mcu,
                           mann_error *err)
{
    const mni_jpeg_bits *b = &j->bits;
    const int ended = mni_jpeg_bits_overrun(b);
    const size_t ahead =
        b->now.at < b->clean_end ? (size_t)(b->clean_end - b->now.at) : 0;
    return mni_fail(
        err, MANN_E_FORMAT, "jpeg: %s near byte %llu, in MCU %llu of %llu of scan %d",
        ended ? "cut short: the data ends" : "damaged: impossible code",
        (unsigned long long)((size_t)(b->from - j->in->bytes) - ahead),
        (unsigned long long)mcu + 1, (unsigned long long)s->mcus_w * s->mcus_h,
        j->n_scans);
}

/* The next MCU; before it a restart, where one is due. */
static mann_status next_mcu(mni_jpeg *j, scan *s, uint32_t x, uint32_t y,
                            uint32_t *until_restart, mann_error *err)
{
    const uint64_t mcu = (uint64_t)y * s->mcus_w + x;
    if (j->restart_interval && (*until_restart)-- == 0) {
        MNI_TRY(restart(j, s, mcu, err));
        *until_restart = j->restart_interval - 1;
    }
    const int good =
        j->progressive ? progressive_mcu(j, s, x, y) : sequential_mcu(j, s, x);
    if (!good || mni_jpeg_bits_overrun(&j->bits)) return bad_mcu(j, s, mcu, err);
    return MANN_OK;
}

/* Rows of MCUs 0..y are there: make the pixels that need no more, which may be one row
 * less than that. */
static void use_band(mni_jpeg *j, uint32_t y, uint32_t n_mcu_rows, unsigned v)
{
    const uint32_t rows = 8 / j->scale * v;
    mni_jpeg_pixels_until(j, y + 1 == n_mcu_rows ? j->out_h : (y + 1) * rows - 1);
}

mann_status mni_jpeg_scan(mni_jpeg *j, const uint8_t *header, size_t n_header,
                          mann_error *err)
{
    scan s = { .n_parts = 0 };
    MNI_TRY(read_scan_header(j, &s, header, n_header, err));
    if (!j->image.pixels) MNI_TRY(make_planes(j, &s, err));
    begin_interval(j, &s, j->in->bytes + j->at);
    uint32_t until_restart = j->restart_interval;
    for (uint32_t y = 0; y < s.mcus_h; y++) {
        begin_row(&s, y);
        for (uint32_t x = 0; x < s.mcus_w; x++) {
            if (!j->cut) {
                const mann_status e = next_mcu(j, &s, x, y, &until_restart, err);
                if (e != MANN_OK && !j->in->partial) return e;
                j->cut = e != MANN_OK;
            }
            if (j->cut) grey_mcu(j, &s, x);
        }
        if (j->band_wise) use_band(j, y, s.mcus_h, s.n_parts == 1 ? 1 : j->v_max);
        else if (j->cut) break;
    }
    const uint8_t *end = j->in->bytes + j->in->n_bytes;
    j->at = (size_t)(find_marker(j->bits.from, end) - j->in->bytes);
    return MANN_OK;
}

/* --- the end of other files --------------------------------------------------------- */

static void transform_row(const mni_jpeg_component *c, uint32_t y)
{
    const int16_t *coefs = c->coefs + (size_t)y * c->padded_w * MNI_JPEG_BLOCK;
    for (uint32_t x = 0; x < c->padded_w; x++, coefs += MNI_JPEG_BLOCK)
        put_block(place_of(c, x, y), c, coefs, 0);
}

void mni_jpeg_finish(mni_jpeg *j)
{
    for (uint32_t y = 0; y < j->mcus_h && j->progressive; y++) {
        for (unsigned i = 0; i < j->n_components; i++) {
            const mni_jpeg_component *c = &j->components[i];
            for (unsigned v = 0; v < c->v; v++) transform_row(c, y * c->v + v);
        }
        use_band(j, y, j->mcus_h, j->v_max);
    }
    if (!j->band_wise) mni_jpeg_pixels_until(j, j->out_h);
}
