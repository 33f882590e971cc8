/* hnsw_grid.h - the grid on which vectors are rounded to codes (kern/kern_code.h).
 *
 * One step for all values and an offset for each, so that differences of codes are
 * differences of vectors: |q - x|^2 is about step^2 * sum (code_q - code_x)^2. For inner
 * products the offsets are such that the middle code means 0.
 * SPDX-License-Identifier: MIT */
#ifndef MNI_INDEX_HNSW_GRID_H
#define MNI_INDEX_HNSW_GRID_H

#include "index/rows.h"
#include "kern/kern_code.h"
#include "os/pool.h"

typedef struct mni_hnsw_grid {
    uint32_t dim, bits, top;    /* bits: 8 or 4; top: the largest code, at most 127 */
    uint32_t n_seen;            /* rows in the index when the grid was learnt */
    int inner;
    size_t bytes;               /* of a row's code */
    float step;                 /* 0: nothing was learnt; all codes are 0 */
    float noise;                /* rms of what rounding moves a value by, in steps */
    const float *low;           /* dim values: what code 0 stands for */
    float *own_low;             /* NULL: `low` is a view of a file */
} mni_hnsw_grid;

size_t      mni_hnsw_code_bytes(uint32_t dim, uint32_t bits);
/* Room needed for a coded query. */
static inline size_t mni_hnsw_query_bytes(const mni_hnsw_grid *g)
{
    return g->bytes * (g->bits == 4 ? 2 : 1);
}
/* A grid for such rows without offsets yet: learn or the file gives them. */
void        mni_hnsw_grid_init(mni_hnsw_grid *g, const mni_rows *rows, uint32_t bits);
/* The offsets and the step that lose least on rows drawn evenly from `rows`. */
mann_status mni_hnsw_grid_learn(mni_hnsw_grid *g, const mni_rows *rows, mann_error *err);
void        mni_hnsw_grid_fini(mni_hnsw_grid *g);
/* Codes of the rows row_of[first..n) (NULL: of rows first..n) into codes + node *
 * bytes. */
mann_status mni_hnsw_grid_encode(const mni_hnsw_grid *g, const mni_rows *rows,
                                 const uint32_t *row_of, uint32_t first, uint32_t n,
                                 uint8_t *codes, mni_pool *pool, mann_error *err);
/* The query for kern_code; returns the bias that makes distances comparable between
 * queries. */
uint32_t    mni_hnsw_grid_query(const mni_hnsw_grid *g, const float *query, uint8_t *out);
/* The same for a row that is coded already (8 bits). */
uint32_t    mni_hnsw_grid_node(const mni_hnsw_grid *g, const uint8_t *code, uint8_t *out);
/* How far codes may be off: of rows whose vectors are nearer than that of a row at code
 * distance d, nearly all are at code distances up to this. value: the query itself. */
uint32_t    mni_hnsw_grid_reach(const mni_hnsw_grid *g, const float *value,
                                const uint8_t *query, uint32_t d);
mni_code_fn mni_hnsw_grid_measure(const mni_hnsw_grid *g);

#endif
