/* ivf_search.c - asking inverted lists. See ivf.h. SPDX-License-Identifier: MIT */
#include <math.h>

#include "base/mem.h"
#include "index/ivf.h"
#include "index/shortlist.h"

enum { LINE = 64 };

/* What a thread needs; made for a shape, and again when a larger one comes. */
typedef struct room {
    uint8_t *bytes;             /* owned */
    size_t n_bytes;
    mni_near *probe, *ends, *begin;
    int8_t *codes;
    float *v;
    mni_ivfpq_room pq;
    mni_centres_work work;
} room;

static void release_room(void *part)
{
    room *r = part;
    if (r) mni_free(r->bytes);
    mni_free(r);
}

static size_t lines(size_t n_bytes) { return (n_bytes + LINE - 1) / LINE * LINE; }

static mann_status room_for(const mni_ivf *v, size_t k, mni_scratch *scratch, room **out,
                            mann_error *err)
{
    const size_t codes = lines((size_t)mni_code8_groups(v->dim) * 4);
    const size_t probe = lines(v->n_lists * sizeof(mni_near));
    const size_t ends = lines(k * sizeof(mni_near)), x = lines(v->dim * sizeof(float));
    const size_t begin = lines(MNI_SHORT_ROWS * sizeof(mni_near));
    const size_t tables = v->pq ? lines((size_t)v->pq->slots * v->pq->width) : 0;
    const size_t floats =
        v->pq ? lines((size_t)v->pq->pieces * (v->pq->width + 1) * sizeof(float)) : 0;
    const size_t need = codes + probe + ends + begin + 2 * x + tables + floats +
                        mni_centres_work_bytes(&v->centres);
    room *r = scratch->part;
    if (scratch->release != release_room) {
        if (scratch->release) scratch->release(scratch->part);
        scratch->part = r = NULL;
        scratch->release = NULL;
    }
    if (!r) {
        r = mni_alloc(1, sizeof *r);
        if (!r) return mni_fail(err, MANN_E_NOMEM, "search: room of a thread");
        scratch->part = r;
        scratch->release = release_room;
    }
    if (r->n_bytes < need) {
        mni_free(r->bytes);
        r->n_bytes = 0;
        r->bytes = mni_alloc_aligned(1, need, 0);
        if (!r->bytes) return mni_fail(err, MANN_E_NOMEM, "search: room of a thread");
        r->n_bytes = need;
    }
    uint8_t *at = r->bytes;
    r->codes = (int8_t *)at;
    r->probe = (mni_near *)(void *)(at += codes);
    r->ends = (mni_near *)(void *)(at += probe);
    r->begin = (mni_near *)(void *)(at += ends);
    r->v = (float *)(void *)(at += begin);
    r->pq.waiting = r->begin;
    r->pq.turned = (float *)(void *)(at += x);
    r->pq.floats = (float *)(void *)(at += x);
    r->pq.tables = at += floats;
    r->work = mni_centres_work_in(&v->centres, at + tables);
    *out = r;
    return MANN_OK;
}

/* One list of codes with bounds. Intervals and limits are rounded outwards when they
 * become floats. */
static void scan_list(const mni_ivf *v, uint32_t list, float to_centre,
                      const mni_query8 *query, const int8_t *codes, mni_shortlist *s)
{
    enum { BLOCKS = 8 };
    const mni_kern_i8 *k = mni_kern_i8_best();
    const mni_bound8 b =
        mni_bound8_of(query, &v->around[list], v->metric, v->dim, to_centre);
    const uint32_t n = v->lists.list[list].n, n_blocks = mni_list_blocks(n);
    int32_t dots[BLOCKS * MNI_LIST_ROWS];
    uint32_t index[MNI_LIST_ROWS];
    float value[MNI_LIST_ROWS];
    for (uint32_t at = 0; at < n_blocks; at += BLOCKS) {
        const uint32_t m = n_blocks - at < BLOCKS ? n_blocks - at : BLOCKS;
        const mni_i8_args a = {
            .blocks = mni_block_codes(mni_list_block(&v->lists, list, at)),
            .n_blocks = m, .stride = mni_list_block_bytes(&v->lists),
            .groups = mni_code8_groups(v->dim), .queries = codes, .n_queries = 1,
            .out = dots
        };
        k->dots(&a);
        for (uint32_t i = 0; i < m; i++) {
            uint8_t *block = mni_list_block(&v->lists, list, at + i);
            const uint32_t *rows = mni_block_rows(block);
            const double limit = mni_shortlist_limit(s) - b.shift + b.slack;
            const size_t found =
                k->pick(dots + i * MNI_LIST_ROWS, mni_block_plus(block), MNI_LIST_ROWS,
                        b.factor, nextafterf((float)limit, INFINITY), index, value);
            for (size_t j = 0; j < found; j++) {
                const uint32_t row = rows[index[j]];
                const double d = b.shift + value[j];
                if (row >= s->rows->n) continue; /* an empty slot, or a damaged file */
                mni_shortlist_offer(s, row,
                                    nextafterf((float)(d - b.slack), -INFINITY),
                                    nextafterf((float)(d + b.slack), INFINITY));
            }
        }
    }
}

static void search_one(const mni_ivf *v, const mni_rows *rows, const float *query,
                       const mni_ann_params *p, uint32_t nprobe, room *r, mni_topk *best)
{
    mni_query8 q8;
    mni_topk near;
    mni_shortlist s = { .rows = rows, .query = query, .p = p, .best = best,
                        .begin = r->begin, .unit = v->metric == MANN_COSINE ? 2 : 1 };
    mni_centres_round(&v->centres, query, 1, r->v, r->codes, &q8);
    mni_topk_init(&near, r->probe, nprobe);
    mni_centres_search(&v->centres, query, r->codes, &q8, &r->work, &near);
    const size_t n = mni_topk_sort(&near);
    if (v->pq) {
        mni_ivfpq_ask(v, rows, query, r->v, p, r->probe, n, &r->pq, best);
        return;
    }
    mni_topk_init(&s.ends, r->ends, best->k);
    for (size_t i = 0; i < n; i++)
        scan_list(v, near.items[i].row, near.items[i].distance, &q8, r->codes, &s);
    mni_shortlist_finish(&s);
}

mann_status mni_ivf_search(const mni_ann *a, const mni_rows *rows, const float *queries,
                           size_t n_queries, const mni_ann_params *p,
                           mni_scratch *scratch, mni_topk *best, mann_error *err)
{
    const mni_ivf *v = mni_ivf_const(a);
    uint32_t nprobe = p->nprobe ? p->nprobe : a->knob ? a->knob : 1;
    size_t k = 0;
    room *r = NULL;
    if (nprobe > v->n_lists) nprobe = v->n_lists;
    for (size_t q = 0; q < n_queries; q++) k = best[q].k > k ? best[q].k : k;
    MNI_TRY(room_for(v, k, scratch, &r, err));
    for (size_t q = 0; q < n_queries; q++)
        if (best[q].k)
            search_one(v, rows, queries + q * v->dim, p, nprobe, r, &best[q]);
    return MANN_OK;
}
