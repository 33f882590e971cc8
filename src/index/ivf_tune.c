/* ivf_tune.c - how many lists are to be looked at. Counted, not timed: for some rows of
 * the set the ten nearest others are found exactly, and for each of those it is asked how
 * many lists are nearer to the first row than its own. SPDX-License-Identifier: MIT */
#include <math.h>

#include "base/mem.h"
#include "index/ivf.h"

typedef struct asking {
    mni_ivf *v;
    const mni_rows *rows;
    uint32_t n;
    uint32_t *rank;             /* n x MNI_IVF_K: lists wanted; 0: no such neighbour */
    uint8_t *failed;
} asking;

static mann_status ask_row(const asking *a, uint32_t i, mni_scratch *scratch,
                           mni_near *order, float *x, mni_centres_work *w)
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
    uint32_t *rank = a->rank + (size_t)i * MNI_IVF_K, kept = 0;
    for (size_t j = 0; j < n && kept < MNI_IVF_K; j++) {
        if (found[j].row == row) continue;
        const uint32_t list = v->lists.list_of[found[j].row];
        uint32_t at = 0;
        while (at < n_near && order[at].row != list) at++;
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
    float *x = mni_alloc(v->dim, sizeof *x);
    void *room = mni_alloc_aligned(1, mni_centres_work_bytes(&v->centres), 0);
    int fine = order && x && room && mni_scratch_new(&scratch, NULL) == MANN_OK;
    if (fine) {
        mni_centres_work w = mni_centres_work_in(&v->centres, room);
        for (size_t i = begin; fine && i < end; i++)
            fine = ask_row(a, (uint32_t)i, scratch, order, x, &w) == MANN_OK;
    }
    a->failed[chunk] = !fine;
    mni_scratch_free(scratch);
    mni_free(order);
    mni_free(x);
    mni_free(room);
}

mann_status mni_ivf_tune(mni_ivf *v, const mni_rows *rows, mni_pool *pool,
                         mann_error *err)
{
    enum { GRAIN = 4 };
    asking a = { .v = v, .rows = rows,
                 .n = rows->n < MNI_IVF_ASKED ? rows->n : MNI_IVF_ASKED };
    v->base.knob = 1;
    if (v->n_lists == 1 || a.n == 0) return MANN_OK;
    uint32_t *count = mni_alloc((size_t)v->n_lists + 2, sizeof *count);
    a.rank = mni_alloc((size_t)a.n * MNI_IVF_K, sizeof *a.rank);
    a.failed = mni_alloc(mni_chunk_count(a.n, GRAIN), 1);
    int fine = count && a.rank && a.failed;
    if (fine) mni_parallel_for(pool, a.n, GRAIN, ask_chunk, &a);
    for (size_t i = 0; fine && i < mni_chunk_count(a.n, GRAIN); i++)
        fine = !a.failed[i];
    if (fine) {
        uint64_t all = 0, within = 0;
        for (size_t i = 0; i < (size_t)a.n * MNI_IVF_K; i++) {
            if (a.rank[i]) all++;
            count[a.rank[i]]++;
        }
        uint32_t nprobe = 0;
        while (nprobe < v->n_lists && (double)within < MNI_IVF_RECALL * (double)all)
            within += count[++nprobe];
        v->base.knob = nprobe ? nprobe : 1;
    }
    mni_free(count);
    mni_free(a.rank);
    mni_free(a.failed);
    return fine ? MANN_OK : mni_fail(err, MANN_E_NOMEM, "index: choosing nprobe");
}
