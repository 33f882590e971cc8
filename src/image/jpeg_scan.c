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

#include "image/jpeg.h"

/* Bounds the work that a small file can ask for; usual are 1 to 12. */
enum { MAX_SCANS = 256 };

typedef struct scan {
    mni_jpeg_component *parts[MNI_JPEG_MAX_COMPONENTS];
    unsigned n_parts;
    mni_jpeg_band band;
    uint32_t mcus_w, mcus_h;
} scan;

/* --- header ------------------------------------------------------------------------- */

static const mni_jpeg_huffman *code_of(mni_jpeg_huffman codes[4], unsigned number,
                                       int is_dc)
{
    mni_jpeg_huffman *h = &codes[number & 3];
    if (!h->known) mni_jpeg_huffman_standard(h, (int)number, is_dc);
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
        memcpy(c->quant, j->quant[c->table], sizeof c->quant);
    }
    if (at[1] >> 4 > 3 || (at[1] & 15) > 3)
        return mni_fail(err, MANN_E_FORMAT, "jpeg: Huffman tables %u and %u, wanted 0..3",
                        at[1] >> 4, at[1] & 15);
    c->dc_code = code_of(j->dc_codes, at[1] >> 4, 1);
    c->ac_code = code_of(j->ac_codes, at[1] & 15, 0);
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

static mann_status read_scan_header(mni_jpeg *j, scan *s, const uint8_t *header,
                                    size_t n_header, mann_error *err)
{
    const unsigned n = n_header ? header[0] : 0;
    if (++j->n_scans > MAX_SCANS)
        return mni_fail(err, MANN_E_LIMIT, "jpeg: more than %d scans", MAX_SCANS);
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
    return MANN_OK;
}

/* --- blocks ------------------------------------------------------------------------- */

/* Block (x, y) of a component, wherever it goes. Returns 0 if the bits make no sense. */
static int decode_block(const mni_jpeg *j, scan *s, mni_jpeg_component *c,
                        mni_jpeg_bits *bits, uint32_t x, uint32_t y)
{
    if (j->progressive) {
        int16_t *coefs = c->coefs + ((size_t)y * c->padded_w + x) * MNI_JPEG_BLOCK;
        return mni_jpeg_block_part(bits, s->band.from ? c->ac_code : c->dc_code, &s->band,
                                   &c->dc, coefs);
    }
    int16_t block[MNI_JPEG_BLOCK] = { 0 };
    const int last =
        mni_jpeg_block(bits, c->dc_code, c->ac_code, c->quant, &c->dc, block);
    if (last < 0) return 0;
    const size_t stride = (size_t)c->padded_w * 8;
    mni_jpeg_idct(c->plane + (size_t)y * 8 * stride + (size_t)x * 8, stride, block, last);
    return 1;
}

static int decode_mcu(const mni_jpeg *j, scan *s, mni_jpeg_bits *bits, uint32_t x,
                      uint32_t y)
{
    if (s->n_parts == 1) return decode_block(j, s, s->parts[0], bits, x, y);
    for (unsigned i = 0; i < s->n_parts; i++) {
        mni_jpeg_component *c = s->parts[i];
        for (uint32_t v = 0; v < c->v; v++)
            for (uint32_t h = 0; h < c->h; h++)
                if (!decode_block(j, s, c, bits, x * c->h + h, y * c->v + v)) return 0;
    }
    return 1;
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

static void begin_interval(scan *s, mni_jpeg_bits *bits, const uint8_t *at,
                           const uint8_t *end)
{
    mni_jpeg_bits_init(bits, at, end);
    for (unsigned i = 0; i < s->n_parts; i++) s->parts[i]->dc = 0;
    s->band.end_run = 0;
}

static mann_status restart(const mni_jpeg *j, scan *s, mni_jpeg_bits *bits, uint64_t mcu,
                           mann_error *err)
{
    const unsigned want = 0xD0 + (unsigned)((mcu / j->restart_interval - 1) & 7);
    const uint8_t *at = find_marker(bits->at, bits->end);
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
    begin_interval(s, bits, at + 2, bits->end);
    return MANN_OK;
}

/* --- the scan ----------------------------------------------------------------------- */

static mann_status bad_mcu(const mni_jpeg *j, const scan *s, const mni_jpeg_bits *bits,
                           uint64_t mcu, mann_error *err)
{
    const int ended = mni_jpeg_bits_overrun(bits);
    return mni_fail(
        err, MANN_E_FORMAT, "jpeg: %s near byte %llu, in MCU %llu of %llu of scan %d",
        ended ? "cut short: the data ends" : "damaged: impossible code",
        (unsigned long long)(bits->at - j->in->bytes), (unsigned long long)mcu + 1,
        (unsigned long long)s->mcus_w * s->mcus_h, j->n_scans);
}

mann_status mni_jpeg_scan(mni_jpeg *j, const uint8_t *header, size_t n_header,
                          mann_error *err)
{
    scan s = { { 0 }, 0, { 0, 0, 0, 0, 0 }, 0, 0 };
    MNI_TRY(read_scan_header(j, &s, header, n_header, err));
    mni_jpeg_bits bits;
    const uint8_t *end = j->in->bytes + j->in->n_bytes;
    begin_interval(&s, &bits, j->in->bytes + j->at, end);
    uint64_t mcu = 0, until_restart = j->restart_interval;
    for (uint32_t y = 0; y < s.mcus_h; y++)
        for (uint32_t x = 0; x < s.mcus_w; x++, mcu++) {
            if (j->restart_interval && until_restart-- == 0) {
                MNI_TRY(restart(j, &s, &bits, mcu, err));
                until_restart = j->restart_interval - 1;
            }
            if (!decode_mcu(j, &s, &bits, x, y) || mni_jpeg_bits_overrun(&bits))
                return bad_mcu(j, &s, &bits, mcu, err);
        }
    j->at = (size_t)(find_marker(bits.at, end) - j->in->bytes);
    return MANN_OK;
}

/* --- progressive: the end ----------------------------------------------------------- */

static int multiply(int16_t block[MNI_JPEG_BLOCK], const int16_t *coefs,
                    const uint16_t *quant)
{
    int last = 0;
    for (int k = 0; k < MNI_JPEG_BLOCK; k++) {
        const int v = coefs[k] * quant[k];
        block[mni_jpeg_zigzag[k]] = (int16_t)(v < -32768  ? -32768
                                              : v > 32767 ? 32767
                                                          : v);
        if (v) last = k;
    }
    return last;
}

void mni_jpeg_finish_planes(mni_jpeg *j)
{
    for (unsigned i = 0; i < j->n_components; i++) {
        const mni_jpeg_component *c = &j->components[i];
        const size_t stride = (size_t)c->padded_w * 8;
        const int16_t *coefs = c->coefs;
        for (uint32_t y = 0; y < c->padded_h; y++)
            for (uint32_t x = 0; x < c->padded_w; x++, coefs += MNI_JPEG_BLOCK) {
                int16_t block[MNI_JPEG_BLOCK];
                const int last = multiply(block, coefs, c->quant);
                mni_jpeg_idct(c->plane + (size_t)y * 8 * stride + (size_t)x * 8, stride,
                              block, last);
            }
    }
}
