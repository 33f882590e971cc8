/* hnsw_check.c - is the graph what it should be? Every number within its limit, every row
 * once, no link twice or to oneself, levels upon each other, codes those of the rows, and
 * no node that cannot be reached. SPDX-License-Identifier: MIT */
#include "index/hnsw.h"

#include <stdlib.h>

#include "base/mem.h"

static mann_status wrong(mann_error *err, const char *what, uint32_t level, uint32_t at)
{
    return mni_fail(err, MANN_E_FORMAT, "hnsw: %s (level %lu, %lu)", what,
                    (unsigned long)level, (unsigned long)at);
}

static mann_status check_links(const uint32_t *links, uint32_t n, uint32_t degree,
                               uint32_t level, mann_error *err)
{
    for (uint32_t slot = 0; slot < n; slot++) {
        const uint32_t *of = links + (size_t)slot * degree;
        const uint32_t d = mni_hnsw_degree(of, degree, n);
        for (uint32_t i = 0; i < degree; i++) {
            if (i >= d && of[i] != MNI_HNSW_NONE)
                return wrong(err, "a link leads nowhere", level, slot);
            for (uint32_t j = 0; j < i && i < d; j++)
                if (of[j] == of[i])
                    return wrong(err, "a link is there twice", level, slot);
            if (of[i] == slot) return wrong(err, "a link to itself", level, slot);
        }
    }
    return MANN_OK;
}

static mann_status check_levels(const mni_hnsw *h, mann_error *err)
{
    for (uint32_t l = 1; l <= h->n_levels; l++) {
        const mni_hnsw_level *v = &h->level[l], *below = &h->level[l - 1];
        const uint32_t n_below = l > 1 ? below->n : h->n;
        for (uint32_t i = 0; i < v->n; i++)
            if (v->node[i] >= h->n || v->down[i] >= n_below ||
                (l > 1 ? below->node[v->down[i]] : v->down[i]) != v->node[i])
                return wrong(err, "a row is not on the level below", l, i);
        MNI_TRY(check_links(v->links, v->n, h->m, l, err));
    }
    return MANN_OK;
}

static mann_status check_rows(const mni_hnsw *h, mann_error *err)
{
    uint8_t *seen = mni_alloc(h->n, 1);
    uint32_t bad = MNI_HNSW_NONE;
    if (!seen) return mni_fail(err, MANN_E_NOMEM, "hnsw: marks of all rows");
    for (uint32_t i = 0; i < h->n && bad == MNI_HNSW_NONE; i++)
        if (h->row_of[i] >= h->n || seen[h->row_of[i]]++) bad = i;
    mni_free(seen);
    return bad == MNI_HNSW_NONE ? MANN_OK : wrong(err, "a row is there twice", 0, bad);
}

static mann_status check_codes(const mni_hnsw *h, const mni_rows *rows, mann_error *err)
{
    const size_t n_bytes = h->n * h->walk.bytes;
    uint8_t *codes = mni_alloc(h->n, h->walk.bytes);
    if (!codes) return mni_fail(err, MANN_E_NOMEM, "hnsw: codes of all rows");
    mann_status s =
        mni_hnsw_grid_encode(&h->walk, rows, h->row_of, 0, h->n, codes, NULL, err);
    if (s == MANN_OK && memcmp(codes, h->codes, n_bytes) != 0)
        s = mni_fail(err, MANN_E_FORMAT, "hnsw: codes are not those of the rows");
    mni_free(codes);
    return s;
}

mann_status mni_hnsw_check(const mni_ann *a, const mni_rows *rows, mann_error *err)
{
    const mni_hnsw *h = (const mni_hnsw *)a;
    uint32_t n_lost;
    if (h->n != rows->n)
        return mni_fail(err, MANN_E_FORMAT, "hnsw: %lu nodes for %lu rows",
                        (unsigned long)h->n, (unsigned long)rows->n);
    if (h->n == 0) return MANN_OK;
    mni_hnsw_in_turn(h);
    MNI_TRY(check_links(h->links, h->n, h->m0, 0, err));
    MNI_TRY(check_levels(h, err));
    MNI_TRY(check_rows(h, err));
    if (h->bits) MNI_TRY(check_codes(h, rows, err));
    MNI_TRY(mni_hnsw_lost(h, &n_lost, err));
    if (n_lost > 0)
        return mni_fail(err, MANN_E_FORMAT, "hnsw: %lu rows cannot be reached",
                        (unsigned long)n_lost);
    return MANN_OK;
}
