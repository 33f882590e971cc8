/* flat.c - exact search: look at every row.
 *
 * The simplest kind, the measure of all others, and for some ten thousand rows the
 * fastest. It owns nothing but its name. What there is to see here is the order of the
 * loops:
 *
 *            rows ->   block 0      block 1      block 2
 *     query 0         scan, keep   scan, keep    ...       a block is read from memory
 *     query 1         scan, keep   scan, keep              once and stays in the cache
 *     query 2         scan, keep   scan, keep              while the group looks at it
 *
 * One query alone runs at the speed of memory; a group is limited by arithmetic. The bits
 * are the same, since a kernel's answer for a row does not depend on its neighbours
 * (kern/kern_dist.h), and since best-of-k under the order (distance, row) does not depend
 * on the order of arrival.
 *
 * The filter is asked last, and only about rows that would enter the answer: a heap that
 * is full of near rows refuses the far ones without a call. Filtered rows never take a
 * place, so k kept rows are found wherever they are. SPDX-License-Identifier: MIT */
#include "base/mem.h"
#include "index/flat_crowd.h"
#include "index/kinds.h"

static int accepts(const char *spec, char canonical[MNI_ANN_SPEC])
{
    mni_spec s;
    return mni_spec_is(MNI_FLAT, spec, &s, canonical) && s.codes == MNI_CODES_NONE;
}

static mann_status make(mni_ann **out, mann_error *err)
{
    *out = mni_alloc(1, sizeof **out);
    return *out ? MANN_OK : mni_fail(err, MANN_E_NOMEM, "index: header of a Flat index");
}

static void cost(const char *spec, const mni_rows *shape, mni_ann_cost *out)
{
    (void)spec;
    *out = (mni_ann_cost){ .query_distances = shape->n };
}

static mann_status build(mni_ann **out, const char *spec, const mni_ann_job *job,
                         mann_error *err)
{
    (void)spec; (void)job;
    return make(out, err);
}

static mann_status fold(mni_ann **out, const mni_ann *old, const mni_ann_job *job,
                        const uint32_t *from, mann_error *err)
{
    (void)old; (void)job; (void)from;
    return make(out, err);
}

static mann_status add_nothing(mni_ann *a, const mni_rows *rows, uint32_t first,
                               mni_pool *pool, mann_error *err)
{
    (void)a; (void)rows; (void)first; (void)pool; (void)err;
    return MANN_OK;
}

static mann_status remove_nothing(mni_ann *a, const mni_rows *rows, const uint32_t *gone,
                                  size_t n, mni_pool *pool, mann_error *err)
{
    (void)a; (void)rows; (void)gone; (void)n; (void)pool; (void)err;
    return MANN_OK;
}

static mann_status own_nothing(mni_ann *a, mann_error *err)
{
    (void)a; (void)err;
    return MANN_OK;
}

static size_t report_nothing(const mni_ann *a, const mni_rows *rows, mni_ann_fact *facts)
{
    (void)a; (void)rows; (void)facts;
    return 0;
}

static mann_status open_view(mni_ann **out, const char *spec, const mni_reader *r,
                             const mni_rows *rows, mann_error *err)
{
    (void)spec; (void)r; (void)rows;
    return make(out, err);
}

static void write_nothing(const mni_ann *a, mni_writer *w)
{
    (void)a; (void)w;
}

static mann_status check_nothing(const mni_ann *a, const mni_rows *rows, mann_error *err)
{
    (void)a; (void)rows; (void)err;
    return MANN_OK;
}

/* Rows of a block: what a quarter of a common second-level cache holds, so that it stays
 * there. */
static uint32_t rows_at_once(const mni_rows *rows)
{
    const size_t row_bytes = rows->dim * mni_dtype_bytes(rows->dtype),
                 fit = (256u << 10) / (row_bytes + 1);
    return fit > MNI_ANN_BLOCK ? MNI_ANN_BLOCK : fit < 8 ? 8 : (uint32_t)fit;
}

static mann_status search(const mni_ann *a, const mni_rows *rows, const float *queries,
                          size_t n_queries, const mni_ann_params *p, mni_scratch *scratch,
                          mni_topk *best, mann_error *err)
{
    const uint32_t at_once = rows_at_once(rows);
    (void)a;
    if (n_queries > MNI_ANN_GROUP)
        return mni_flat_crowd(rows, queries, n_queries, p, scratch, best, err);
    for (uint32_t at = 0; at < rows->n; ) {
        uint32_t n = rows->n - at < at_once ? rows->n - at : at_once;
        mni_rows_scan_many(rows, queries, n_queries, at, at + n, scratch->distance);
        for (size_t q = 0; q < n_queries; q++) {
            const float *distance = scratch->distance + q * n;
            for (uint32_t i = 0; i < n; i++)
                if (mni_topk_wants(&best[q], distance[i]) &&
                    (!p->keep || p->keep(p->keep_ctx, at + i)))
                    mni_topk_push(&best[q], distance[i], at + i);
        }
        at += n;
    }
    return MANN_OK;
}

static void release(mni_ann *a) { mni_free(a); }

const mni_ann_ops mni_flat_ops = {
    .name = "Flat", .knob = NULL, .crowd = 1, .accepts = accepts, .cost = cost,
    .build = build,
    .fold = fold, .add = add_nothing, .remove = remove_nothing, .own = own_nothing,
    .open = open_view, .write = write_nothing, .check = check_nothing, .search = search,
    .report = report_nothing, .free = release
};
