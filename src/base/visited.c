/* visited.c - see visited.h. SPDX-License-Identifier: MIT */
#include "base/visited.h"

#include <string.h>

#include "base/mem.h"

int mni_visited_init(mni_visited *v, uint32_t n_rows)
{
    *v = (mni_visited){ .epoch = 1 };
    return mni_visited_grow(v, n_rows);
}

int mni_visited_grow(mni_visited *v, uint32_t n_rows)
{
    if (v->stamps && n_rows <= v->n_rows) return 1;
    uint16_t *stamps = mni_realloc(v->stamps, n_rows, sizeof *stamps);
    if (!stamps) return 0;
    memset(stamps + v->n_rows, 0, (size_t)(n_rows - v->n_rows) * sizeof *stamps);
    v->stamps = stamps;
    v->n_rows = n_rows;
    return 1;
}

void mni_visited_next(mni_visited *v)
{
    if (++v->epoch != 0) return;
    if (v->n_rows) memset(v->stamps, 0, (size_t)v->n_rows * sizeof *v->stamps);
    v->epoch = 1;
}

void mni_visited_fini(mni_visited *v)
{
    mni_free(v->stamps);
    *v = (mni_visited){ 0 };
}
