/* api_gallery.c - metricann.h, chapter 6: the gallery. SPDX-License-Identifier: MIT */
#include <math.h>
#include <stdio.h>

#include "api/api.h"
#include "api/bridge.h"
#include "base/mem.h"
#include "recog/gallery.h"
#include "recog/views.h"
#include "recog/thumbs.h"

void mann_gallery_config_fill(mann_gallery_config *c, size_t size)
{
    mann_gallery_config d = {
        .store = MANN_STORE_F32, .false_accept = 0.01f, .embed_model = 1, .seed = 1
    };
    mni_fill_sized(c, size, &d, sizeof d);
}

static mann_status check_config(mann_gallery_config *c, mann_error *err)
{
    if (c->views > MNI_ALL_VIEWS || (c->views && !c->model))
        return mni_fail(err, MANN_E_ARG,
                        "gallery: views %u%s", (unsigned)c->views,
                        c->model ? " are not known"
                                 : " of photos, but there is no model");
    if (c->model) {
        const uint32_t dim = mni_views_dim(c->views, mann_model_dim(c->model));
        if (c->dim && c->dim != dim)
            return mni_fail(err, MANN_E_ARG,
                            "gallery: %u dimensions, but the model makes %u%s",
                            (unsigned)c->dim, (unsigned)dim,
                            c->views & MANN_VIEW_TURNS ? ", four turns" : "");
        c->dim = dim;
    }
    if (c->dim == 0 || c->dim > MNI_MAX_DIM)
        return mni_fail(err, MANN_E_ARG, "gallery: %u dimensions, wanted 1..%u",
                        (unsigned)c->dim, (unsigned)MNI_MAX_DIM);
    if (c->metric == 0) c->metric = c->model ? MANN_COSINE : MANN_L2;
    if (c->metric > MANN_COSINE)
        return mni_fail(err, MANN_E_ARG, "gallery: metric %u is not known",
                        (unsigned)c->metric);
    if (c->store == 0) c->store = MANN_STORE_F32;
    if (c->store > MANN_STORE_INT8)
        return mni_fail(err, MANN_E_ARG, "gallery: storage %u is not known",
                        (unsigned)c->store);
    if (c->false_accept == 0) c->false_accept = 0.01f;
    if (!(c->false_accept > 0 && c->false_accept <= 0.5f))
        return mni_fail(
            err, MANN_E_ARG,
            "gallery: a false-accept rate of %g, wanted above 0 and at most 0.5",
            (double)c->false_accept);
    return MANN_OK;
}

mann_status mann_gallery_create(mann_gallery **out, const char *path,
                                const mann_gallery_config *c, mann_error *err)
{
    mann_gallery_config mine;
    MNI_NEED(out, "mann_gallery_create");
    *out = NULL;
    MNI_NEED(path, "mann_gallery_create");
    MNI_NEED(c, "mann_gallery_create");
    mann_gallery_config_fill(&mine, sizeof mine);
    MNI_TRY(mni_take_sized(&mine, sizeof mine, c, "mann_gallery_create", err));
    MNI_TRY(check_config(&mine, err));
    return mni_gallery_create(out, mni_vfs_posix(), path, &mine, err);
}

mann_status mann_gallery_open(mann_gallery **out, const char *path, uint32_t flags,
                              mann_error *err)
{
    MNI_NEED(out, "mann_gallery_open");
    *out = NULL;
    MNI_NEED(path, "mann_gallery_open");
    if (flags & ~(MANN_OPEN_WRITE | MANN_OPEN_VERIFY | MANN_OPEN_NOSYNC))
        return mni_fail(err, MANN_E_ARG, "mann_gallery_open: flags %#x are not known",
                        (unsigned)flags);
    return mni_gallery_open(out, mni_vfs_posix(), path, flags, err);
}

mann_status mann_gallery_refresh(mann_gallery *g, mann_error *err)
{
    MNI_NEED(g, "mann_gallery_refresh");
    return mni_gallery_refresh(g, err);
}

mann_status mann_gallery_flush(mann_gallery *g, mann_error *err)
{
    MNI_NEED(g, "mann_gallery_flush");
    return mni_gallery_flush(g, err);
}

void mann_gallery_free(mann_gallery *g) { mni_gallery_free(g); }

mann_status mann_gallery_use_model(mann_gallery *g, const mann_model *m, mann_error *err)
{
    MNI_NEED(g, "mann_gallery_use_model");
    MNI_NEED(m, "mann_gallery_use_model");
    return mni_gallery_use_model(g, m, err);
}

/* --- changes ------------------------------------------------------------------------ */

static mann_status check_rows(mann_gallery *g, mann_matrix *m, const char *call,
                              mann_error *err)
{
    if (m->rows == 0) return MANN_OK;
    if (!m->data)
        return mni_fail(err, MANN_E_ARG, "%s: %zu rows, but data is NULL", call, m->rows);
    if (m->cols != mni_gallery_dim(g))
        return mni_fail(err, MANN_E_MISMATCH,
                        "%s: rows of %zu dimensions, the gallery has %u", call, m->cols,
                        (unsigned)mni_gallery_dim(g));
    if (!m->stride) m->stride = m->cols;
    if (m->stride < m->cols)
        return mni_fail(err, MANN_E_ARG, "%s: stride %zu is less than %zu columns", call,
                        m->stride, m->cols);
    return MANN_OK;
}

mann_status mann_gallery_add(mann_gallery *g, const char *const *classes,
                             const char *const *sources, mann_matrix rows,
                             const uint64_t *ids_in, uint64_t *ids_out, mann_error *err)
{
    MNI_NEED(g, "mann_gallery_add");
    MNI_TRY(check_rows(g, &rows, "mann_gallery_add", err));
    if (rows.rows == 0) return MANN_OK;
    mni_new_row *list = mni_alloc(rows.rows, sizeof *list);
    if (!list)
        return mni_fail(err, MANN_E_NOMEM, "mann_gallery_add: %zu rows", rows.rows);
    for (size_t i = 0; i < rows.rows; i++) {
        const float *v = rows.data + i * rows.stride;
        list[i] =
            (mni_new_row){ .klass = classes ? classes[i] : NULL,
                           .source = sources ? sources[i] : NULL,
                           .vector = v,
                           .id = ids_in ? ids_in[i] : 0,
                           .has_id = ids_in != NULL,
                           .content_hash = mni_hash_bytes(v, rows.cols * sizeof *v, 1) };
    }
    mann_status s = mni_gallery_add(g, list, rows.rows, ids_out, err);
    mni_free(list);
    return s;
}

mann_status mann_gallery_add_images(mann_gallery *g, const mann_dataset *set,
                                    mann_pool *p, const mann_hooks *h,
                                    mann_add_report *report, mann_error *err)
{
    mann_add_report mine = { 0 };
    MNI_NEED(g, "mann_gallery_add_images");
    MNI_NEED(set, "mann_gallery_add_images");
    mni_photos photos = mni_photos_of(set);
    mann_status s = mni_gallery_enrol(g, &photos, p, h, &mine, err);
    if (report && mine.struct_size) {
        mann_status given =
            mni_give_sized(report, &mine, sizeof mine, "mann_gallery_add_images",
                           s == MANN_OK ? err : NULL);
        if (s == MANN_OK) s = given;
    }
    return s;
}

mann_status mann_gallery_sync(mann_gallery *g, const mann_dataset *set, int gone,
                              mann_pool *p, const mann_hooks *h, mann_sync_report *report,
                              mann_error *err)
{
    mann_sync_report mine = { 0 };
    MNI_NEED(g, "mann_gallery_sync");
    MNI_NEED(set, "mann_gallery_sync");
    mni_photos photos = mni_photos_of(set);
    mann_status s = mni_gallery_sync(g, &photos, gone, p, h, &mine, err);
    if (report && mine.struct_size) {
        mann_status given =
            mni_give_sized(report, &mine, sizeof mine, "mann_gallery_sync",
                           s == MANN_OK ? err : NULL);
        if (s == MANN_OK) s = given;
    }
    return s;
}

mann_status mann_gallery_remove(mann_gallery *g, const uint64_t *ids, size_t n,
                                size_t *removed, mann_error *err)
{
    MNI_NEED(g, "mann_gallery_remove");
    if (n) MNI_NEED(ids, "mann_gallery_remove");
    return mni_gallery_remove(g, ids, n, removed, err);
}

mann_status mann_gallery_remove_class(mann_gallery *g, const char *klass, size_t *removed,
                                      mann_error *err)
{
    MNI_NEED(g, "mann_gallery_remove_class");
    MNI_NEED(klass, "mann_gallery_remove_class");
    return mni_gallery_remove_class(g, klass, removed, err);
}

mann_status mann_gallery_relabel(mann_gallery *g, const uint64_t *ids, size_t n,
                                 const char *klass, mann_error *err)
{
    MNI_NEED(g, "mann_gallery_relabel");
    if (n) MNI_NEED(ids, "mann_gallery_relabel");
    MNI_NEED(klass, "mann_gallery_relabel");
    return mni_gallery_relabel(g, ids, n, klass, err);
}

mann_status mann_gallery_build(mann_gallery *g, const char *path, const char *index,
                               mann_pool *p, const mann_hooks *h, mann_error *err)
{
    MNI_NEED(g, "mann_gallery_build");
    return mni_gallery_build(g, path, index, MNI_MEASURE_YES, p, h, err);
}

mann_status mann_gallery_compact(mann_gallery *g, mann_pool *p, const mann_hooks *h,
                                 mann_error *err)
{
    MNI_NEED(g, "mann_gallery_compact");
    return mni_gallery_build(g, NULL, NULL, MNI_MEASURE_DUE, p, h, err);
}

mann_status mann_gallery_verify(mann_gallery *g, const mann_hooks *h, mann_error *err)
{
    MNI_NEED(g, "mann_gallery_verify");
    return mni_gallery_verify(g, h, err);
}

/* --- records as a whole ------------------------------------------------------------- */

mann_status mann_gallery_put(mann_gallery *g, const mann_record *records, size_t n,
                             mann_error *err)
{
    MNI_NEED(g, "mann_gallery_put");
    if (n == 0) return MANN_OK;
    MNI_NEED(records, "mann_gallery_put");
    mni_new_row *rows = mni_alloc(n, sizeof *rows);
    if (!rows) return mni_fail(err, MANN_E_NOMEM, "mann_gallery_put: %zu records", n);
    mann_status s = MANN_OK;
    for (size_t i = 0; i < n && s == MANN_OK; i++) {
        const mann_record *r = &records[i];
        if (!r->vector)
            s = mni_fail(err, MANN_E_ARG, "mann_gallery_put: record %zu has no vector",
                         i);
        rows[i] = (mni_new_row){ .klass = r->class_name, .source = r->source,
                                 .vector = r->vector, .content_hash = r->content_hash,
                                 .time = r->time, .id = r->id, .key = r->key,
                                 .has_id = r->id != MANN_NO_ID };
    }
    if (s == MANN_OK) s = mni_gallery_add(g, rows, n, NULL, err);
    mni_free(rows);
    return s;
}

mann_status mann_gallery_find(mann_gallery *g, const char *key, uint64_t *id,
                              mann_error *err)
{
    MNI_NEED(g, "mann_gallery_find");
    MNI_NEED(key, "mann_gallery_find");
    MNI_NEED(id, "mann_gallery_find");
    return mni_gallery_find_key(g, key, id, err);
}

mann_status mann_gallery_reserve(mann_gallery *g, uint64_t next_id, mann_error *err)
{
    MNI_NEED(g, "mann_gallery_reserve");
    return mni_gallery_reserve(g, next_id, err);
}

mann_status mann_gallery_roots(mann_gallery *g,
                               int (*fn)(void *user, const char *folder), void *user,
                               mann_error *err)
{
    mni_roots roots;
    MNI_NEED(g, "mann_gallery_roots");
    MNI_NEED(fn, "mann_gallery_roots");
    MNI_TRY(mni_gallery_copy_roots(g, &roots, err));
    for (uint32_t i = 0; i < roots.n; i++)
        if (fn(user, roots.path[i])) break;
    mni_roots_fini(&roots);
    return MANN_OK;
}

mann_status mann_gallery_add_root(mann_gallery *g, const char *folder, mann_error *err)
{
    MNI_NEED(g, "mann_gallery_add_root");
    MNI_NEED(folder, "mann_gallery_add_root");
    return mni_gallery_add_root(g, folder, err);
}

mann_status mann_gallery_save_model(mann_gallery *g, const char *path, mann_error *err)
{
    MNI_NEED(g, "mann_gallery_save_model");
    MNI_NEED(path, "mann_gallery_save_model");
    return mni_gallery_save_model(g, path, err);
}

/* --- whole galleries ---------------------------------------------------------------- */

mann_status mann_gallery_copy(mann_gallery *g, const char *path,
                              int (*keep)(void *user, const mann_record *r), void *user,
                              mann_pool *p, const mann_hooks *h, mann_error *err)
{
    MNI_NEED(g, "mann_gallery_copy");
    MNI_NEED(path, "mann_gallery_copy");
    return mni_gallery_copy(g, path, keep, user, p, h, err);
}

mann_status mann_gallery_merge(mann_gallery *g, mann_gallery *from, const mann_hooks *h,
                               mann_add_report *report, mann_error *err)
{
    mann_add_report mine = { 0 };
    MNI_NEED(g, "mann_gallery_merge");
    MNI_NEED(from, "mann_gallery_merge");
    if (g == from)
        return mni_fail(err, MANN_E_ARG, "mann_gallery_merge: a gallery into itself");
    const mann_status s = mni_gallery_merge(g, from, h, &mine, err);
    if (!report || !mine.struct_size) return s;
    const mann_status given = mni_give_sized(report, &mine, sizeof mine,
                                             "mann_gallery_merge",
                                             s == MANN_OK ? err : NULL);
    return s == MANN_OK ? given : s;
}

mann_status mann_gallery_repair(const char *path, const char *to, const char *index,
                                mann_pool *p, const mann_hooks *h,
                                mann_repair_report *report, mann_error *err)
{
    mann_repair_report mine = { 0 };
    MNI_NEED(path, "mann_gallery_repair");
    MNI_NEED(to, "mann_gallery_repair");
    MNI_TRY(mni_gallery_repair(mni_vfs_posix(), path, to, index, p, h, &mine, err));
    if (!report) return MANN_OK;
    return mni_give_sized(report, &mine, sizeof mine, "mann_gallery_repair", err);
}

/* --- search ------------------------------------------------------------------------- */

void mann_search_fill(mann_search *s, size_t size, uint32_t k)
{
    mann_search d = { .k = k, .aggregate = MANN_AGGREGATE_BLEND, .min_margin = 0.01f };
    mni_fill_sized(s, size, &d, sizeof d);
}

enum { MAX_K = 1 << 20 };

mann_status mni_take_search(mann_search *mine, const mann_search *s, const char *call,
                            mann_error *err)
{
    mann_search_fill(mine, sizeof *mine, 5);
    if (s) MNI_TRY(mni_take_sized(mine, sizeof *mine, s, call, err));
    if (mine->k > MAX_K)
        return mni_fail(err, MANN_E_LIMIT, "%s: k is %u, at most %d", call,
                        (unsigned)mine->k, MAX_K);
    if (mine->aggregate == 0) mine->aggregate = MANN_AGGREGATE_BLEND;
    if (mine->aggregate > MANN_AGGREGATE_BLEND)
        return mni_fail(err, MANN_E_ARG, "%s: aggregation %u is not known", call,
                        (unsigned)mine->aggregate);
    if (mine->tighten > 1)
        return mni_fail(err, MANN_E_ARG, "%s: tighten is %u, wanted 0 or 1", call,
                        (unsigned)mine->tighten);
    if (mine->best_m > 1024)
        return mni_fail(err, MANN_E_LIMIT, "%s: best_m is %u, at most 1024", call,
                        (unsigned)mine->best_m);
    if (!(mine->false_accept >= 0 && mine->false_accept <= 0.5f))
        return mni_fail(err, MANN_E_ARG,
                        "%s: a false-accept rate of %g, wanted 0 (the gallery's) to 0.5",
                        call, (double)mine->false_accept);
    return MANN_OK;
}

typedef mann_status (*search_fn)(mni_gallery *g, mann_matrix queries,
                                 const mann_search *s, mni_pool *pool, mann_hit *hits,
                                 mann_answer *answers, mann_error *err);

static mann_status search_with(search_fn fn, const char *call, mann_gallery *g,
                               mann_matrix queries, const mann_search *s, mann_pool *p,
                               mann_hit *hits, mann_answer *answers, mann_error *err)
{
    mann_search mine;
    MNI_NEED(g, call);
    MNI_TRY(mni_take_search(&mine, s, call, err));
    MNI_TRY(check_rows(g, &queries, call, err));
    if (queries.rows == 0) return MANN_OK;
    if (mine.k) MNI_NEED(hits, call);
    return fn(g, queries, &mine, p, hits, answers, err);
}

mann_status mann_gallery_search(mann_gallery *g, mann_matrix queries,
                                const mann_search *s, mann_pool *p, mann_hit *hits,
                                mann_answer *answers, mann_error *err)
{
    return search_with(mni_gallery_search, "mann_gallery_search", g, queries, s, p, hits,
                       answers, err);
}

mann_status mann_gallery_identify(mann_gallery *g, mann_matrix queries,
                                  const mann_search *s, mann_pool *p, mann_hit *hits,
                                  mann_answer *answers, mann_error *err)
{
    return search_with(mni_gallery_identify, "mann_gallery_identify", g, queries, s, p,
                       hits, answers, err);
}

mann_status mann_gallery_within(mann_gallery *g, mann_matrix queries, float distance,
                                const mann_search *s, mann_pool *p, mann_found_fn fn,
                                void *user, mann_error *err)
{
    static const char call[] = "mann_gallery_within";
    mann_search mine;
    MNI_NEED(g, call);
    MNI_NEED(fn, call);
    MNI_TRY(mni_take_search(&mine, s, call, err));
    MNI_TRY(check_rows(g, &queries, call, err));
    if (distance != distance)
        return mni_fail(err, MANN_E_ARG, "%s: the distance is no number", call);
    return mni_gallery_within(g, queries, distance, &mine, p, fn, user, err);
}

mann_status mni_check_recall(double recall, uint32_t k, const char *call, mann_error *err)
{
    if (!(recall > 0 && recall <= 1))
        return mni_fail(err, MANN_E_ARG, "%s: recall %g, wanted above 0 and at most 1",
                        call, recall);
    if (k == 0 || k > 4096)
        return mni_fail(err, MANN_E_ARG, "%s: k is %u, wanted 1..4096", call,
                        (unsigned)k);
    return MANN_OK;
}

mann_status mann_gallery_tune(mann_gallery *g, mann_matrix queries, double recall,
                              uint32_t k, mann_pool *p, mann_tuned *out, mann_error *err)
{
    static const char call[] = "mann_gallery_tune";
    mann_tuned tuned;
    MNI_NEED(g, call);
    MNI_TRY(check_rows(g, &queries, call, err));
    MNI_TRY(mni_check_recall(recall, k, call, err));
    MNI_TRY(mni_gallery_tune(g, queries, recall, k, p, &tuned, err));
    return out ? mni_give_sized(out, &tuned, sizeof tuned, call, err) : MANN_OK;
}

mann_status mann_gallery_recall(mann_gallery *g, uint64_t n, uint32_t k, mann_pool *p,
                                mann_recall *out, mann_error *err)
{
    static const char call[] = "mann_gallery_recall";
    mann_recall mine;
    MNI_NEED(g, call);
    MNI_NEED(out, call);
    MNI_TRY(mni_check_recall(1, k, call, err));
    MNI_TRY(mni_gallery_recall(g, n, k, p, &mine, err));
    return mni_give_sized(out, &mine, sizeof mine, call, err);
}

void mann_gallery_limit(mann_gallery *g, uint64_t mem_bytes)
{
    if (!g) return;
    mni_mutex_lock(&g->writing);
    g->mem_bytes = mem_bytes;
    mni_mutex_unlock(&g->writing);
}

mann_status mann_gallery_thumbs(mann_gallery *g, uint32_t side, mann_error *err)
{
    MNI_NEED(g, "mann_gallery_thumbs");
    if (side && (side < 16 || side > 256))
        return mni_fail(err, MANN_E_ARG, "mann_gallery_thumbs: %u pixels, wanted 16..256",
                        (unsigned)side);
    mni_mutex_lock(&g->writing);
    g->thumb_side = side;
    mni_mutex_unlock(&g->writing);
    return MANN_OK;
}

mann_status mann_gallery_thumb(mann_gallery *g, uint64_t id, void *out, size_t size,
                               size_t *n_bytes, mann_error *err)
{
    MNI_NEED(g, "mann_gallery_thumb");
    MNI_NEED(n_bytes, "mann_gallery_thumb");
    if (size) MNI_NEED(out, "mann_gallery_thumb");
    return mni_gallery_thumb(g, id, out, size, n_bytes, err);
}

mann_status mann_gallery_put_thumbs(mann_gallery *g, const mann_thumb *thumbs, size_t n,
                                    mann_error *err)
{
    MNI_NEED(g, "mann_gallery_put_thumbs");
    if (n) MNI_NEED(thumbs, "mann_gallery_put_thumbs");
    for (size_t i = 0; i < n; i++) MNI_NEED(thumbs[i].bytes, "mann_gallery_put_thumbs");
    return mni_gallery_put_thumbs(g, thumbs, n, err);
}

mann_status mann_gallery_facts(mann_gallery *g,
                               void (*fn)(void *user, const char *name, double value),
                               void *user, mann_error *err)
{
    MNI_NEED(g, "mann_gallery_facts");
    MNI_NEED(fn, "mann_gallery_facts");
    return mni_gallery_facts(g, fn, user, err);
}

/* --- questions ---------------------------------------------------------------------- */

mann_status mann_gallery_class_name(mann_gallery *g, uint32_t klass, char *out,
                                    size_t size, mann_error *err)
{
    MNI_NEED(g, "mann_gallery_class_name");
    MNI_NEED(out, "mann_gallery_class_name");
    return mni_gallery_class_name(g, klass, out, size, err);
}

mann_status mann_gallery_source(mann_gallery *g, uint64_t id, char *out, size_t size,
                                mann_error *err)
{
    MNI_NEED(g, "mann_gallery_source");
    MNI_NEED(out, "mann_gallery_source");
    return mni_gallery_source(g, id, out, size, err);
}

mann_status mann_gallery_key(mann_gallery *g, uint64_t id, char *out, size_t size,
                             mann_error *err)
{
    MNI_NEED(g, "mann_gallery_key");
    MNI_NEED(out, "mann_gallery_key");
    return mni_gallery_key(g, id, out, size, err);
}

mann_status mann_gallery_each(mann_gallery *g,
                              int (*fn)(void *user, const mann_record *r), void *user,
                              mann_error *err)
{
    MNI_NEED(g, "mann_gallery_each");
    MNI_NEED(fn, "mann_gallery_each");
    return mni_gallery_each(g, fn, user, err);
}

mann_status mann_gallery_describe(mann_gallery *g, mann_gallery_info *info,
                                  mann_error *err)
{
    mann_gallery_info i;
    MNI_NEED(g, "mann_gallery_describe");
    MNI_NEED(info, "mann_gallery_describe");
    MNI_TRY(mni_gallery_describe(g, &i, err));
    return mni_give_sized(info, &i, sizeof i, "mann_gallery_describe", err);
}
