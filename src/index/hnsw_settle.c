/* hnsw_settle.c - rows become nodes, and a graph that was built becomes one to be
 * searched. SPDX-License-Identifier: MIT */
#include "index/hnsw.h"

#include "base/mem.h"
#include "os/huge.h"

/* --- rows become nodes -------------------------------------------------------------- */

mann_status mni_hnsw_refine(mni_hnsw *h, const mni_rows *rows, mni_pool *pool,
                            mann_error *err)
{
    if (h->bits == 8 || h->fine_codes) return MANN_OK;
    uint8_t *codes = mni_alloc_aligned(h->cap, h->fine.bytes, 0);
    if (!codes)
        return mni_fail(err, MANN_E_NOMEM, "hnsw: codes of %lu rows",
                        (unsigned long)h->cap);
    mni_huge_advise(codes, h->cap * h->fine.bytes);
    mann_status s = MANN_OK;
    if (h->fine.n_seen == 0 && h->n > 0)
        s = mni_hnsw_grid_learn(&h->fine, rows, err);
    if (s == MANN_OK && h->n > 0)
        s = mni_hnsw_grid_encode(&h->fine, rows, h->row_of, 0, h->n, codes, pool, err);
    if (s != MANN_OK) {
        mni_free(codes);
        return s;
    }
    h->fine_codes = codes;
    return MANN_OK;
}

/* Codes of nodes [first, n) by grid g; of all of them by a new grid, if g has seen less
 * than half of the rows. Nothing has changed on failure. */
static mann_status encode(mni_hnsw *h, mni_hnsw_grid *g, uint8_t *codes,
                          const mni_rows *rows, uint32_t first, uint32_t n,
                          mni_pool *pool, mann_error *err)
{
    mni_hnsw_grid fresh = *g;
    /* Rows that were all one have a grid without steps, which tells nothing apart: then
     * the newcomers and one of the old rows are what there is to learn from. */
    const int blind = g->n_seen > 0 && !(g->step > 0.0f) && first > 0;
    if (!blind && g->n_seen > 0 && g->n_seen >= n / 2)
        return mni_hnsw_grid_encode(g, rows, h->row_of, first, n, codes, pool, err);
    fresh.own_low = NULL;
    mni_rows seen = *rows;
    if (blind) {
        const size_t row_bytes = rows->dim * mni_dtype_bytes(rows->dtype);
        seen.data = (const char *)rows->data + (first - 1) * row_bytes;
        if (seen.scale) seen.scale += first - 1;
        seen.n = n - first + 1;
    }
    mann_status s = mni_hnsw_grid_learn(&fresh, &seen, err);
    fresh.n_seen = n;
    if (s == MANN_OK)
        s = mni_hnsw_grid_encode(&fresh, rows, h->row_of, 0, n, codes, pool, err);
    if (s != MANN_OK) {
        mni_free(fresh.own_low);
        return s;
    }
    mni_free(g->own_low);
    *g = fresh;
    return MANN_OK;
}

mann_status mni_hnsw_append(mni_hnsw *h, const mni_rows *rows, uint32_t first, uint32_t n,
                            mni_pool *pool, mann_error *err)
{
    if (first == n) return MANN_OK;
    MNI_TRY(mni_hnsw_refine(h, rows, pool, err));
    if (h->bits != 8)
        MNI_TRY(encode(h, &h->fine, h->fine_codes, rows, first, n, pool, err));
    if (h->bits == 0) return MANN_OK;
    return encode(h, &h->walk, h->codes, rows, first, n, pool, err);
}

/* --- a new order -------------------------------------------------------------------- */

typedef struct moving {
    const char *old;
    char *now;
    size_t item;
    const uint32_t *order;
} moving;

static void move_chunk(void *ctx, size_t begin, size_t end, size_t chunk)
{
    const moving *m = ctx;
    (void)chunk;
    for (size_t i = begin; i < end; i++) {
        if (i + 8 < end) __builtin_prefetch(m->old + m->order[i + 8] * m->item);
        memcpy(m->now + i * m->item, m->old + m->order[i] * m->item, m->item);
    }
}

static mann_status move_items(void **array, size_t item, const uint32_t *order,
                              uint32_t n, mni_pool *pool, mann_error *err)
{
    moving m = { *array, mni_alloc_aligned(n, item, 0), item, order };
    if (!m.now)
        return mni_fail(err, MANN_E_NOMEM, "hnsw: rows in another order");
    mni_huge_advise(m.now, n * item);
    mni_parallel_for(pool, n, 4096, move_chunk, &m);
    mni_free(*array);
    *array = m.now;
    return MANN_OK;
}

/* Links that name nodes get their new names. */
static void rename_links(mni_hnsw *h, const uint32_t *now_at)
{
    const size_t n_links = (size_t)h->n * h->m0;
    for (size_t i = 0; i < n_links; i++)
        if (h->links[i] < h->n) h->links[i] = now_at[h->links[i]];
    for (uint32_t l = 1; l <= h->n_levels; l++)
        for (uint32_t i = 0; i < h->level[l].n; i++)
            h->level[l].node[i] = now_at[h->level[l].node[i]];
    for (uint32_t i = 0; h->n_levels && i < h->level[1].n; i++)
        h->level[1].down[i] = h->level[1].node[i];
    if (h->n_levels == 0 && h->n) h->entry = now_at[h->entry];
}

static mann_status reorder(mni_hnsw *h, mni_pool *pool, mann_error *err)
{
    /* room for more stays in no array */
    uint32_t *order = mni_alloc(h->n, sizeof *order);
    uint32_t *now_at = mni_alloc(h->n, sizeof *now_at);
    mann_status s = order && now_at
                        ? mni_hnsw_order(h, order, err)
                        : mni_fail(err, MANN_E_NOMEM, "hnsw: another order of all rows");
    if (s == MANN_OK) s = move_items((void **)&h->links, h->m0 * sizeof *h->links, order,
                                     h->n, pool, err);
    if (s == MANN_OK) s = move_items((void **)&h->row_of, sizeof *h->row_of, order, h->n,
                                     pool, err);
    if (s == MANN_OK && h->bits)
        s = move_items((void **)&h->codes, h->walk.bytes, order, h->n, pool, err);
    if (s == MANN_OK) {
        for (uint32_t i = 0; i < h->n; i++) now_at[order[i]] = i;
        rename_links(h, now_at);
        h->cap = h->n;
    }
    mni_free(order);
    mni_free(now_at);
    return s;
}

mann_status mni_hnsw_settle(mni_hnsw *h, const mni_rows *rows, mni_pool *pool,
                            mann_error *err)
{
    mni_hnsw_reaching r;
    MNI_TRY(mni_hnsw_reach_ready(&r, h, err));
    mni_hnsw_reach(h, &r);
    mni_free(h->parent);
    mni_free(h->node_of);
    mni_free(h->fine_codes);
    h->parent = h->node_of = NULL;
    h->fine_codes = NULL;
    if (h->n > 0) MNI_TRY(reorder(h, pool, err));
    mni_hnsw_grid_fini(&h->fine);
    mni_hnsw_grid_init(&h->fine, rows, 8);
    return MANN_OK;
}
