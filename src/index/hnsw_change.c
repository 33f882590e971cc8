/* hnsw_change.c - rows come and go: in place (one writer), or in a copy (fold).
 * SPDX-License-Identifier: MIT */
#include "index/hnsw.h"

#include "base/mem.h"
#include "os/huge.h"

/* --- owning ------------------------------------------------------------------------- */

static int copy_array(void **out, const void *from, uint32_t n, uint32_t cap, size_t item)
{
    *out = mni_alloc_aligned(cap, item, 0);
    if (!*out) return 0;
    mni_huge_advise(*out, cap * item);
    if (n) memcpy(*out, from, n * item);
    return 1;
}

/* A graph of its own with room for cap rows. */
static mann_status copy_graph(mni_hnsw **out, const mni_hnsw *h, uint32_t cap,
                              mann_error *err)
{
    mni_hnsw *c = mni_memdup(h, sizeof *h);
    *out = NULL;
    mni_hnsw_in_turn(h);
    if (!c) return mni_fail(err, MANN_E_NOMEM, "hnsw: header");
    c->owned = 1;
    c->cap = cap;
    c->links = c->row_of = c->node_of = c->parent = NULL;
    c->codes = c->fine_codes = NULL;
    c->walk.own_low = c->fine.own_low = NULL;
    c->fine.low = NULL;
    c->fine.n_seen = 0;
    for (uint32_t l = 1; l <= MNI_HNSW_LEVELS; l++) c->level[l] = (mni_hnsw_level){ 0 };
    int ok =
        copy_array((void **)&c->links, h->links, h->n, cap, h->m0 * sizeof *h->links) &&
        copy_array((void **)&c->row_of, h->row_of, h->n, cap, sizeof *h->row_of) &&
        (!h->bits ||
         copy_array((void **)&c->codes, h->codes, h->n, cap, h->walk.bytes));
    if (ok && h->walk.low) {
        c->walk.low = c->walk.own_low =
            mni_memdup(h->walk.low, h->walk.dim * sizeof *h->walk.low);
        ok = c->walk.low != NULL;
    }
    for (uint32_t l = 1; l <= h->n_levels && ok; l++) {
        const mni_hnsw_level *v = &h->level[l];
        mni_hnsw_level *w = &c->level[l];
        ok = copy_array((void **)&w->node, v->node, v->n, v->n, sizeof *v->node) &&
             copy_array((void **)&w->down, v->down, v->n, v->n, sizeof *v->down) &&
             copy_array((void **)&w->links, v->links, v->n, v->n,
                        h->m * sizeof *v->links);
        w->n = w->cap = v->n;
    }
    if (!ok) {
        mni_hnsw_free(&c->base);
        return mni_fail(err, MANN_E_NOMEM, "hnsw: copy of %lu rows", (unsigned long)h->n);
    }
    *out = c;
    return MANN_OK;
}

/* A file is only looked at as it is walked; to be changed, all of it has to be sound. */
static int is_sound(const mni_hnsw *h)
{
    for (uint32_t l = 1; l <= h->n_levels; l++)
        for (uint32_t i = 0; i < h->level[l].n; i++)
            if (h->level[l].node[i] >= h->n ||
                h->level[l].down[i] >= (l > 1 ? h->level[l - 1].n : h->n))
                return 0;
    for (uint32_t i = 0; i < h->n; i++)
        if (h->row_of[i] >= h->n) return 0;
    return h->entry < (h->n_levels ? h->level[h->n_levels].n : h->n + (h->n == 0));
}

mann_status mni_hnsw_own(mni_ann *a, mann_error *err)
{
    mni_hnsw *h = (mni_hnsw *)a, *c;
    if (h->owned) return MANN_OK;
    if (!is_sound(h)) return mni_fail(err, MANN_E_FORMAT, "hnsw: damaged graph");
    MNI_TRY(copy_graph(&c, h, h->n, err));
    mni_hnsw_grid_fini(&h->walk);
    mni_hnsw_grid_fini(&h->fine);
    *h = *c;
    mni_free(c);
    return MANN_OK;
}

static mann_status need_node_of(mni_hnsw *h, mann_error *err)
{
    if (h->node_of) return MANN_OK;
    h->node_of = mni_alloc_aligned(h->cap + 1, sizeof *h->node_of, 0);
    if (!h->node_of) return mni_fail(err, MANN_E_NOMEM, "hnsw: numbers of rows");
    for (uint32_t i = 0; i < h->n; i++) h->node_of[h->row_of[i]] = i;
    return MANN_OK;
}

/* --- in place ----------------------------------------------------------------------- */

mann_status mni_hnsw_add(mni_ann *a, const mni_rows *rows, uint32_t first, mni_pool *pool,
                         mann_error *err)
{
    mni_hnsw *h = (mni_hnsw *)a;
    MNI_TRY(mni_hnsw_reserve(h, rows->n, err));
    if (!h->parent) {
        mni_hnsw_reaching r;
        MNI_TRY(mni_hnsw_refine(h, rows, pool, err));
        MNI_TRY(mni_hnsw_reach_ready(&r, h, err));
        mni_hnsw_reach(h, &r);
    }
    for (uint32_t i = first; i < rows->n; i++) h->row_of[i] = i;
    MNI_TRY(mni_hnsw_append(h, rows, first, rows->n, pool, err));
    MNI_TRY(mni_hnsw_insert(h, first, rows->n, pool, NULL, err));
    for (uint32_t i = first; i < rows->n && h->node_of; i++) h->node_of[i] = i;
    return MANN_OK;
}

/* Which nodes go, and the rows that the others have afterwards. */
static void renumber_rows(uint32_t *node_of, uint32_t *row_of, uint32_t n_rows,
                          const uint32_t *gone, size_t n, uint64_t *dead)
{
    for (size_t i = 0; i < n; i++) {
        const uint32_t node = node_of[gone[i]], last = --n_rows;
        dead[node / 64] |= (uint64_t)1 << (node % 64);
        node_of[gone[i]] = node_of[last];
        row_of[node_of[gone[i]]] = gone[i];
    }
}

mann_status mni_hnsw_remove(mni_ann *a, const mni_rows *rows, const uint32_t *gone,
                            size_t n, mni_pool *pool, mann_error *err)
{
    mni_hnsw *h = (mni_hnsw *)a;
    mni_hnsw_reaching r = { 0 };
    if (n == 0) return MANN_OK;
    MNI_TRY(need_node_of(h, err));
    MNI_TRY(mni_hnsw_refine(h, rows, pool, err));
    MNI_TRY(mni_hnsw_reach_ready(&r, h, err));
    uint64_t *dead = mni_alloc((size_t)h->n / 64 + 1, sizeof *dead);
    uint32_t *old_rows = mni_memdup(h->row_of, h->n * sizeof *old_rows);
    mann_status s = dead && old_rows
                        ? MANN_OK
                        : mni_fail(err, MANN_E_NOMEM, "hnsw: marks of removed rows");
    if (s == MANN_OK) {
        renumber_rows(h->node_of, h->row_of, h->n, gone, n, dead);
        s = mni_hnsw_cut(h, dead, (uint32_t)n, pool, err);
        if (s != MANN_OK) memcpy(h->row_of, old_rows, h->n * sizeof *old_rows);
        for (uint32_t i = 0; i < h->n; i++) h->node_of[h->row_of[i]] = i;
    }
    if (s == MANN_OK)
        mni_hnsw_reach(h, &r);
    else
        mni_hnsw_reach_fini(&r);
    mni_free(dead);
    mni_free(old_rows);
    return s;
}

/* --- into a copy -------------------------------------------------------------------- */

/* The copy without the rows that `from` does not name, and with row numbers of the new
 * order; the nodes behind get the new rows. */
static mann_status take_over(mni_hnsw *c, const mni_rows *rows, const uint32_t *from,
                             mni_pool *pool, mann_error *err)
{
    const uint32_t n_old = c->n;
    uint32_t n_dead = n_old, at;
    uint32_t *now = mni_alloc_aligned((size_t)n_old + 1, sizeof *now, 0);
    uint64_t *dead = mni_alloc((size_t)n_old / 64 + 1, sizeof *dead);
    mann_status s = now && dead ? MANN_OK
                                : mni_fail(err, MANN_E_NOMEM, "hnsw: new row numbers");
    if (s == MANN_OK) {
        memset(now, 0xff, ((size_t)n_old + 1) * sizeof *now);
        for (uint32_t i = 0; i < rows->n; i++)
            if (from[i] != MNI_NEW_ROW) {
                now[from[i]] = i;
                n_dead--;
            }
        for (uint32_t node = 0; node < n_old; node++) {
            const uint32_t row = now[c->row_of[node]];
            c->row_of[node] = row == MNI_NEW_ROW ? 0 : row;
            if (row == MNI_NEW_ROW) dead[node / 64] |= (uint64_t)1 << (node % 64);
        }
        s = mni_hnsw_refine(c, rows, pool, err);
    }
    if (s == MANN_OK) s = mni_hnsw_cut(c, dead, n_dead, pool, err);
    at = c->n;
    for (uint32_t i = 0; s == MANN_OK && i < rows->n; i++)
        if (from[i] == MNI_NEW_ROW) c->row_of[at++] = i;
    mni_free(now);
    mni_free(dead);
    return s;
}

/* Where more is new or gone than stays, building afresh is no dearer and gives the better
 * graph. */
static int is_worth_it(const mni_hnsw *h, const mni_rows *rows, const uint32_t *from)
{
    uint32_t kept = 0;
    for (uint32_t i = 0; i < rows->n; i++) kept += from[i] != MNI_NEW_ROW;
    return kept > 0 && kept >= h->n / 2 && kept >= rows->n / 2;
}

mann_status mni_hnsw_fold(mni_ann **out, const mni_ann *old, const mni_ann_job *job,
                          const uint32_t *from, mann_error *err)
{
    const mni_hnsw *h = (const mni_hnsw *)old;
    const mni_rows *rows = job->rows;
    mni_hnsw *c;
    if (!h->owned && !is_sound(h))
        return mni_fail(err, MANN_E_FORMAT, "hnsw: damaged graph");
    if (!is_worth_it(h, rows, from)) return mni_hnsw_build(out, old->spec, job, err);
    MNI_TRY(copy_graph(&c, h, rows->n > h->n ? rows->n : h->n, err));
    mann_status s = take_over(c, rows, from, job->pool, err);
    const uint32_t kept = c->n;
    if (s == MANN_OK) s = mni_hnsw_append(c, rows, kept, rows->n, job->pool, err);
    if (s == MANN_OK)
        s = mni_hnsw_insert(c, kept, rows->n, job->pool, job->hooks, err);
    if (s == MANN_OK) s = mni_hnsw_settle(c, rows, job->pool, err);
    if (s != MANN_OK) {
        mni_hnsw_free(&c->base);
        return s;
    }
    *out = &c->base;
    return MANN_OK;
}
