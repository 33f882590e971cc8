/* hnsw_search.c - the walk: from the top level down to level 0, then outward from the
 * best node until nothing nearer turns up.
 *
 *     pool     | 12 * | 15 * | 19 | 22 * | 30 | ... | 71 |      sorted, at most ef
 *                             ^ cursor: the nearest that was not expanded (*) yet
 *
 * One sorted array with a cursor does what Malkov and Yashunin (2018, Alg. 2) do with two
 * heaps: what would be taken from the heap of candidates is the entry at the cursor, and
 * what the heap of results would drop falls off the end. When the cursor reaches the end,
 * every node of the pool has been expanded, and the walk is over.
 *
 * The walk spends its time waiting for memory, so what counts is how many lines are asked
 * for at once. Hence not one node is expanded at a time, but the AT_ONCE nearest: their
 * links are gone over, those met before are filtered out, the codes of all others are
 * sent for, and then measured in one go. What is found next could have come earlier that
 * way, but a third of the steps have to wait (and recall at the same ef is a little
 * higher: HNSW.md has the counts).
 *
 * The walk sees codes, not vectors. How far codes may be off is known (hnsw_grid.h):
 * nodes that may be among the k nearest are measured exactly, and that decides what is
 * answered and in which order. SPDX-License-Identifier: MIT */
#include "index/hnsw.h"

#include <math.h>

#include "base/mem.h"
#include "os/clock.h"
#include "os/pages.h"

enum {
    PER_LINE = 16,              /* links in a cache line */
    AT_ONCE = 3,                /* nodes that are expanded together */
    ROWS_AHEAD = 8              /* vectors on their way while one is measured */
};

/* --- scratch ------------------------------------------------------------------------ */

void mni_hnsw_walk_fini(mni_hnsw_walk *w)
{
    mni_visited_fini(&w->seen);
    mni_free(w->pool);
    mni_free(w->heap);
    mni_free(w->query);
    mni_free(w->pick);
    mni_free(w->list);
    mni_free(w->near);
    *w = (mni_hnsw_walk){ 0 };
}

static int room(void **array, size_t *cap, size_t need, size_t item)
{
    if (need <= *cap) return 1;
    void *more = mni_alloc_aligned(need, item, 0);
    if (!more) return 0;
    mni_free(*array);
    *array = more;
    *cap = need;
    return 1;
}

mann_status mni_hnsw_walk_ready(mni_hnsw_walk *w, const mni_hnsw *h, size_t ef,
                                mann_error *err)
{
    const size_t code = h->walk.bytes > h->fine.bytes ? h->walk.bytes : h->fine.bytes,
                 wide = 2 * code, list = 4 * (size_t)h->m0 + MNI_HNSW_BATCH;
    int ok = w->seen.stamps || mni_visited_init(&w->seen, h->cap + 1);
    ok = ok && mni_visited_grow(&w->seen, h->cap + 1);
    ok = ok && room((void **)&w->pool, &w->pool_cap, ef + 1, sizeof *w->pool) &&
         room((void **)&w->query, &w->query_cap, wide + 64, 1) &&
         room((void **)&w->pick, &w->pick_cap, ef + list, sizeof *w->pick);
    if (ok && list > w->list_cap) {
        size_t cap = w->list_cap;
        ok = room((void **)&w->near, &cap, list, sizeof *w->near) &&
             room((void **)&w->list, &w->list_cap, list, sizeof *w->list);
    }
    return ok ? MANN_OK : mni_fail(err, MANN_E_NOMEM, "hnsw: scratch of a walk");
}

static void release_part(void *part)
{
    mni_hnsw_walk_fini(part);
    mni_free(part);
}

static mann_status walk_of(mni_scratch *s, mni_hnsw_walk **out, mann_error *err)
{
    if (s->release != release_part) {
        if (s->release) s->release(s->part);
        s->release = NULL;
        s->part = mni_alloc(1, sizeof(mni_hnsw_walk));
        if (!s->part) return mni_fail(err, MANN_E_NOMEM, "hnsw: scratch of a walk");
        s->release = release_part;
    }
    *out = s->part;
    return MANN_OK;
}

/* --- views -------------------------------------------------------------------------- */

static void go_to(mni_hnsw_view *v, const mni_hnsw *h, uint32_t level)
{
    v->links = h->level[level].links;
    v->node = h->level[level].node;
    v->n = h->level[level].n;
    v->degree = h->m;
}

mni_hnsw_view mni_hnsw_view_of(const mni_hnsw *h, uint32_t level, int fine)
{
    const mni_hnsw_grid *g = fine && h->bits != 8 ? &h->fine : &h->walk;
    mni_hnsw_view v = { .links = h->links, .n = h->n, .degree = h->m0, .n_nodes = h->n,
                        .codes = g == &h->fine ? h->fine_codes : h->codes,
                        .bytes = g->bytes, .grid = g,
                        .measure = mni_hnsw_grid_measure(g), .row_of = h->row_of };
    if (level > 0) go_to(&v, h, level);
    return v;
}

/* Distances of nodes[0..n) as codes (or stored bytes) have them. */
static inline void measure(const mni_hnsw_view *v, const uint8_t *query,
                           const uint32_t *nodes, size_t n, uint32_t *near)
{
    if (v->rows) mni_hnsw_rows_measure(v, query, nodes, n, near);
    else v->measure(query, v->codes, v->bytes, nodes, n, near);
}

static inline uint32_t node_at(const mni_hnsw_view *v, uint32_t slot)
{
    return v->node ? v->node[slot] : slot;
}

/* --- from the disk ------------------------------------------------------------------ */

/* Asked once a step. In memory one takes microseconds, a page from a disk 50 and more. */
static int is_slow(const mni_hnsw_view *v)
{
    const double PATIENCE = 100e-6;
    mni_hnsw_pace *p = v->pace;
    if (!p || p->slow) return p != NULL;
    const double now = mni_clock_seconds();
    p->slow = now - p->since > PATIENCE;
    p->since = now;
    return p->slow;
}

static void send_for_links(const mni_hnsw_view *v, const uint32_t *slots, size_t n)
{
    const size_t bytes = v->degree * sizeof *v->links;
    for (size_t i = 0; i < n; i++)
        mni_pages_send_for(v->links + (size_t)slots[i] * v->degree, bytes);
}

static void send_for_codes(const mni_hnsw_view *v, const uint32_t *nodes, size_t n)
{
    if (v->rows) mni_hnsw_rows_send_for(v, nodes, n);
    for (size_t i = 0; !v->rows && i < n; i++)
        mni_pages_send_for(v->codes + nodes[i] * v->bytes, v->bytes);
}

/* --- down --------------------------------------------------------------------------- */

/* Steps to the nearest neighbour while that is nearer. */
static uint32_t greedy(const mni_hnsw_view *v, const uint8_t *query, uint32_t slot)
{
    uint32_t nodes[MNI_MAX_LINKS], slots[MNI_MAX_LINKS], near[MNI_MAX_LINKS], best;
    nodes[0] = v->node[slot];
    if (nodes[0] >= v->n_nodes) return slot;
    measure(v, query, nodes, 1, &best);
    best += v->bias;
    for (;;) {
        const uint32_t *links = v->links + (size_t)slot * v->degree, from = slot;
        uint32_t n = 0;
        for (uint32_t i = 0; i < v->degree && links[i] < v->n; i++) {
            slots[n] = links[i];
            nodes[n] = v->node[links[i]];
            n += nodes[n] < v->n_nodes;
        }
        if (is_slow(v)) send_for_codes(v, nodes, n);
        measure(v, query, nodes, n, near);
        for (uint32_t i = 0; i < n; i++)
            if (near[i] + v->bias < best) {
                best = near[i] + v->bias;
                slot = slots[i];
            }
        if (slot == from) return slot;
    }
}

uint32_t mni_hnsw_descend(const mni_hnsw *h, uint32_t level, const mni_hnsw_view *any,
                          const uint8_t *query)
{
    mni_hnsw_view v = *any;
    uint32_t slot = h->entry;
    for (uint32_t l = h->n_levels; l > level; l--) {
        go_to(&v, h, l);
        if (slot >= v.n) slot = 0;      /* a damaged file */
        if (v.n) slot = h->level[l].down[greedy(&v, query, slot)];
    }
    return slot;
}

/* --- outward ------------------------------------------------------------------------ */

/* Where `key` belongs among n sorted keys. */
static inline size_t place_of(const uint64_t *pool, size_t n, uint64_t key)
{
    size_t low = 0;
    while (n > 0) {
        const size_t half = n / 2;
        const int right = pool[low + half] < key;
        low += right ? half + 1 : 0;
        n = right ? n - half - 1 : half;
    }
    return low;
}

/* The links of `slot` that this walk has not met, as slots and nodes; their codes are on
 * the way. */
static inline size_t unmet(const mni_hnsw_view *v, mni_visited *seen, uint32_t slot,
                           uint32_t *slots, uint32_t *nodes)
{
    const uint32_t *links = v->links + (size_t)slot * v->degree;
    const uint16_t epoch = seen->epoch;
    size_t n = 0;
    for (uint32_t i = 0; i < v->degree; i++) {
        const uint32_t to = links[i];
        if (to >= v->n) break;          /* NONE, or a damaged file */
        slots[n] = to;
        n += seen->stamps[to] != epoch;
        seen->stamps[to] = epoch;
    }
    if (!v->node) return n;
    size_t kept = 0;
    for (size_t i = 0; i < n; i++) {
        slots[kept] = slots[i];
        nodes[kept] = v->node[slots[i]];
        kept += nodes[kept] < v->n_nodes;
    }
    return kept;
}

static inline void fetch_codes(const mni_hnsw_view *v, const uint32_t *nodes, size_t n)
{
    if (v->rows) {
        mni_hnsw_rows_fetch(v, nodes, n);
        return;
    }
    for (size_t i = 0; i < n; i++)
        for (size_t j = 0; j < v->bytes; j += 64)
            __builtin_prefetch(v->codes + nodes[i] * v->bytes + j);
}

static inline void fetch_links(const mni_hnsw_view *v, uint32_t slot)
{
    const uint32_t *links = v->links + (size_t)slot * v->degree;
    for (uint32_t i = 0; i < v->degree; i += PER_LINE) __builtin_prefetch(links + i);
}

/* Takes a key into the sorted pool of at most ef; its place, or ef if it is too far. */
static inline size_t pool_take(uint64_t *pool, size_t *n, size_t ef, uint64_t key)
{
    if (*n == ef && key >= pool[ef - 1]) return ef;
    const size_t at = place_of(pool, *n, key);
    if (*n < ef) ++*n;
    memmove(pool + at + 1, pool + at, (*n - 1 - at) * sizeof *pool);
    pool[at] = key;
    return at;
}

/* What is met from the AT_ONCE nearest of the pool that are not expanded yet, from
 * *cursor on; how many. Their codes are on the way, and so are the links of those that
 * are next in turn. */
static inline size_t expand(const mni_hnsw_view *v, mni_hnsw_walk *w, size_t n,
                            size_t *cursor, uint32_t *slots, uint32_t *others)
{
    uint64_t *pool = w->pool;
    size_t met = 0, at = *cursor;
    for (int i = 0; i < AT_ONCE && at < n; i++) {
        const uint32_t slot = mni_hnsw_node(pool[at]);
        pool[at] |= 1;
        const size_t more = unmet(v, &w->seen, slot, slots + met, others + met);
        fetch_codes(v, (v->node ? others : slots) + met, more);
        met += more;
        while (at < n && pool[at] & 1) at++;
    }
    *cursor = at;
    uint32_t next[AT_ONCE];
    size_t n_next = 0;
    for (; at < n && n_next < AT_ONCE; at++)
        if (!(pool[at] & 1)) {
            fetch_links(v, mni_hnsw_node(pool[at]));
            next[n_next++] = mni_hnsw_node(pool[at]);
        }
    if (is_slow(v)) {
        send_for_links(v, next, n_next);
        send_for_codes(v, v->node ? others : slots, met);
    }
    return met;
}

size_t mni_hnsw_beam(const mni_hnsw_view *v, mni_hnsw_walk *w, const uint8_t *query,
                     uint32_t start, size_t ef)
{
    enum { MOST = AT_ONCE * 2 * MNI_MAX_LINKS };
    uint32_t slots[MOST], others[MOST], near[MOST];
    uint32_t *nodes = v->node ? others : slots;
    size_t n = 1, cursor = 0;
    mni_visited_next(&w->seen);
    mni_visited_mark(&w->seen, start);
    nodes[0] = node_at(v, start);
    if (nodes[0] >= v->n_nodes) return 0;
    measure(v, query, nodes, 1, near);
    w->pool[0] = mni_hnsw_key(near[0] + v->bias, start);
    while (cursor < n) {
        const size_t met = expand(v, w, n, &cursor, slots, others);
        measure(v, query, nodes, met, near);
        for (size_t i = 0; i < met; i++) {
            const uint64_t key = mni_hnsw_key(near[i] + v->bias, slots[i]);
            const size_t at = pool_take(w->pool, &n, ef, key);
            if (at > cursor || at == ef) continue;
            cursor = at;
            fetch_links(v, slots[i]);
            if (v->pace && v->pace->slow) send_for_links(v, &slots[i], 1);
        }
    }
    return n;
}

/* --- outward, with a filter --------------------------------------------------------- */

static void heap_push(uint64_t *heap, size_t n, uint64_t key)
{
    size_t at = n;
    for (; at > 0 && heap[(at - 1) / 2] > key; at = (at - 1) / 2)
        heap[at] = heap[(at - 1) / 2];
    heap[at] = key;
}

/* Takes the smallest of n; its place is filled from the end. */
static uint64_t heap_pop(uint64_t *heap, size_t n)
{
    const uint64_t top = heap[0], last = heap[n - 1];
    size_t at = 0;
    for (;;) {
        size_t child = 2 * at + 1;
        if (child >= n - 1) break;
        if (child + 1 < n - 1 && heap[child + 1] < heap[child]) child++;
        if (heap[child] >= last) break;
        heap[at] = heap[child];
        at = child;
    }
    heap[at] = last;
    return top;
}

typedef struct filtered {
    const mni_hnsw *h;
    const mni_rows *rows;
    const mni_ann_params *p;
} filtered;

static int is_kept(const filtered *f, uint32_t node)
{
    const uint32_t row = f->h->row_of[node];
    return row < f->rows->n && f->p->keep(f->p->keep_ctx, row);
}

/* As mni_hnsw_beam, but only kept nodes enter the pool. Refused ones are walked through:
 * they lead to others. The pool is full of kept nodes or the graph is used up, so what a
 * filter refuses never shortens the answer. */
static mann_status beam_kept(const mni_hnsw_view *v, mni_hnsw_walk *w,
                             const uint8_t *query, uint32_t start, size_t ef,
                             const filtered *f, size_t *n_out, mann_error *err)
{
    uint32_t slots[2 * MNI_MAX_LINKS], near[2 * MNI_MAX_LINKS];
    size_t n = 0, waiting = 1;
    *n_out = 0;
    mni_visited_next(&w->seen);
    mni_visited_mark(&w->seen, start);
    if (!mni_grow((void **)&w->heap, &w->heap_cap, ef + v->degree, sizeof *w->heap))
        return mni_fail(err, MANN_E_NOMEM, "hnsw: nodes waiting in a filtered walk");
    measure(v, query, &start, 1, near);
    w->heap[0] = mni_hnsw_key(near[0] + v->bias, start);
    if (is_kept(f, start)) w->pool[n++] = w->heap[0];
    while (waiting > 0) {
        const uint64_t next = heap_pop(w->heap, waiting--);
        if (n == ef && next > w->pool[n - 1]) break;
        const size_t met = unmet(v, &w->seen, mni_hnsw_node(next), slots, slots);
        fetch_codes(v, slots, met);
        if (is_slow(v)) send_for_codes(v, slots, met);
        if (!mni_grow((void **)&w->heap, &w->heap_cap, waiting + met, sizeof *w->heap))
            return mni_fail(err, MANN_E_NOMEM, "hnsw: nodes waiting in a filtered walk");
        measure(v, query, slots, met, near);
        for (size_t i = 0; i < met; i++) {
            const uint64_t key = mni_hnsw_key(near[i] + v->bias, slots[i]);
            if (n == ef && key >= w->pool[n - 1]) continue;
            heap_push(w->heap, waiting++, key);
            if (!is_kept(f, slots[i])) continue;
            pool_take(w->pool, &n, ef, key);
        }
    }
    *n_out = n;
    return MANN_OK;
}

/* --- one query ---------------------------------------------------------------------- */

/* How many of the pool's n nodes may be among the k nearest, as far as codes can tell. */
static size_t may_count(const mni_hnsw_view *v, const float *value, const uint8_t *query,
                        const uint64_t *pool, size_t n, size_t k)
{
    size_t m = k;
    if (n <= k || k == 0) return n;
    const uint32_t last = mni_hnsw_distance(pool[k - 1]),
                   far = v->rows ? mni_hnsw_rows_reach(v, last)
                                 : mni_hnsw_grid_reach(v->grid, value, query, last);
    while (m < n && mni_hnsw_distance(pool[m]) <= far) m++;
    return m;
}

static void fetch_row(const mni_rows *rows, size_t row_bytes, uint32_t row)
{
    enum { FIRST_BYTES = 1024 };    /* the processor goes on by itself */
    const char *at = (const char *)rows->data + row * row_bytes;
    for (size_t j = 0; j < row_bytes && j < FIRST_BYTES; j += 64)
        __builtin_prefetch(at + j);
}

static void send_for_rows(const mni_hnsw *h, const mni_rows *rows, size_t row_bytes,
                          const uint64_t *pool, size_t n)
{
    for (size_t i = 0; i < n; i++)
        mni_pages_send_for(h->row_of + mni_hnsw_node(pool[i]), sizeof *h->row_of);
    for (size_t i = 0; i < n; i++) {
        const size_t row = h->row_of[mni_hnsw_node(pool[i])];
        if (row >= rows->n) continue;
        mni_pages_send_for((const char *)rows->data + row * row_bytes, row_bytes);
        if (rows->scale) mni_pages_send_for(rows->scale + row, sizeof *rows->scale);
    }
}

/* The first nodes of the pool, measured exactly. */
static void measure_rows(const mni_hnsw *h, const mni_hnsw_view *v, const mni_rows *rows,
                         const float *query, const uint64_t *pool, size_t n,
                         mni_topk *best)
{
    const size_t row_bytes = rows->dim * mni_dtype_bytes(rows->dtype);
    if (is_slow(v)) send_for_rows(h, rows, row_bytes, pool, n);
    for (size_t i = 0; i < n + ROWS_AHEAD; i++) {
        if (i < n) {
            const uint32_t row = h->row_of[mni_hnsw_node(pool[i])];
            if (row < rows->n) fetch_row(rows, row_bytes, row);
        }
        if (i < ROWS_AHEAD) continue;
        const uint32_t row = h->row_of[mni_hnsw_node(pool[i - ROWS_AHEAD])];
        float distance;
        if (row >= rows->n) continue;   /* a damaged file */
        mni_rows_scan(rows, query, row, row + 1, &distance);
        mni_topk_push(best, distance, row);
    }
}

static mann_status search_one(const mni_hnsw *h, const mni_rows *rows, const float *query,
                              const mni_ann_params *p, mni_hnsw_walk *w, mni_topk *best,
                              mann_error *err)
{
    mni_hnsw_view v = mni_hnsw_view_of(h, 0, 0);
    mni_hnsw_pace pace = { 0 };
    size_t n, ef = p->ef > best->k ? p->ef : best->k;
    if (ef > h->n) ef = h->n;
    if (h->n == 0 || ef == 0) return MANN_OK;
    MNI_TRY(mni_hnsw_walk_ready(w, h, ef, err));
    if (!h->owned) {
        pace.since = mni_clock_seconds();
        v.pace = &pace;
    }
    if (h->bits) v.bias = mni_hnsw_grid_query(&h->walk, query, w->query);
    else mni_hnsw_rows_query(&v, rows, query, w->query);
    const uint32_t found = mni_hnsw_descend(h, 0, &v, w->query),
                   start = found < h->n ? found : 0;
    if (p->keep) {
        const filtered f = { h, rows, p };
        MNI_TRY(beam_kept(&v, w, w->query, start, ef, &f, &n, err));
    } else {
        n = mni_hnsw_beam(&v, w, w->query, start, ef);
    }
    n = may_count(&v, query, w->query, w->pool, n, best->k);
    measure_rows(h, &v, rows, query, w->pool, n, best);
    return MANN_OK;
}

mann_status mni_hnsw_search(const mni_ann *a, const mni_rows *rows, const float *queries,
                            size_t n_queries, const mni_ann_params *p,
                            mni_scratch *scratch, mni_topk *best, mann_error *err)
{
    mni_hnsw_walk *w = NULL;
    MNI_TRY(walk_of(scratch, &w, err));
    for (size_t q = 0; q < n_queries; q++)
        MNI_TRY(search_one((const mni_hnsw *)a, rows, queries + q * rows->dim, p, w,
                           &best[q], err));
    return MANN_OK;
}
