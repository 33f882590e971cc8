/* api_index.c - metricann.h, chapter 7: bare indexes. SPDX-License-Identifier: MIT */
#include <string.h>

#include "api/api.h"
#include "api/bridge.h"
#include "index/ann.h"
#include "index/bare.h"

static mann_status check_rows(mann_matrix *m, const char *call, mann_error *err)
{
    if (m->rows && !m->data)
        return mni_fail(err, MANN_E_ARG, "%s: %zu rows, but data is NULL", call, m->rows);
    if (!m->stride) m->stride = m->cols;
    if (m->stride < m->cols)
        return mni_fail(err, MANN_E_ARG, "%s: stride %zu is less than %zu columns", call,
                        m->stride, m->cols);
    return MANN_OK;
}

mann_status mann_builder_new(mann_builder **out, const char *index, mann_metric metric,
                             uint32_t dim, uint64_t seed, mann_error *err)
{
    MNI_NEED(out, "mann_builder_new");
    *out = NULL;
    MNI_NEED(index, "mann_builder_new");
    if (metric < MANN_L2 || metric > MANN_COSINE)
        return mni_fail(err, MANN_E_ARG, "mann_builder_new: metric %d is not known",
                        (int)metric);
    if (dim == 0 || dim > MNI_BARE_MAX_DIM)
        return mni_fail(err, MANN_E_ARG, "mann_builder_new: %u dimensions, wanted 1..%d",
                        (unsigned)dim, MNI_BARE_MAX_DIM);
    return mni_builder_new(out, index, metric, dim, seed, err);
}

mann_status mann_builder_train(mann_builder *b, mann_matrix sample, mann_pool *p,
                               mann_error *err)
{
    MNI_NEED(b, "mann_builder_train");
    MNI_TRY(check_rows(&sample, "mann_builder_train", err));
    return mni_builder_train(b, sample, p, err);
}

mann_status mann_builder_add(mann_builder *b, const uint64_t *ids, mann_matrix rows,
                             mann_pool *p, mann_error *err)
{
    MNI_NEED(b, "mann_builder_add");
    MNI_TRY(check_rows(&rows, "mann_builder_add", err));
    return mni_builder_add(b, ids, rows, p, err);
}

void mann_builder_limit(mann_builder *b, uint64_t mem_bytes)
{
    if (b) mni_builder_limit(b, mem_bytes);
}

mann_status mann_builder_finish(mann_builder **b, mann_index **out, mann_pool *p,
                                const mann_hooks *h, mann_error *err)
{
    MNI_NEED(out, "mann_builder_finish");
    *out = NULL;
    MNI_NEED(b, "mann_builder_finish");
    MNI_NEED(*b, "mann_builder_finish");
    return mni_builder_finish(b, out, p, h, err);
}

void mann_builder_free(mann_builder *b) { mni_builder_free(b); }

mann_status mann_index_open(mann_index **out, const char *path, uint32_t flags,
                            mann_error *err)
{
    MNI_NEED(out, "mann_index_open");
    *out = NULL;
    MNI_NEED(path, "mann_index_open");
    return mni_bare_open(out, mni_vfs_posix(), path, flags, err);
}

mann_status mann_index_save(const mann_index *ix, const char *path, mann_error *err)
{
    MNI_NEED(ix, "mann_index_save");
    MNI_NEED(path, "mann_index_save");
    return mni_bare_save(ix, mni_vfs_posix(), path, err);
}

mann_status mann_index_add(mann_index *ix, const uint64_t *ids, mann_matrix rows,
                           mann_pool *p, mann_error *err)
{
    MNI_NEED(ix, "mann_index_add");
    MNI_TRY(check_rows(&rows, "mann_index_add", err));
    return mni_bare_add(ix, ids, rows, p, err);
}

mann_status mann_index_remove(mann_index *ix, const uint64_t *ids, size_t n,
                              size_t *removed, mann_error *err)
{
    MNI_NEED(ix, "mann_index_remove");
    if (n) MNI_NEED(ids, "mann_index_remove");
    return mni_bare_remove(ix, ids, n, removed, err);
}

mann_status mann_index_query(const mann_index *ix, mann_matrix queries,
                             const mann_search *s, mann_pool *p, uint64_t *ids,
                             float *distances, mann_error *err)
{
    mann_search mine;
    MNI_NEED(ix, "mann_index_query");
    MNI_TRY(mni_take_search(&mine, s, "mann_index_query", err));
    MNI_TRY(check_rows(&queries, "mann_index_query", err));
    if (queries.rows == 0 || mine.k == 0) return MANN_OK;
    MNI_NEED(ids, "mann_index_query");
    MNI_NEED(distances, "mann_index_query");
    return mni_bare_query(ix, queries, &mine, p, ids, distances, err);
}

mann_status mann_index_within(const mann_index *ix, mann_matrix queries, float distance,
                              const mann_search *s, mann_pool *p, mann_found_fn fn,
                              void *user, mann_error *err)
{
    mann_search mine;
    MNI_NEED(ix, "mann_index_within");
    MNI_NEED(fn, "mann_index_within");
    MNI_TRY(mni_take_search(&mine, s, "mann_index_within", err));
    MNI_TRY(check_rows(&queries, "mann_index_within", err));
    if (distance != distance)
        return mni_fail(err, MANN_E_ARG, "mann_index_within: the distance is no number");
    return mni_bare_within(ix, queries, distance, &mine, p, fn, user, err);
}

mann_status mann_index_tune(mann_index *ix, mann_matrix queries, double recall,
                            uint32_t k, mann_pool *p, mann_tuned *out, mann_error *err)
{
    mann_tuned tuned;
    MNI_NEED(ix, "mann_index_tune");
    MNI_TRY(check_rows(&queries, "mann_index_tune", err));
    MNI_TRY(mni_check_recall(recall, k, "mann_index_tune", err));
    MNI_TRY(mni_bare_tune(ix, queries, recall, k, p, &tuned, err));
    return out ? mni_give_sized(out, &tuned, sizeof tuned, "mann_index_tune", err)
               : MANN_OK;
}

mann_status mann_index_verify(const mann_index *ix, mann_error *err)
{
    MNI_NEED(ix, "mann_index_verify");
    return mni_bare_verify(ix, err);
}

const char *mann_index_kind(const mann_index *ix) { return ix ? mni_bare_spec(ix) : ""; }

/* --- plan --------------------------------------------------------------------------- */

/* A common machine's pace, one thread: values of a vector a second when rows are read in
 * a row (10 GB/s), and when they are met here and there. Rough by intention: a plan says
 * minutes or hours. */
#define STREAM_VALUES 2.5e9
#define SPARSE_VALUES 0.8e9

mann_status mann_plan(const char *index, uint64_t rows, uint32_t dim, uint32_t store,
                      uint64_t mem_bytes, mann_cost *out, mann_error *err)
{
    static const char who[] = "mann_plan";
    mni_ann_cost cost;
    mann_cost c = { .struct_size = sizeof c };
    char name[MNI_ANN_SPEC];
    MNI_NEED(index, who);
    MNI_NEED(out, who);
    if (rows == 0 || rows > INT32_MAX || dim == 0 || dim > MNI_BARE_MAX_DIM)
        return mni_fail(err, MANN_E_ARG, "mann_plan: %llu rows of %u values",
                        (unsigned long long)rows, (unsigned)dim);
    const mni_dtype dtype = store == MANN_STORE_F16    ? MNI_F16
                            : store == MANN_STORE_INT8 ? MNI_I8
                                                       : MNI_F32;
    const mni_rows shape = { .n = (uint32_t)rows, .dim = dim, .dtype = dtype,
                             .metric = MANN_L2 };
    mann_status s = mni_ann_cost_of(index, &shape, mem_bytes, &cost, name, err);
    if (s != MANN_OK && s != MANN_E_BUDGET) return s;
    memcpy(c.index, name, sizeof name);
    c.vector_bytes = rows * dim * mni_dtype_bytes(dtype) +
                        (dtype == MNI_I8 ? rows * sizeof(float) : 0);
    c.build_bytes = cost.build_bytes;
    c.file_bytes = cost.file_bytes;
    c.build_distances = cost.build_distances;
    c.query_distances = cost.query_distances;
    const int streams = cost.query_distances >= (double)rows;
    c.build_seconds = cost.build_distances * dim / SPARSE_VALUES;
    c.query_ms = 1e3 * cost.query_distances * dim /
                 (streams ? STREAM_VALUES : SPARSE_VALUES);
    MNI_TRY(mni_give_sized(out, &c, sizeof c, who, err));
    return s;
}

uint64_t mann_index_n_rows(const mann_index *ix) { return ix ? mni_bare_n_rows(ix) : 0; }
uint32_t mann_index_dim(const mann_index *ix) { return ix ? mni_bare_dim(ix) : 0; }
void     mann_index_free(mann_index *ix) { mni_bare_free(ix); }
