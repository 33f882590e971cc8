/* ivf_tune.c - how many lists are to be looked at. Counted, not timed: for some rows of
 * the set the ten nearest others are found exactly, and for each of those it is asked how
 * many lists are nearer to the first row than its own; and, for PQ, how far off the codes
 * are. SPDX-License-Identifier: MIT */
#include <math.h>
#include <stdlib.h>

#include "base/mem.h"
#include "index/ivf.h"

typedef struct asking {
    mni_ivf *v;
    const mni_rows *rows;
    uint32_t n;
    uint32_t *rank;             /* n x MNI_IVF_K: lists wanted; 0: no such neighbour */
    float *off;                 /* n x MNI_IVF_K, for PQ: how far estimates are off */
    uint8_t *failed;
} asking;

/* How far the estimate of a neighbour is above its distance; see ivfpq_search.c. turned:
 * what is asked; size: its length. */
static float estimate_off(const asking *a, mni_near it, float to_centre,
                          const float *turned, double size, mni_ivf_room *room)
{
    const mni_ivf *v = a->v;
    const uint32_t list = v->lists.list_of[it.row];
    const double e = v->around[list].error, unit = v->metric == MANN_COSINE ? 2 : 1;
    const double d = it.distance * unit;
    uint32_t at;
    if (!mni_lists_find(&v->lists, it.row, &at)) return 0;
    const double spread = v->metric == MANN_INNER ? size * sqrt(e) : sqrt(d * e);
    const double over =
        mni_ivfpq_estimate(v, list, at, to_centre, turned, room) - d;
    return spread > 0 ? (float)(over / spread) : 0;
}

/* A row has drawn the centre of its list near: without its share of one of n rows the
 * centre would lie n / (n - 1) times as far away. A stranger has no such friend. Returns
 * how far it is. */
static float stand_aside(const mni_ivf *v, uint32_t list, mni_near *order, size_t n)
{
    const double rows = v->lists.list[list].n, away = rows / (rows - 1);
    size_t at = 0;
    while (at + 1 < n && order[at].row != list) at++;
    mni_near own = order[at];
    const float as_it_is = own.distance;
    if (v->metric == MANN_INNER || rows < 2) return as_it_is;
    own.distance = (float)(own.distance * away * away);
    for (; at + 1 < n && mni_nearer(order[at + 1], own); at++) order[at] = order[at + 1];
    order[at] = own;
    return as_it_is;
}

static mann_status ask_row(const asking *a, uint32_t i, mni_scratch *scratch,
                           mni_near *order, float *x, mni_centres_work *w,
                           mni_ivf_room *room)
{
    const mni_ivf *v = a->v;
    const uint32_t row = (uint32_t)((uint64_t)i * a->rows->n / a->n);
    mni_near found[MNI_IVF_K + 1];
    mni_topk best, near;
    mni_topk_init(&best, found, MNI_IVF_K + 1);
    mni_topk_init(&near, order, v->n_lists);
    mni_rows_get(a->rows, row, x);
    MNI_TRY(mni_flat_ops.search(NULL, a->rows, x, 1,
                                &(mni_ann_params){ .k = MNI_IVF_K + 1 }, scratch, &best,
                                NULL));
    mni_centres_search(&v->centres, x, NULL, NULL, w, &near);
    const size_t n = mni_topk_sort(&best), n_near = mni_topk_sort(&near);
    const uint32_t home = v->lists.list_of[row];
    const float to_home = stand_aside(v, home, order, n_near);
    uint32_t *rank = a->rank + (size_t)i * MNI_IVF_K, kept = 0;
    float *turned = x + v->dim;
    double size = 0;
    for (uint32_t d = 0; v->pq && d < v->dim; d++) {
        room->r[d] = x[d] - v->centres.middle[d];
        size += (double)room->r[d] * room->r[d];
    }
    if (v->pq) mni_pq_turn(v->pq, room->r, turned);
    for (size_t j = 0; j < n && kept < MNI_IVF_K; j++) {
        if (found[j].row == row) continue;
        const uint32_t list = v->lists.list_of[found[j].row];
        uint32_t at = 0;
        while (at < n_near && order[at].row != list) at++;
        if (v->pq && at < n_near)
            a->off[(size_t)i * MNI_IVF_K + kept] = estimate_off(
                a, found[j], list == home ? to_home : order[at].distance, turned,
                sqrt(size), room);
        rank[kept++] = at + 1;
    }
    return MANN_OK;
}

static void ask_chunk(void *ctx, size_t begin, size_t end, size_t chunk)
{
    const asking *a = ctx;
    const mni_ivf *v = a->v;
    mni_scratch *scratch = NULL;
    mni_near *order = mni_alloc(v->n_lists, sizeof *order);
    float *x = mni_alloc(v->dim, 2 * sizeof *x);
    mni_ivf_room codes = { 0 };
    void *room = mni_alloc_aligned(1, mni_centres_work_bytes(&v->centres), 0);
    int fine = order && x && room && mni_scratch_new(&scratch, NULL) == MANN_OK &&
               mni_ivf_room_init(&codes, v, NULL) == MANN_OK;
    if (fine) {
        mni_centres_work w = mni_centres_work_in(&v->centres, room);
        for (size_t i = begin; fine && i < end; i++)
            fine = ask_row(a, (uint32_t)i, scratch, order, x, &w, &codes) == MANN_OK;
    }
    a->failed[chunk] = !fine;
    mni_scratch_free(scratch);
    mni_ivf_room_fini(&codes);
    mni_free(order);
    mni_free(x);
    mni_free(room);
}

static int ascending(const void *a, const void *b)
{
    const float x = *(const float *)a, y = *(const float *)b;
    return (x > y) - (x < y);
}

/* The margin that all but a few of the neighbours keep; rank 0 for those few. */
static void set_margin(const asking *a, float *sorted)
{
    size_t n = 0;
    for (size_t i = 0; i < (size_t)a->n * MNI_IVF_K; i++)
        if (a->rank[i]) sorted[n++] = a->off[i];
    if (n < MNI_IVF_K) return;  /* too few to tell: all rows of the lists are measured */
    qsort(sorted, n, sizeof *sorted, ascending);
    const size_t at = (size_t)((double)n * MNI_IVF_WITHIN);
    const float z = sorted[at < n ? at : n - 1];
    a->v->margin = z > MNI_IVF_LEAST ? z : z == z ? MNI_IVF_LEAST : INFINITY;
}

mann_status mni_ivf_tune(mni_ivf *v, const mni_rows *rows, mni_pool *pool,
                         mann_error *err)
{
    enum { GRAIN = 4 };
    asking a = { .v = v, .rows = rows,
                 .n = rows->n < MNI_IVF_ASKED ? rows->n : MNI_IVF_ASKED };
    v->base.knob = 1;
    if ((v->n_lists == 1 && !v->pq) || a.n == 0) return MANN_OK;
    uint32_t *count = mni_alloc((size_t)v->n_lists + 2, sizeof *count);
    a.rank = mni_alloc((size_t)a.n * MNI_IVF_K, sizeof *a.rank);
    a.failed = mni_alloc(mni_chunk_count(a.n, GRAIN), 1);
    a.off = mni_alloc((size_t)a.n * MNI_IVF_K, sizeof *a.off);
    float *sorted = mni_alloc((size_t)a.n * MNI_IVF_K, sizeof *sorted);
    int fine = count && a.rank && a.failed && a.off && sorted;
    if (fine) mni_parallel_for(pool, a.n, GRAIN, ask_chunk, &a);
    for (size_t i = 0; fine && i < mni_chunk_count(a.n, GRAIN); i++)
        fine = !a.failed[i];
    if (fine && v->pq && v->pq->learned) set_margin(&a, sorted);
    if (fine) {
        uint64_t all = 0, within = 0;
        for (size_t i = 0; i < (size_t)a.n * MNI_IVF_K; i++) {
            if (a.rank[i]) all++;
            if (!v->pq || a.off[i] <= v->margin) count[a.rank[i]]++;
        }
        uint32_t nprobe = 0;
        while (nprobe < v->n_lists && (double)within < MNI_IVF_RECALL * (double)all)
            within += count[++nprobe];
        v->base.knob = nprobe ? nprobe : 1;
    }
    mni_free(count);
    mni_free(a.rank);
    mni_free(a.failed);
    mni_free(a.off);
    mni_free(sorted);
    return fine ? MANN_OK : mni_fail(err, MANN_E_NOMEM, "index: choosing nprobe");
}
