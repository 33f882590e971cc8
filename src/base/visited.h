/* visited.h - "have I met this row?" for graph walks, without clearing between queries.
 *
 * Every row has a 16-bit stamp; a walk takes the next epoch number and marks rows with
 * it. Only when the numbers run out (every 65,535 walks) is the array cleared. (The idea
 * is hnswlib's visited list pool.) SPDX-License-Identifier: MIT */
#ifndef MNI_BASE_VISITED_H
#define MNI_BASE_VISITED_H

#include <stdint.h>

typedef struct mni_visited {
    uint16_t *stamps;
    uint32_t n_rows;
    uint16_t epoch;
} mni_visited;

int  mni_visited_init(mni_visited *v, uint32_t n_rows);      /* 0 when memory ends */
/* keeps marks; 0 when memory ends */
int  mni_visited_grow(mni_visited *v, uint32_t n_rows);
void mni_visited_next(mni_visited *v);                       /* forget all marks */
void mni_visited_fini(mni_visited *v);

/* Marks `row`; returns 1 if it was marked already. row < n_rows. */
static inline int mni_visited_mark(mni_visited *v, uint32_t row)
{
    if (v->stamps[row] == v->epoch) return 1;
    v->stamps[row] = v->epoch;
    return 0;
}

#endif
