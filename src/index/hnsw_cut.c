/* hnsw_cut.c - taking rows out of the graph.
 *
 * Where a row goes, the ways that led over it are closed by its neighbours: whoever had a
 * link to it chooses its links anew, among those it still has and those that the row had
 * (Singh and others, "FreshDiskANN", 2021, Alg. 4). If those are gone as well, among
 * theirs, and so on for some steps. So the degree stays what it is meant to be, however
 * often rows come and go.
 *
 *     a --> x --> b          a --------> b
 *           |          =>     \
 *           v                  \
 *           c                   `------> c
 *
 * Then the last nodes move into the gaps. Only nodes that stay are written and only nodes
 * that go are read, so the order of work does not matter and threads may share it.
 * SPDX-License-Identifier: MIT */
#include "index/hnsw.h"

#include <stdlib.h>

#include "base/mem.h"
#include "os/thread.h"

enum { GRAIN = 512, STEPS = 64 };

typedef struct cutting {
    mni_hnsw *h;
    uint32_t level, n;          /* slots of this level */
    const uint64_t *dead;       /* by slot */
    mni_hnsw_walk *walk;
    uint8_t *taken;
    mni_mutex lock;
} cutting;

static int has_bit(const uint64_t *bits, uint32_t i)
{
    return (int)(bits[i / 64] >> (i % 64) & 1);
}

static uint32_t *links_of(const mni_hnsw *h, uint32_t level)
{
    return level ? h->level[level].links : h->links;
}

static int is_in(const uint32_t *list, size_t n, uint32_t value)
{
    for (size_t i = 0; i < n; i++)
        if (list[i] == value) return 1;
    return 0;
}

/* `slot` has lost neighbours: its new ones. */
static void repair(const cutting *c, mni_hnsw_walk *w, uint32_t slot)
{
    const uint32_t degree = c->level ? c->h->m : c->h->m0;
    uint32_t found[4 * MNI_MAX_LINKS + MNI_HNSW_BATCH], gone[STEPS];
    size_t n = 0, n_gone = 0, most = 4 * (size_t)degree + MNI_HNSW_BATCH;
    const uint32_t *links = links_of(c->h, c->level) + (size_t)slot * degree;
    for (size_t at = 0; at <= n_gone; at++) {
        for (uint32_t i = 0; i < degree && links[i] < c->n && n < most; i++) {
            const uint32_t to = links[i];
            if (to == slot) continue;
            if (!has_bit(c->dead, to)) {
                if (!is_in(found, n, to)) found[n++] = to;
            } else if (n_gone < STEPS && !is_in(gone, n_gone, to)) {
                gone[n_gone++] = to;
            }
        }
        if (at < n_gone) links = links_of(c->h, c->level) + (size_t)gone[at] * degree;
    }
    mni_hnsw_relink(c->h, w, c->level, slot, found, n);
}

static void repair_chunk(void *ctx, size_t begin, size_t end, size_t chunk)
{
    cutting *c = ctx;
    const uint32_t degree = c->level ? c->h->m : c->h->m0;
    uint32_t mine = 0;
    (void)chunk;
    mni_mutex_lock(&c->lock);
    while (c->taken[mine]) mine++;
    c->taken[mine] = 1;
    mni_mutex_unlock(&c->lock);
    for (size_t slot = begin; slot < end; slot++) {
        const uint32_t *links = links_of(c->h, c->level) + slot * degree;
        int lost = 0;
        if (has_bit(c->dead, (uint32_t)slot)) continue;
        for (uint32_t i = 0; i < degree && links[i] < c->n && !lost; i++)
            lost = has_bit(c->dead, links[i]);
        if (lost) repair(c, &c->walk[mine], (uint32_t)slot);
    }
    mni_mutex_lock(&c->lock);
    c->taken[mine] = 0;
    mni_mutex_unlock(&c->lock);
}

/* Where each of n goes when the last of those that stay fill the gaps: to[old] = new. */
static uint32_t close_gaps(const uint64_t *dead, uint32_t n, uint32_t *to)
{
    uint32_t end = n, gap = 0;
    for (uint32_t i = 0; i < n; i++) to[i] = has_bit(dead, i) ? MNI_HNSW_NONE : i;
    for (;; gap++) {
        while (gap < end && !has_bit(dead, gap)) gap++;
        while (end > gap && has_bit(dead, end - 1)) end--;
        if (gap >= end) return end;
        to[--end] = gap;
    }
}

static void rename_all(uint32_t *links, uint32_t n, uint32_t degree, uint32_t n_old,
                       const uint32_t *to)
{
    for (size_t i = 0; i < (size_t)n * degree; i++)
        if (links[i] < n_old) links[i] = to[links[i]];
}

static void move(void *array, size_t item, const uint32_t *to, uint32_t first, uint32_t n)
{
    for (uint32_t i = first; array && i < n; i++)
        if (to[i] < i)
            memcpy((char *)array + to[i] * item, (char *)array + i * item, item);
}

/* One upper level. `to_below` are the new numbers of what `down` names. */
static void cut_level(cutting *c, uint32_t l, const uint32_t *to_node,
                      const uint32_t *to_below, uint64_t *dead, uint32_t *to,
                      mni_pool *pool)
{
    mni_hnsw *h = c->h;
    mni_hnsw_level *v = &h->level[l];
    memset(dead, 0, ((size_t)v->n + 63) / 64 * sizeof *dead);
    for (uint32_t i = 0; i < v->n; i++)
        if (to_node[v->node[i]] == MNI_HNSW_NONE) dead[i / 64] |= (uint64_t)1 << (i % 64);
    c->level = l;
    c->n = v->n;
    c->dead = dead;
    mni_parallel_for(pool, v->n, GRAIN, repair_chunk, c);
    const uint32_t n = close_gaps(dead, v->n, to);
    for (uint32_t i = 0; i < v->n; i++)
        if (!has_bit(dead, i)) v->down[i] = to_below[v->down[i]];
    move(v->node, sizeof *v->node, to, n, v->n);
    move(v->down, sizeof *v->down, to, n, v->n);
    move(v->links, h->m * sizeof *v->links, to, n, v->n);
    rename_all(v->links, n, h->m, v->n, to);
    v->n = n;
}

/* The entry stays if it lives; else the first slot of the highest level that has one. */
static void choose_entry(mni_hnsw *h, const uint32_t *to_top)
{
    h->entry = h->entry == MNI_HNSW_NONE ? MNI_HNSW_NONE : to_top[h->entry];
    while (h->n_levels > 0 && h->level[h->n_levels].n == 0) {
        h->n_levels--;
        h->entry = MNI_HNSW_NONE;
    }
    if (h->entry == MNI_HNSW_NONE) h->entry = 0;
}

static void cut_nodes(cutting *c, const uint64_t *dead, uint32_t *to[3], uint64_t *bits,
                      mni_pool *pool)
{
    mni_hnsw *h = c->h;
    uint32_t *node = to[0], *below = to[0], *spare = to[1];
    const uint32_t n_old = h->n;
    c->level = 0;
    c->n = h->n;
    c->dead = dead;
    mni_parallel_for(pool, h->n, GRAIN, repair_chunk, c);
    const uint32_t n = close_gaps(dead, h->n, node);
    for (uint32_t l = 1; l <= h->n_levels; l++) {
        cut_level(c, l, node, below, bits, spare, pool);
        below = spare;
        spare = below == to[1] ? to[2] : to[1];
    }
    choose_entry(h, below);
    for (uint32_t l = 1; l <= h->n_levels; l++)
        for (uint32_t i = 0; i < h->level[l].n; i++)
            h->level[l].node[i] = node[h->level[l].node[i]];
    move(h->links, h->m0 * sizeof *h->links, node, n, n_old);
    move(h->row_of, sizeof *h->row_of, node, n, n_old);
    move(h->codes, h->walk.bytes, node, n, n_old);
    move(h->fine_codes, h->fine.bytes, node, n, n_old);
    rename_all(h->links, n, h->m0, n_old, node);
    h->n = n;
}

mann_status mni_hnsw_cut(mni_hnsw *h, const uint64_t *dead, uint32_t n_dead,
                         mni_pool *pool, mann_error *err)
{
    const uint32_t n_walks = mni_pool_threads(pool),
                   n_upper = h->n_levels ? h->level[1].n : 0;
    cutting c = { .h = h };
    if (n_dead == 0) return MANN_OK;
    if (!mni_mutex_init(&c.lock)) return mni_fail(err, MANN_E_NOMEM, "hnsw: lock");
    uint32_t *to[3] = { mni_alloc(h->n, sizeof **to), mni_alloc(n_upper, sizeof **to),
                        mni_alloc(n_upper, sizeof **to) };
    uint64_t *bits = mni_alloc((size_t)n_upper / 64 + 1, sizeof *bits);
    mann_status s = MANN_OK;
    c.walk = mni_alloc(n_walks, sizeof *c.walk);
    c.taken = mni_alloc(n_walks, 1);
    if (!to[0] || !to[1] || !to[2] || !bits || !c.walk || !c.taken)
        s = mni_fail(err, MANN_E_NOMEM, "hnsw: new numbers of all rows");
    for (uint32_t i = 0; s == MANN_OK && i < n_walks; i++)
        s = mni_hnsw_walk_ready(&c.walk[i], h, h->build_ef, err);
    if (s == MANN_OK) {
        mni_free(h->parent);    /* the tree has lost nodes */
        h->parent = NULL;
        cut_nodes(&c, dead, to, bits, pool);
    }
    for (uint32_t i = 0; c.walk && i < n_walks; i++) mni_hnsw_walk_fini(&c.walk[i]);
    for (int i = 0; i < 3; i++) mni_free(to[i]);
    mni_free(bits);
    mni_free(c.walk);
    mni_free(c.taken);
    mni_mutex_fini(&c.lock);
    return s;
}
