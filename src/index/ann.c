/* ann.c - what all index kinds have in common: names, files, scratch, batches, the order
 * of answers.
 *
 * A kind sees a small group of prepared queries and a heap for each. It never sees a
 * thread, an id, a batch or a file name. SPDX-License-Identifier: MIT */
#include "index/ann.h"

#include <stdio.h>

#include "base/mem.h"
#include "base/text.h"
#include "index/kinds.h"

#define TAG "ANNK"              /* the spec, as text without its NUL */

/* The kinds. One line each. */
static const mni_ann_ops *const kinds[] = {
    &mni_flat_ops,
};
enum { N_KINDS = sizeof kinds / sizeof kinds[0] };

/* "auto" must not look at the clock (two machines would build two files), so it counts: a
 * Flat query costs n x dim multiply-adds, streamed; a graph or list query costs a few
 * hundred rows, fetched one by one, plus the building. While Flat is the only kind there
 * is nothing to weigh, and the answer is Flat whatever the numbers. A kind that is
 * cheaper from some n x dim on is to be named here. */
static const char *cheapest(const mni_rows *rows)
{
    (void)rows;
    return "Flat";
}

static const mni_ann_ops *find_kind(const char *spec, char canonical[MNI_ANN_SPEC])
{
    for (int i = 0; i < N_KINDS; i++)
        if (kinds[i]->accepts(spec, canonical)) return kinds[i];
    return NULL;
}

static mann_status unknown_kind(const char *spec, mann_error *err)
{
    char known[128] = "auto";
    size_t n = strlen(known);
    for (int i = 0; i < N_KINDS && n < sizeof known; i++)
        n += (size_t)snprintf(known + n, sizeof known - n, ", %s", kinds[i]->name);
    return mni_fail(err, MANN_E_UNSUPPORTED,
                    "index: \"%.64s\" is not a kind of index, known are: %s", spec,
                    known);
}

mann_status mni_ann_spec_check(const char *spec, mann_error *err)
{
    char canonical[MNI_ANN_SPEC] = "";
    if (mni_text_same(spec, "auto") || find_kind(spec, canonical)) return MANN_OK;
    return unknown_kind(spec, err);
}

/* --- making ------------------------------------------------------------------------- */

static void name_it(mni_ann *a, const mni_ann_ops *ops, const char *canonical)
{
    a->ops = ops;
    memcpy(a->spec, canonical, MNI_ANN_SPEC);
}

mann_status mni_ann_build(mni_ann **out, const char *spec, const mni_ann_job *job,
                          mann_error *err)
{
    char canonical[MNI_ANN_SPEC] = "";
    *out = NULL;
    if (mni_text_same(spec, "auto")) spec = cheapest(job->rows);
    const mni_ann_ops *ops = find_kind(spec, canonical);
    if (!ops) return unknown_kind(spec, err);
    mni_ann *a;
    MNI_TRY(ops->build(&a, canonical, job, err));
    name_it(a, ops, canonical);
    *out = a;
    return MANN_OK;
}

mann_status mni_ann_fold(mni_ann **out, const mni_ann *old, const mni_ann_job *job,
                         const uint32_t *from, mann_error *err)
{
    mni_ann *a;
    *out = NULL;
    MNI_TRY(old->ops->fold(&a, old, job, from, err));
    name_it(a, old->ops, old->spec);
    *out = a;
    return MANN_OK;
}

mann_status mni_ann_add(mni_ann *a, const mni_rows *rows, uint32_t first, mni_pool *pool,
                        mann_error *err)
{
    return a->ops->add(a, rows, first, pool, err);
}

mann_status mni_ann_remove(mni_ann *a, const mni_rows *rows, const uint32_t *gone,
                           size_t n, mni_pool *pool, mann_error *err)
{
    return a->ops->remove(a, rows, gone, n, pool, err);
}

mann_status mni_ann_own(mni_ann *a, mann_error *err) { return a->ops->own(a, err); }

mann_status mni_ann_cost_of(const char *spec, const mni_rows *shape, mni_ann_cost *out,
                            mann_error *err)
{
    char canonical[MNI_ANN_SPEC] = "";
    if (mni_text_same(spec, "auto")) spec = cheapest(shape);
    const mni_ann_ops *ops = find_kind(spec, canonical);
    if (!ops) return unknown_kind(spec, err);
    ops->cost(canonical, shape, out);
    return MANN_OK;
}

size_t mni_ann_report(const mni_ann *a, const mni_rows *rows, mni_ann_fact *facts)
{
    return a->ops->report(a, rows, facts);
}

mann_status mni_ann_open(mni_ann **out, const mni_reader *r, const mni_rows *rows,
                         mann_error *err)
{
    char spec[MNI_ANN_SPEC] = "Flat", canonical[MNI_ANN_SPEC] = "";
    mni_section s;
    *out = NULL;
    if (mni_reader_find(r, TAG, &s)) {
        if (s.n_bytes == 0 || s.n_bytes >= sizeof spec)
            return mni_fail(err, MANN_E_FORMAT,
                            "index: its name has %llu letters, wanted 1..%d",
                            (unsigned long long)s.n_bytes, MNI_ANN_SPEC - 1);
        memcpy(spec, s.data, (size_t)s.n_bytes);
        spec[s.n_bytes] = '\0';
    }
    const mni_ann_ops *ops = find_kind(spec, canonical);
    if (!ops) return unknown_kind(spec, err);
    mni_ann *a;
    MNI_TRY(ops->open(&a, canonical, r, rows, err));
    name_it(a, ops, canonical);
    *out = a;
    return MANN_OK;
}

void mni_ann_write(const mni_ann *a, mni_writer *w)
{
    mni_writer_section(w, TAG, MNI_BYTES, MNI_ALIGN_SECTION, a->spec, strlen(a->spec));
    a->ops->write(a, w);
}

mann_status mni_ann_check(const mni_ann *a, const mni_rows *rows, mann_error *err)
{
    return a->ops->check(a, rows, err);
}

void mni_ann_free(mni_ann *a)
{
    if (a) a->ops->free(a);
}

const char *mni_ann_spec(const mni_ann *a) { return a->spec; }

/* --- searching ---------------------------------------------------------------------- */

mann_status mni_scratch_new(mni_scratch **out, mann_error *err)
{
    *out = NULL;
    mni_scratch *s = mni_alloc(1, sizeof *s);
    float *distance = mni_alloc_aligned((size_t)MNI_ANN_GROUP * MNI_ANN_BLOCK,
                                        sizeof *distance, 0);
    if (!s || !distance) {
        mni_free(s);
        mni_free(distance);
        return mni_fail(err, MANN_E_NOMEM, "search: scratch of a thread");
    }
    *s = (mni_scratch){ .distance = distance };
    *out = s;
    return MANN_OK;
}

void mni_scratch_free(mni_scratch *s)
{
    if (!s) return;
    if (s->release) s->release(s->part);
    mni_free(s->distance);
    mni_free(s);
}

/* At most MNI_ANN_GROUP queries. The heaps grow in the caller's own output. */
static mann_status search_group(const mni_ann *a, const mni_rows *rows,
                                const float *queries, size_t n, const mni_ann_params *p,
                                mni_scratch *scratch, mni_near *out, size_t *n_out,
                                mann_error *err)
{
    mni_topk best[MNI_ANN_GROUP];
    for (size_t q = 0; q < n; q++) mni_topk_init(&best[q], out + q * p->k, p->k);
    if (p->k > 0) MNI_TRY(a->ops->search(a, rows, queries, n, p, scratch, best, err));
    for (size_t q = 0; q < n; q++) n_out[q] = mni_topk_sort(&best[q]);
    return MANN_OK;
}

mann_status mni_ann_search(const mni_ann *a, const mni_rows *rows, const float *query,
                           const mni_ann_params *p, mni_scratch *scratch, mni_near *out,
                           size_t *n_out, mann_error *err)
{
    return search_group(a, rows, query, 1, p, scratch, out, n_out, err);
}

typedef struct batch {
    const mni_ann *a;
    const mni_rows *rows;
    const float *queries;
    const mni_ann_params *p;
    mni_near *out;
    size_t *n_out;
    mann_status *status;        /* one per chunk */
    mann_error *error;          /* likewise */
} batch;

static void search_chunk(void *ctx, size_t begin, size_t end, size_t chunk)
{
    const batch *b = ctx;
    mni_scratch *scratch;
    mann_status s = mni_scratch_new(&scratch, &b->error[chunk]);
    for (size_t at = begin; s == MANN_OK && at < end; at += MNI_ANN_GROUP) {
        size_t n = end - at < MNI_ANN_GROUP ? end - at : MNI_ANN_GROUP;
        s = search_group(b->a, b->rows, b->queries + at * b->rows->dim, n, b->p, scratch,
                         b->out + at * b->p->k, b->n_out + at, &b->error[chunk]);
    }
    mni_scratch_free(scratch);
    b->status[chunk] = s;
}

/* Queries of a chunk: enough groups that the scratch is worth making, few enough that no
 * thread waits for another. Answers do not depend on it, so it may depend on the number
 * of threads. */
static size_t chunk_size(size_t n, uint32_t threads)
{
    size_t grain = n / (4 * (size_t)threads) / MNI_ANN_GROUP * MNI_ANN_GROUP;
    if (grain > 0) return grain;
    grain = (n + threads - 1) / threads;
    return grain < MNI_ANN_GROUP ? grain : MNI_ANN_GROUP;
}

mann_status mni_ann_search_batch(const mni_ann *a, const mni_rows *rows,
                                 const float *queries, size_t n, const mni_ann_params *p,
                                 mni_pool *pool, mni_near *out, size_t *n_out,
                                 mann_error *err)
{
    if (n == 0) return MANN_OK;
    const size_t grain = chunk_size(n, mni_pool_threads(pool)),
                 n_chunks = mni_chunk_count(n, grain);
    batch b = {
        .a = a, .rows = rows, .queries = queries, .p = p, .out = out, .n_out = n_out
    };
    mann_status s = MANN_OK;
    b.status = mni_alloc(n_chunks, sizeof *b.status);
    b.error = mni_alloc(n_chunks, sizeof *b.error);
    if (b.status && b.error) {
        mni_parallel_for(pool, n, grain, search_chunk, &b);
        for (size_t c = 0; c < n_chunks && s == MANN_OK; c++) {
            s = b.status[c];
            if (s != MANN_OK && err) *err = b.error[c];
        }
    } else {
        s = mni_fail(err, MANN_E_NOMEM, "search: state of %llu queries",
                     (unsigned long long)n);
    }
    mni_free(b.status);
    mni_free(b.error);
    return s;
}
