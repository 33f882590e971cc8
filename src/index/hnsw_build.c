/* hnsw_build.c - putting rows into the graph, many at a time and always the same way.
 *
 * One row after the other is simple, but uses one core; many at once, as libraries do it,
 * gives another graph on every run. Here rows go in by batches:
 *
 *     1. every row of the batch searches the graph as it stood before, in parallel, and
 *        compares itself with its fellows of the batch exactly
 *     2. every row chooses its links among both (hnsw_link.c), in parallel
 *     3. the links back, as pairs (to, from), are sorted; each `to` takes its newcomers
 *        at once, in the order of `from`; different ones in parallel
 *
 * Nothing depends on who was first, so 1, 2 and 7 threads build the same bytes. A batch
 * is at most 1/64 of the rows that are in, and at most 1024: the graph that a row sees is
 * hardly older than if rows came singly, and because of the fellows a class whose rows
 * all stand in one batch is not missed.
 *
 * Distances are those of the 8-bit codes, also where 4-bit codes are walked later.
 * SPDX-License-Identifier: MIT */
#include "index/hnsw.h"

#include <stdlib.h>

#include "base/mem.h"
#include "base/rng.h"
#include "os/clock.h"
#include "os/huge.h"
#include "os/thread.h"

enum { SEARCH_GRAIN = 8, LINK_GRAIN = 32, BATCH_SHARE = 64 };

typedef struct pair { uint32_t to, from; } pair;

typedef struct building {
    mni_hnsw *h;
    mni_hnsw_walk *walk;        /* one a thread */
    uint8_t *taken;             /* which of them are in use */
    uint32_t n_walks;
    mni_mutex lock;
    uint32_t first, n, old_levels;  /* nodes [first, n) are the batch */
    uint32_t entry, level;
    uint32_t *slot;             /* of each row of the batch on its level 1 .. MAX */
    uint8_t *height;            /* levels above 0 of each row of the batch */
    pair *pairs;                /* of one level */
    uint32_t *group;            /* where in `pairs` each `to` begins */
    size_t n_groups;
} building;

/* --- scratch of threads ------------------------------------------------------------- */

static mni_hnsw_walk *take(building *b)
{
    uint32_t i = 0;
    mni_mutex_lock(&b->lock);
    while (b->taken[i]) i++;    /* never more chunks at a time than threads */
    b->taken[i] = 1;
    mni_mutex_unlock(&b->lock);
    return &b->walk[i];
}

static void give_back(building *b, const mni_hnsw_walk *w)
{
    mni_mutex_lock(&b->lock);
    b->taken[w - b->walk] = 0;
    mni_mutex_unlock(&b->lock);
}

static void end_building(building *b)
{
    for (uint32_t i = 0; b->walk && i < b->n_walks; i++) mni_hnsw_walk_fini(&b->walk[i]);
    mni_free(b->walk);
    mni_free(b->taken);
    mni_free(b->slot);
    mni_free(b->height);
    mni_free(b->pairs);
    mni_free(b->group);
    mni_mutex_fini(&b->lock);
}

static mann_status begin_building(building *b, mni_hnsw *h, mni_pool *pool,
                                  mann_error *err)
{
    const size_t most = (size_t)MNI_HNSW_BATCH * h->m0;
    *b = (building){ .h = h, .n_walks = mni_pool_threads(pool) };
    if (!mni_mutex_init(&b->lock))
        return mni_fail(err, MANN_E_NOMEM, "hnsw: lock of a building");
    b->walk = mni_alloc(b->n_walks, sizeof *b->walk);
    b->taken = mni_alloc(b->n_walks, 1);
    b->slot = mni_alloc((size_t)MNI_HNSW_BATCH * (MNI_HNSW_LEVELS + 1), sizeof *b->slot);
    b->height = mni_alloc(MNI_HNSW_BATCH, 1);
    b->pairs = mni_alloc(most, sizeof *b->pairs);
    b->group = mni_alloc(most + 1, sizeof *b->group);
    mann_status s = MANN_OK;
    if (!b->walk || !b->taken || !b->slot || !b->height || !b->pairs || !b->group)
        s = mni_fail(err, MANN_E_NOMEM, "hnsw: state of a batch");
    for (uint32_t i = 0; s == MANN_OK && i < b->n_walks; i++)
        s = mni_hnsw_walk_ready(&b->walk[i], h, h->build_ef, err);
    if (s != MANN_OK) end_building(b);
    return s;
}

/* --- room --------------------------------------------------------------------------- */

/* A larger block with the old content in front, on large pages; NULL when memory ends. */
static void *larger(const void *old, size_t old_bytes, size_t bytes)
{
    char *more = mni_alloc_aligned(bytes, 1, 0);
    if (!more) return NULL;
    mni_huge_advise(more, bytes);
    if (old_bytes) memcpy(more, old, old_bytes);
    return more;
}

static int grow(void **array, size_t item, uint32_t n, uint32_t cap)
{
    void *more = larger(*array, n * item, cap * item);
    if (!more) return 0;
    mni_free(*array);
    *array = more;
    return 1;
}

static int grow_level(mni_hnsw *h, mni_hnsw_level *l, uint32_t need)
{
    if (need <= l->cap) return 1;
    uint32_t cap = need + need / 4 + 16;
    if (!grow((void **)&l->node, sizeof *l->node, l->n, cap) ||
        !grow((void **)&l->down, sizeof *l->down, l->n, cap) ||
        !grow((void **)&l->links, h->m * sizeof *l->links, l->n, cap))
        return 0;
    l->cap = cap;
    return 1;
}

mann_status mni_hnsw_reserve(mni_hnsw *h, uint32_t n, mann_error *err)
{
    int ok = 1;
    if (n > h->cap) {
        const uint32_t cap = h->cap == 0 ? n : n + n / 4;
        ok = grow((void **)&h->links, h->m0 * sizeof *h->links, h->n, cap) &&
             grow((void **)&h->row_of, sizeof *h->row_of, h->n, cap) &&
             (!h->bits || grow((void **)&h->codes, h->walk.bytes, h->n, cap)) &&
             (!h->node_of || grow((void **)&h->node_of, sizeof *h->node_of, h->n, cap)) &&
             (!h->parent || grow((void **)&h->parent, sizeof *h->parent, h->n, cap)) &&
             (!h->fine_codes || grow((void **)&h->fine_codes, h->fine.bytes, h->n, cap));
        if (ok) h->cap = cap;
    }
    return ok ? MANN_OK
              : mni_fail(err, MANN_E_NOMEM, "hnsw: room for %lu rows", (unsigned long)n);
}

/* Levels above 0 of the row that is born as number `born`: each with chance 1/M, so that
 * a level has an M-th of the rows of the one below. A row that comes again is drawn anew:
 * if its number decided, replacing one row over and over would fill the top. */
static uint32_t height_of(const mni_hnsw *h, uint64_t born)
{
    mni_rng r = mni_rng_at(h->seed, MNI_FOR_HNSW, 0, 0, born);
    uint32_t height = 0;
    while (height < MNI_HNSW_LEVELS && mni_rng_below(&r, h->m > 1 ? h->m : 2) == 0)
        height++;
    return height;
}

/* Room on the upper levels for all rows to come, so that nothing fails half way. */
static mann_status reserve_levels(mni_hnsw *h, uint32_t first, uint32_t n,
                                  mann_error *err)
{
    uint32_t more[MNI_HNSW_LEVELS + 1] = { 0 };
    for (uint32_t i = first; i < n; i++) {
        const uint32_t height = height_of(h, h->born + (i - first));
        for (uint32_t l = 1; l <= height; l++) more[l]++;
    }
    for (uint32_t l = 1; l <= MNI_HNSW_LEVELS && more[l]; l++)
        if (!grow_level(h, &h->level[l], h->level[l].n + more[l]))
            return mni_fail(err, MANN_E_NOMEM, "hnsw: level %lu", (unsigned long)l);
    return MANN_OK;
}

/* --- a batch ------------------------------------------------------------------------ */

static uint32_t *slots_of(const building *b, uint32_t node)
{
    return b->slot + (size_t)(node - b->first) * (MNI_HNSW_LEVELS + 1);
}

/* Empty blocks of links for the rows of the batch, on all their levels. */
static void give_slots(building *b)
{
    mni_hnsw *h = b->h;
    memset(h->links + (size_t)b->first * h->m0, 0xff,
           (size_t)(b->n - b->first) * h->m0 * sizeof *h->links);
    for (uint32_t node = b->first; node < b->n; node++) {
        const uint32_t height = height_of(h, h->born++);
        uint32_t *slot = slots_of(b, node), below = node;
        b->height[node - b->first] = (uint8_t)height;
        for (uint32_t l = 1; l <= height; l++) {
            mni_hnsw_level *level = &h->level[l];
            slot[l] = level->n++;
            level->node[slot[l]] = node;
            level->down[slot[l]] = below;
            below = slot[l];
            memset(level->links + (size_t)slot[l] * h->m, 0xff,
                   h->m * sizeof *level->links);
        }
        if (h->parent) h->parent[node] = MNI_HNSW_NONE;
    }
}

/* The fellows of the batch that are on this level join the pool. */
static size_t add_fellows(const building *b, const mni_hnsw_view *v, mni_hnsw_walk *w,
                          uint32_t node, uint32_t level, size_t n)
{
    const size_t ef = b->h->build_ef;
    uint32_t *nodes = w->list, m = 0;
    for (uint32_t i = b->first; i < b->n; i++)
        if (i != node && b->height[i - b->first] >= level) nodes[m++] = i;
    v->measure(w->query, v->codes, v->bytes, nodes, m, w->near);
    for (uint32_t i = 0; i < m; i++) {
        const uint32_t slot = level ? slots_of(b, nodes[i])[level] : nodes[i];
        const uint64_t key = mni_hnsw_key(w->near[i] + v->bias, slot);
        if (n == ef && key >= w->pool[n - 1]) continue;
        size_t at = n < ef ? n++ : n - 1;
        for (; at > 0 && w->pool[at - 1] > key; at--) w->pool[at] = w->pool[at - 1];
        w->pool[at] = key;
    }
    return n;
}

static void link_row(const building *b, mni_hnsw_walk *w, uint32_t node)
{
    mni_hnsw *h = b->h;
    const uint32_t height = b->height[node - b->first];
    mni_hnsw_view v = mni_hnsw_view_of(h, 0, 1);
    const uint32_t bias =
        mni_hnsw_grid_node(v.grid, v.codes + (size_t)node * v.bytes, w->query);
    const int empty = b->first == 0;
    uint32_t at = b->entry;
    const uint32_t from = b->old_levels < height ? b->old_levels : height;
    v.bias = bias;
    if (!empty) at = mni_hnsw_descend(h, from, &v, w->query);
    for (uint32_t l = height + 1; l-- > 0; ) {
        uint32_t *links = l ? h->level[l].links + (size_t)slots_of(b, node)[l] * h->m
                            : h->links + (size_t)node * h->m0;
        size_t n = 0;
        v = mni_hnsw_view_of(h, l, 1);
        v.bias = bias;
        if (!empty && l <= b->old_levels) {
            n = mni_hnsw_beam(&v, w, w->query, at, h->build_ef);
            if (n && l) at = h->level[l].down[mni_hnsw_node(w->pool[0])];
        }
        n = add_fellows(b, &v, w, node, l, n);
        n = mni_hnsw_choose(&v, w, w->pool, n, v.degree, NULL, 0);
        memcpy(links, w->list, n * sizeof *links);
    }
}

static void link_chunk(void *ctx, size_t begin, size_t end, size_t chunk)
{
    building *b = ctx;
    mni_hnsw_walk *w = take(b);
    (void)chunk;
    for (size_t i = begin; i < end; i++) link_row(b, w, b->first + (uint32_t)i);
    give_back(b, w);
}

static int by_to(const void *a, const void *b)
{
    const pair *x = a, *y = b;
    if (x->to != y->to) return (x->to > y->to) - (x->to < y->to);
    return (x->from > y->from) - (x->from < y->from);
}

static void accept_chunk(void *ctx, size_t begin, size_t end, size_t chunk)
{
    building *b = ctx;
    mni_hnsw_walk *w = take(b);
    uint32_t from[MNI_HNSW_BATCH];
    (void)chunk;
    for (size_t g = begin; g < end; g++) {
        size_t n = 0;
        for (uint32_t i = b->group[g]; i < b->group[g + 1]; i++)
            from[n++] = b->pairs[i].from;
        mni_hnsw_accept(b->h, w, b->level, b->pairs[b->group[g]].to, from, n);
    }
    give_back(b, w);
}

/* The links back, on one level. */
static void link_back(building *b, uint32_t level, mni_pool *pool)
{
    const mni_hnsw *h = b->h;
    const uint32_t degree = level ? h->m : h->m0,
                   n_slots = level ? h->level[level].n : h->n;
    size_t n = 0;
    for (uint32_t node = b->first; node < b->n; node++) {
        if (b->height[node - b->first] < level) continue;
        const uint32_t from = level ? slots_of(b, node)[level] : node;
        const uint32_t *links = (level ? h->level[level].links : h->links) +
                                (size_t)from * degree;
        for (uint32_t i = 0; i < degree && links[i] < n_slots; i++)
            b->pairs[n++] = (pair){ links[i], from };
    }
    qsort(b->pairs, n, sizeof *b->pairs, by_to);
    b->n_groups = 0;
    for (size_t i = 0; i < n; i++)
        if (i == 0 || b->pairs[i].to != b->pairs[i - 1].to)
            b->group[b->n_groups++] = (uint32_t)i;
    b->group[b->n_groups] = (uint32_t)n;
    b->level = level;
    mni_parallel_for(pool, b->n_groups, LINK_GRAIN, accept_chunk, b);
}

static void insert_batch(building *b, mni_pool *pool)
{
    mni_hnsw *h = b->h;
    b->old_levels = h->n_levels;
    b->entry = h->entry;
    h->n = b->n;
    give_slots(b);
    mni_parallel_for(pool, b->n - b->first, SEARCH_GRAIN, link_chunk, b);
    uint32_t highest = 0;
    for (uint32_t i = 0; i < b->n - b->first; i++)
        if (b->height[i] > highest) highest = b->height[i];
    for (uint32_t l = 0; l <= highest; l++) link_back(b, l, pool);
    /* the first row that is higher than all before it is the new entry */
    for (uint32_t node = b->first; node < b->n; node++)
        if (b->height[node - b->first] > h->n_levels || node == 0) {
            h->n_levels = b->height[node - b->first];
            h->entry = h->n_levels ? slots_of(b, node)[h->n_levels] : node;
        }
    if (h->parent) mni_hnsw_adopt(h, &b->walk[0], b->first);
}

static mann_status tell(const mann_hooks *hooks, double start, uint32_t done,
                        uint32_t total, mann_error *err)
{
    const mann_progress p = { .task = "index", .done = done, .total = total,
                              .seconds = mni_clock_seconds() - start };
    if (!hooks || !hooks->progress || !hooks->progress(hooks->user, &p)) return MANN_OK;
    return mni_fail(err, MANN_E_CANCELLED, "hnsw: stopped at row %lu",
                    (unsigned long)done);
}

mann_status mni_hnsw_insert(mni_hnsw *h, uint32_t first, uint32_t n, mni_pool *pool,
                            const mann_hooks *hooks, mann_error *err)
{
    const double start = mni_clock_seconds();
    building b;
    if (first == n) return MANN_OK;
    MNI_TRY(reserve_levels(h, first, n, err));
    MNI_TRY(begin_building(&b, h, pool, err));
    mann_status s = MANN_OK;
    for (uint32_t at = first; at < n && s == MANN_OK; at = b.n) {
        uint32_t batch = at / BATCH_SHARE < 1 ? 1 : at / BATCH_SHARE;
        if (batch > MNI_HNSW_BATCH) batch = MNI_HNSW_BATCH;
        b.first = at;
        b.n = n - at < batch ? n : at + batch;
        insert_batch(&b, pool);
        s = tell(hooks, start, b.n - first, n - first, err);
    }
    end_building(&b);
    return s;
}

/* --- a whole graph ------------------------------------------------------------------ */

void mni_hnsw_free(mni_ann *a)
{
    mni_hnsw *h = (mni_hnsw *)a;
    if (!h) return;
    if (h->owned) {
        mni_free(h->links);
        mni_free(h->row_of);
        mni_free(h->codes);
        for (uint32_t l = 1; l <= MNI_HNSW_LEVELS; l++) {
            mni_free(h->level[l].node);
            mni_free(h->level[l].down);
            mni_free(h->level[l].links);
        }
    }
    mni_free(h->node_of);
    mni_free(h->parent);
    mni_free(h->fine_codes);
    mni_hnsw_grid_fini(&h->walk);
    mni_hnsw_grid_fini(&h->fine);
    mni_free(h);
}

mann_status mni_hnsw_new(mni_hnsw **out, const char *spec, const mni_rows *rows,
                         uint64_t seed, mann_error *err)
{
    mni_spec said;
    *out = NULL;
    MNI_TRY(mni_spec_parse(&said, spec, err));
    mni_hnsw *h = mni_alloc(1, sizeof *h);
    if (!h) return mni_fail(err, MANN_E_NOMEM, "hnsw: header");
    h->m = said.links;
    h->m0 = 2 * said.links;
    h->build_ef = said.build_ef > said.links ? said.build_ef : said.links;
    h->bits = mni_hnsw_bits(&said, rows);
    h->seed = seed;
    h->owned = 1;
    if (h->bits) mni_hnsw_grid_init(&h->walk, rows, h->bits);
    mni_hnsw_grid_init(&h->fine, rows, 8);
    *out = h;
    return MANN_OK;
}

mann_status mni_hnsw_build(mni_ann **out, const char *spec, const mni_ann_job *job,
                           mann_error *err)
{
    const mni_rows *rows = job->rows;
    mni_hnsw *h;
    MNI_TRY(mni_hnsw_new(&h, spec, rows, job->seed, err));
    mann_status s = mni_hnsw_reserve(h, rows->n, err);
    for (uint32_t i = 0; s == MANN_OK && i < rows->n; i++) h->row_of[i] = i;
    if (s == MANN_OK) s = mni_hnsw_append(h, rows, 0, rows->n, job->pool, err);
    if (s == MANN_OK) s = mni_hnsw_insert(h, 0, rows->n, job->pool, job->hooks, err);
    if (s == MANN_OK) s = mni_hnsw_settle(h, rows, job->pool, err);
    if (s != MANN_OK) {
        mni_hnsw_free(&h->base);
        return s;
    }
    *out = &h->base;
    return MANN_OK;
}
