/* rows.c - stored vectors: made fit, encoded, decoded, compared.
 *
 * What is compared is always f32. Rows stored as f32 go to the kernel where they lie; f16
 * and int8 rows are decoded, a small block at a time, into a buffer that stays in the
 * first-level cache, and the same kernel runs over that. So there is one distance, and
 * one place where a row becomes floats: `decode` followed, for cosine, by `to_unit`. A
 * row that mni_rows_get gives out and the row that a scan sees are the same bits, hence a
 * stored row asked again is at distance exactly 0 for every dtype.
 *
 * Norms are sums of squares in double over eight fixed lanes: the same value at every
 * SIMD level, since such a product is exact and each lane is added to in one order.
 * SPDX-License-Identifier: MIT */
#include "index/rows.h"

#include <math.h>

#include "kern/kern_dist.h"
#include "kern/kern_i8.h"

enum {
    LANES = 8,
    BUFFER = 2048               /* floats decoded at a time: 8 KiB; a multiple of LANES */
};

#define UNIT_SLACK \
    1e-6 /* of the squared norm: what f32 rounding of a unit vector can do */

/* lane[i % 8] += v[i]^2; a long vector may come in pieces whose lengths are multiples
 * of 8. */
static void add_squares(double lane[LANES], const float *v, size_t n)
{
    mni_kern_i8_best()->squares(v, n, lane);
}

static double sum_lanes(const double lane[LANES])
{
    return ((lane[0] + lane[4]) + (lane[2] + lane[6])) +
           ((lane[1] + lane[5]) + (lane[3] + lane[7]));
}

/* What a vector of this squared norm is to be multiplied by. 1: leave it alone. A row
 * that is zero or not finite can only come from a damaged file; it stays as it is. */
static double unit_factor(double squares)
{
    if (fabs(squares - 1.0) <= UNIT_SLACK || !(squares > 0.0) || !isfinite(squares))
        return 1.0;
    return 1.0 / sqrt(squares);
}

static void multiply(float *v, size_t n, double factor)
{
    if (factor != 1.0)
        for (size_t i = 0; i < n; i++) v[i] = (float)(v[i] * factor);
}

static void to_unit(float *v, size_t n)
{
    double lane[LANES] = { 0 };
    add_squares(lane, v, n);
    multiply(v, n, unit_factor(sum_lanes(lane)));
}

mann_status mni_rows_prepare(mann_metric metric, float *v, uint32_t dim, const char *what,
                             uint64_t number, mann_error *err)
{
    double lane[LANES] = { 0 };
    for (uint32_t i = 0; i < dim; i++)
        if (!isfinite(v[i]))
            return mni_fail(err, MANN_E_ARG,
                            "%s %llu: value %lu is %s, wanted finite numbers", what,
                            (unsigned long long)number, (unsigned long)i,
                            isnan(v[i]) ? "not a number" : "infinite");
    if (metric != MANN_COSINE) return MANN_OK;
    add_squares(lane, v, dim);
    double squares = sum_lanes(lane);
    if (!(squares > 0.0))
        return mni_fail(
            err, MANN_E_ARG,
            "%s %llu: all %lu values are zero, and cosine asks for a direction", what,
            (unsigned long long)number, (unsigned long)dim);
    multiply(v, dim, unit_factor(squares));
    return MANN_OK;
}

mann_status mni_rows_storable(mni_dtype dtype, const float *v, uint32_t dim,
                              const char *what, uint64_t number, mann_error *err)
{
    const float largest = 65504.0f;
    if (dtype != MNI_F16) return MANN_OK;
    for (uint32_t i = 0; i < dim; i++)
        if (fabsf(v[i]) > largest)
            return mni_fail(err, MANN_E_LIMIT,
                            "%s %llu: value %lu is %g, and f16 ends at %g", what,
                            (unsigned long long)number, (unsigned long)i, (double)v[i],
                            (double)largest);
    return MANN_OK;
}

/* --- encoding and decoding ---------------------------------------------------------- */

void mni_rows_encode(mni_dtype dtype, const float *v, uint32_t dim, void *out,
                     float *scale)
{
    if (dtype == MNI_F32) {
        memcpy(out, v, (size_t)dim * sizeof *v);
    } else if (dtype == MNI_F16) {
        uint16_t *half = out;
        for (uint32_t i = 0; i < dim; i++) half[i] = mni_f16_from_f32(v[i]);
    } else {
        int8_t *code = out;
        float largest = 0.0f;
        for (uint32_t i = 0; i < dim; i++)
            if (fabsf(v[i]) > largest) largest = fabsf(v[i]);
        *scale = largest / 127.0f;
        for (uint32_t i = 0; i < dim; i++) {
            /* scale is 0 for a zero vector, and for one so small that a 127th of it is no
             * float */
            float c = *scale > 0.0f ? v[i] / *scale : 0.0f;
            c = c > 127.0f ? 127.0f : c < -127.0f ? -127.0f : c;
            code[i] = (int8_t)lrintf(c);
        }
    }
}

/* Values [from, from + n) of a row, as stored. */
static void decode(const mni_rows *r, uint32_t row, uint32_t from, uint32_t n, float *out)
{
    size_t at = (size_t)row * r->dim + from;
    if (r->dtype == MNI_F32) {
        memcpy(out, (const float *)r->data + at, (size_t)n * sizeof *out);
    } else if (r->dtype == MNI_F16) {
        const uint16_t *half = (const uint16_t *)r->data + at;
        mni_kern_i8_best()->from_f16(half, n, out);
    } else {
        const int8_t *code = (const int8_t *)r->data + at;
        mni_kern_i8_best()->from_i8(code, n, r->scale[row], out);
    }
}

void mni_rows_get(const mni_rows *r, uint32_t row, float *out)
{
    decode(r, row, 0, r->dim, out);
    if (r->metric == MANN_COSINE && r->dtype != MNI_F32) to_unit(out, r->dim);
}

/* --- rounding that stays ------------------------------------------------------------ */

/* What is read back is not always stored as what it was read from: a half or an eighth of
 * a unit vector is brought to unit length when it is read, which moves numbers that stood
 * at the border of two codes. Storing and reading again is a function of codes to codes,
 * and every walk along a function ends in a ring:
 *
 *   v -> code a -> code b -> code c -> code d      mostly a ring of one: d = c
 *                              ^---------'         of some thousand rows one of two
 *
 * All that ever reach a ring are stored as the same member of it, the smallest. So what
 * was read is stored as what it was read from, always. The ring is found by Brent's way
 * (1980, An improved Monte Carlo factorization algorithm, section 2): a marker waits, for
 * twice as long each time, until the walk meets it. */
typedef struct round_trip {
    mni_rows one;               /* the code where the walk is, as a row */
    uint8_t *code;
    float scale;
    size_t n_bytes;
    float *v;
} round_trip;

static void go_round(round_trip *t)
{
    mni_rows_get(&t->one, 0, t->v);
    mni_rows_encode(t->one.dtype, t->v, t->one.dim, t->code, &t->scale);
}

static int compare_codes(const uint8_t *a, float scale_a, const uint8_t *b, float scale_b,
                         size_t n)
{
    const int c = memcmp(a, b, n);
    return c ? c : (scale_a > scale_b) - (scale_a < scale_b);
}

static void keep_code(uint8_t *to, float *scale, const round_trip *t)
{
    memcpy(to, t->code, t->n_bytes);
    *scale = t->scale;
}

void mni_rows_settle(mann_metric metric, mni_dtype dtype, float *v, uint32_t dim,
                     void *code, float *scale, void *room)
{
    enum { FAR_ENOUGH = 4096 };         /* rings are of one or two; no walk was so long */
    round_trip t = { .code = code, .v = v, .n_bytes = dim * mni_dtype_bytes(dtype) };
    uint8_t *marker = room, *least = marker + t.n_bytes;
    float marker_scale, least_scale;
    unsigned wait = 1, ring = 0;
    t.one = (mni_rows){ .data = code, .scale = &t.scale, .n = 1, .dim = dim,
                        .dtype = dtype, .metric = metric };
    mni_rows_encode(dtype, v, dim, code, &t.scale);
    keep_code(marker, &marker_scale, &t);
    for (unsigned steps = 0; dtype != MNI_F32 && steps < FAR_ENOUGH; steps++) {
        go_round(&t);
        ring++;
        if (compare_codes(t.code, t.scale, marker, marker_scale, t.n_bytes) == 0) break;
        if (ring < wait) continue;
        keep_code(marker, &marker_scale, &t);
        wait *= 2;
        ring = 0;
    }
    keep_code(least, &least_scale, &t);
    while (ring-- > 1) {
        go_round(&t);
        if (compare_codes(t.code, t.scale, least, least_scale, t.n_bytes) < 0)
            keep_code(least, &least_scale, &t);
    }
    memcpy(t.code, least, t.n_bytes);
    t.scale = least_scale;
    mni_rows_get(&t.one, 0, v);
    if (scale) *scale = t.scale;
}

/* --- distances ---------------------------------------------------------------------- */

/* Kernel sums to distances, in place. NaN can only come from a damaged file, or from an
 * inner product of numbers near the end of the range: it counts as infinitely far. */
static void sums_to_distances(mann_metric metric, float *out, size_t n)
{
    const float factor = metric == MANN_COSINE  ? 0.5f
                         : metric == MANN_INNER ? -1.0f
                                                : 1.0f;
    for (size_t i = 0; i < n; i++) {
        float d = factor * out[i];
        out[i] = d == d ? d : INFINITY;
    }
}

/* A row longer than the buffer: its norm first, then the sum piece by piece. */
static void scan_long_row(const mni_rows *r, mni_rows_fn kernel, const float *queries,
                          size_t n_queries, uint32_t row, float *out, size_t out_stride)
{
    float buffer[BUFFER], sum;
    double lane[LANES] = { 0 }, factor = 1.0;
    if (r->metric == MANN_COSINE) {
        for (uint32_t at = 0; at < r->dim; at += BUFFER) {
            uint32_t n = r->dim - at < BUFFER ? r->dim - at : BUFFER;
            decode(r, row, at, n, buffer);
            add_squares(lane, buffer, n);
        }
        factor = unit_factor(sum_lanes(lane));
    }
    for (size_t q = 0; q < n_queries; q++) out[q * out_stride] = 0.0f;
    for (uint32_t at = 0; at < r->dim; at += BUFFER) {
        uint32_t n = r->dim - at < BUFFER ? r->dim - at : BUFFER;
        decode(r, row, at, n, buffer);
        multiply(buffer, n, factor);
        for (size_t q = 0; q < n_queries; q++) {
            kernel(queries + q * r->dim + at, buffer, 1, n, n, &sum);
            out[q * out_stride] += sum;
        }
    }
}

static void scan_decoded(const mni_rows *r, mni_rows_fn kernel, const float *queries,
                         size_t n_queries, uint32_t begin, uint32_t end, float *out)
{
    float buffer[BUFFER];
    const uint32_t n = end - begin, at_once = r->dim ? BUFFER / r->dim : n;
    for (uint32_t i = 0; i < n; ) {
        if (at_once == 0) {
            scan_long_row(r, kernel, queries, n_queries, begin + i, out + i, n);
            i++;
            continue;
        }
        uint32_t m = n - i < at_once ? n - i : at_once;
        for (uint32_t j = 0; j < m; j++)
            mni_rows_get(r, begin + i + j, buffer + (size_t)j * r->dim);
        for (size_t q = 0; q < n_queries; q++)
            kernel(queries + q * r->dim, buffer, m, r->dim, r->dim, out + q * n + i);
        i += m;
    }
}

void mni_rows_scan_many(const mni_rows *r, const float *queries, size_t n_queries,
                        uint32_t begin, uint32_t end, float *out)
{
    const mni_kern_dist *k = mni_kern_dist_best();
    const mni_rows_fn kernel = r->metric == MANN_INNER ? k->ip_rows : k->l2_rows;
    const size_t n = end - begin;
    if (r->dtype == MNI_F32) {
        const float *rows = (const float *)r->data + (size_t)begin * r->dim;
        for (size_t q = 0; q < n_queries; q++)
            kernel(queries + q * r->dim, rows, n, r->dim, r->dim, out + q * n);
    } else {
        scan_decoded(r, kernel, queries, n_queries, begin, end, out);
    }
    sums_to_distances(r->metric, out, n_queries * n);
}

void mni_rows_scan(const mni_rows *r, const float *query, uint32_t begin, uint32_t end,
                   float *out)
{
    mni_rows_scan_many(r, query, 1, begin, end, out);
}

void mni_rows_fetch(const mni_rows *r, uint32_t row)
{
#if defined(__GNUC__) || defined(__clang__)
    enum { LINE = 64, MOST = 1024 };    /* the processor goes on by itself behind that */
    const size_t row_bytes = r->dim * mni_dtype_bytes(r->dtype);
    const char *at = (const char *)r->data + row * row_bytes;
    for (size_t i = 0; i < row_bytes && i < MOST; i += LINE) __builtin_prefetch(at + i);
#else
    (void)r; (void)row;
#endif
}

/* --- the rest ----------------------------------------------------------------------- */

static mann_status check_row(const mni_rows *r, uint32_t row, mann_error *err)
{
    float buffer[BUFFER];
    double lane[LANES] = { 0 };
    for (uint32_t at = 0; at < r->dim; at += BUFFER) {
        uint32_t n = r->dim - at < BUFFER ? r->dim - at : BUFFER;
        decode(r, row, at, n, buffer);
        for (uint32_t i = 0; i < n; i++)
            if (!isfinite(buffer[i]))
                return mni_fail(err, MANN_E_FORMAT,
                                "vectors: value %lu of row %lu is not finite",
                                (unsigned long)(at + i), (unsigned long)row);
        add_squares(lane, buffer, n);
    }
    double squares = sum_lanes(lane);
    /* int8 rounds each value by up to 1/254 of the largest: the norm of a unit vector may
     * be off by the sum of those, and is brought back when the row is read; but it is
     * never zero. */
    int fits = r->dtype == MNI_F32 ? fabs(squares - 1.0) <= 2 * UNIT_SLACK
                                   : squares > 0.0;
    if (r->metric == MANN_COSINE && !fits)
        return mni_fail(err, MANN_E_FORMAT,
                        "vectors: row %lu has squared length %g, cosine wants 1",
                        (unsigned long)row, squares);
    return MANN_OK;
}

mann_status mni_rows_check(const mni_rows *r, mann_error *err)
{
    for (uint32_t row = 0; row < r->n; row++) MNI_TRY(check_row(r, row, err));
    return MANN_OK;
}

float mni_score(mann_metric metric, float distance)
{
    if (metric != MANN_COSINE) return -distance;
    float s = 1.0f - distance;
    return s > 1.0f ? 1.0f : s < -1.0f ? -1.0f : s;
}
