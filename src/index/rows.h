/* rows.h - a view of stored vectors, and what "distance" means.
 *
 * distance: small is near. L2: squared Euclidean. INNER: -inner product. COSINE: 1 -
 * cosine, computed as |q - x|^2 / 2 of unit vectors: equal vectors are at exactly 0,
 * which 1 - q.x does not give. SPDX-License-Identifier: MIT */
#ifndef MNI_INDEX_ROWS_H
#define MNI_INDEX_ROWS_H

#include "base/dtype.h"
#include "base/status.h"

typedef struct mni_rows {
    const void *data;           /* n x dim of dtype, packed; borrowed (often mapped) */
    const float *scale;         /* MNI_I8: n factors (row = scale * codes); else NULL */
    uint32_t n, dim;
    mni_dtype dtype;            /* MNI_F32, MNI_F16, MNI_I8 */
    mann_metric metric;
} mni_rows;

/* Makes a vector fit to be stored or asked: refuses NaN, infinity and (cosine) zero;
 * cosine scales to unit length, and leaves a vector that is already within 1e-6 of it
 * untouched, so that preparing twice changes nothing. `what` names it in sentences ("row
 * 7", "query 3"). */
mann_status mni_rows_prepare(mann_metric metric, float *v, uint32_t dim, const char *what,
                             uint64_t number, mann_error *err);

/* Distances of a prepared query to rows [begin, end) into out[0 .. end - begin). Never
 * NaN: what a damaged file or an overflowing inner product makes of a row is +infinity.
 * The bits of one distance do not depend on begin and end. */
void mni_rows_scan(const mni_rows *r, const float *query, uint32_t begin, uint32_t end,
                   float *out);
/* The same for n_queries prepared queries (packed, dim apart): out is n_queries x (end -
 * begin). Rows are decoded once for all of them. The same bits as one by one. */
void mni_rows_scan_many(const mni_rows *r, const float *queries, size_t n_queries,
                        uint32_t begin, uint32_t end, float *out);
/* Asks for a row's bytes, to be measured soon. */
void  mni_rows_fetch(const mni_rows *r, uint32_t row);
/* Row as f32 (and, for cosine, brought back to unit length if the dtype rounded it). */
void  mni_rows_get(const mni_rows *r, uint32_t row, float *out);
/* Encodes one prepared vector for storage: dtype F32 copies, F16 rounds, I8 scales by its
 * largest magnitude (*scale out). */
void mni_rows_encode(mni_dtype dtype, const float *v, uint32_t dim, void *out,
                     float *scale);
/* The code that `v` is kept as, and v itself as it will be read (unit length for cosine).
 * Unlike encode it has fixed points only: what was read is kept as what it was read from.
 * room: twice the bytes of a code. scale: of int8, else it may be NULL. */
void mni_rows_settle(mann_metric metric, mni_dtype dtype, float *v, uint32_t dim,
                     void *code, float *scale, void *room);

/* Can this dtype hold the prepared vector? f16 ends at 65,504: MANN_E_LIMIT with a
 * sentence. */
mann_status mni_rows_storable(mni_dtype dtype, const float *v, uint32_t dim,
                              const char *what, uint64_t number, mann_error *err);
/* Deep check of all rows: finite, and of unit length for cosine; else MANN_E_FORMAT
 * naming the row. */
mann_status mni_rows_check(const mni_rows *r, mann_error *err);

/* score of a distance: higher is better; cosine is clamped to [-1, 1]. */
float mni_score(mann_metric metric, float distance);

#endif
