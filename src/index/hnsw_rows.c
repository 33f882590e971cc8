/* hnsw_rows.c - walking on the rows themselves.
 *
 * Rows that are stored as one byte a value (rows.h: row = scale * codes) are short
 * enough to be walked as they are; codes beside them would be the same thing twice:
 *
 *     stored as f32     links | codes | vectors         the walk reads codes
 *     stored as int8    links |         vectors         the walk reads vectors
 *
 * A query is rounded to bytes once, q' = f * b. Then, s being the scale of row c,
 *
 *     |q' - x|^2 = f^2 b.b + s^2 c.c - 2 s f b.c           L2
 *     -q'.x      = - s f b.c                               inner product
 *     1 - q'.x   = 1 - f b.c / |c|                         cosine: x has unit length
 *
 * Two sums of bytes a row (kern_code.h), which are exact, and a few multiplications of
 * floats, which are done one after the other: the same bits at every level. Only the
 * query's rounding stands between these and the true distances.
 *
 * Distances become keys, whole numbers that sort alike: a float's bits as they are, with
 * the sign turned. SPDX-License-Identifier: MIT */
#include "index/hnsw.h"

#include <math.h>

#include "os/pages.h"

enum { AT_A_TIME = 64, LINE = 64 };

int mni_hnsw_walks_rows(const mni_rows *rows, const mni_spec *said)
{
    enum { MOST_VALUES = 1 << 16 };     /* sums of two bytes stay below 2^31 */
    return rows->dtype == MNI_I8 && said->codes != MNI_CODES_SQ4 &&
           rows->dim <= MOST_VALUES;
}

void mni_hnsw_rows_query(mni_hnsw_view *v, const mni_rows *rows, const float *query,
                         uint8_t *out)
{
    int8_t *b = (int8_t *)out;
    float scale = 0.0f;
    int64_t size = 0;
    mni_rows_encode(MNI_I8, query, rows->dim, b, &scale);
    for (uint32_t j = 0; j < rows->dim; j++) size += b[j] * b[j];
    v->rows = rows;
    v->pairs = mni_kern_code_best()->pairs;
    v->scale = scale;
    v->size = (float)((double)scale * scale * (double)size);
}

static inline uint32_t key_of(float distance)
{
    uint32_t bits;
    memcpy(&bits, &distance, sizeof bits);
    return bits & 0x80000000u ? ~bits : bits | 0x80000000u;
}

static inline float distance_of(uint32_t key)
{
    const uint32_t bits = key & 0x80000000u ? key & 0x7fffffffu : ~key;
    float distance;
    memcpy(&distance, &bits, sizeof distance);
    return distance;
}

/* 1 / |c|: the scale of a row of unit length is that already, but for what rounding did
 * to the row's length; two of Newton's steps see to it. */
static inline float over_length(float scale, float squares)
{
    const float near = scale * (1.5f - 0.5f * squares * scale * scale);
    return near * (1.5f - 0.5f * squares * near * near);
}

void mni_hnsw_rows_measure(const mni_hnsw_view *v, const uint8_t *query,
                           const uint32_t *nodes, size_t n, uint32_t *near)
{
    const mni_rows *rows = v->rows;
    uint32_t row[AT_A_TIME];
    int32_t sums[2 * AT_A_TIME];
    for (size_t at = 0; at < n; at += AT_A_TIME) {
        const size_t m = n - at < AT_A_TIME ? n - at : AT_A_TIME;
        for (size_t i = 0; i < m; i++) {
            row[i] = v->row_of[nodes[at + i]];
            if (row[i] >= rows->n) row[i] = 0;      /* a damaged file */
        }
        v->pairs((const int8_t *)query, rows->data, rows->dim, row, m, sums);
        for (size_t i = 0; i < m; i++) {
            const float s = rows->scale[row[i]], dot = v->scale * (float)sums[2 * i],
                        squares = (float)sums[2 * i + 1];
            float d = -s * dot;
            if (rows->metric == MANN_L2) d = v->size + s * (s * squares - 2 * dot);
            if (rows->metric == MANN_COSINE) d = 1 - dot * over_length(s, squares);
            near[at + i] = key_of(d == d ? d : INFINITY);
        }
    }
}

void mni_hnsw_rows_fetch(const mni_hnsw_view *v, const uint32_t *nodes, size_t n)
{
    const char *const at = v->rows->data;
    const size_t dim = v->rows->dim;
    for (size_t i = 0; i < n; i++) {
        const size_t row = v->row_of[nodes[i]];
        if (row >= v->rows->n) continue;
        for (size_t j = 0; j < dim; j += LINE) __builtin_prefetch(at + row * dim + j);
        __builtin_prefetch(at + row * dim + dim - 1);
        __builtin_prefetch(v->rows->scale + row);
    }
}

void mni_hnsw_rows_send_for(const mni_hnsw_view *v, const uint32_t *nodes, size_t n)
{
    const size_t dim = v->rows->dim;
    for (size_t i = 0; i < n; i++) mni_pages_send_for(v->row_of + nodes[i], 4);
    for (size_t i = 0; i < n; i++) {
        const size_t row = v->row_of[nodes[i]];
        if (row >= v->rows->n) continue;
        mni_pages_send_for((const char *)v->rows->data + row * dim, dim);
        mni_pages_send_for(v->rows->scale + row, 4);
    }
}

/* The query's rounding moves it by f / sqrt(12) along any direction, also along the one
 * between two rows; SURE deviations are allowed for, as in mni_hnsw_grid_reach. Rows at
 * inner products may lie any way apart: there all are measured. */
uint32_t mni_hnsw_rows_reach(const mni_hnsw_view *v, uint32_t key)
{
    const double SURE = 3.0, unit = v->rows->metric == MANN_COSINE ? 2 : 1,
                 d = distance_of(key) * unit,
                 root = sqrt(d > 0 ? d : 0) + SURE * sqrt(2.0 / 12.0) * v->scale;
    if (v->rows->metric == MANN_INNER || !(root * root < 3e38)) return UINT32_MAX;
    return key_of((float)(root * root / unit));
}
