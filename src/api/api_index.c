/* api_index.c - metricann.h, chapter 7: bare indexes. SPDX-License-Identifier: MIT */
#include "api/api.h"
#include "api/bridge.h"
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

mann_status mann_builder_finish(mann_builder **b, mann_index **out, mann_error *err)
{
    MNI_NEED(out, "mann_builder_finish");
    *out = NULL;
    MNI_NEED(b, "mann_builder_finish");
    MNI_NEED(*b, "mann_builder_finish");
    return mni_builder_finish(b, out, err);
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

uint64_t mann_index_n_rows(const mann_index *ix) { return ix ? mni_bare_n_rows(ix) : 0; }
uint32_t mann_index_dim(const mann_index *ix) { return ix ? mni_bare_dim(ix) : 0; }
void     mann_index_free(mann_index *ix) { mni_bare_free(ix); }
