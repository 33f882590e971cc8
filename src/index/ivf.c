/* ivf.c - making inverted lists: centres from k-means, every row to its nearest, codes.
 * See ivf.h, and "IVF" in README.md. After Jegou, Douze and Schmid, "Product quantization
 * for nearest neighbor search", PAMI 2011, section 4. SPDX-License-Identifier: MIT */
#include "index/ivf.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "index/kmeans.h"

enum { PIECE = 256, GRAIN = 4096, FEW = 39 };

mann_status mni_ivf_new(mni_ivf **out, const mni_rows *rows, uint32_t n_lists,
                        mann_error *err)
{
    mni_ivf *v = mni_alloc(1, sizeof *v);
    *out = NULL;
    if (v) {
        v->n_lists = n_lists;
        v->dim = rows->dim;
        v->n_rows = rows->n;
        v->metric = rows->metric;
        v->centre = mni_alloc(n_lists, (size_t)rows->dim * sizeof *v->centre);
        v->around = mni_alloc(n_lists, sizeof *v->around);
    }
    if (!v || !v->centre || !v->around) {
        if (v) mni_ivf_free(&v->base);
        return mni_fail(err, MANN_E_NOMEM, "index: %lu centres of lists",
                        (unsigned long)n_lists);
    }
    *out = v;
    return MANN_OK;
}

void mni_ivf_free(mni_ann *a)
{
    mni_ivf *v = mni_ivf_of(a);
    if (!v) return;
    mni_free(v->centre);
    mni_free(v->around);
    mni_centres_fini(&v->centres);
    mni_lists_fini(&v->lists);
    mni_pq_free(v->pq);
    mni_free(v);
}

size_t mni_ivf_code_bytes(const mni_ivf *v)
{
    return v->pq ? mni_pq_block_bytes(v->pq) : mni_code8_block_bytes(v->dim);
}

size_t mni_ivf_unit(const mni_ivf *v)
{
    return !v->pq ? 4 : v->pq->width == 16 ? 0 : 1;
}

mann_status mni_ivf_lists(mni_ivf *v, const uint32_t *sizes, mann_error *err)
{
    return mni_lists_new(&v->lists, v->n_lists, sizes, mni_ivf_code_bytes(v),
                         mni_ivf_unit(v), MNI_IVF_FILL, err);
}

mann_status mni_ivf_room_init(mni_ivf_room *r, const mni_ivf *v, mann_error *err)
{
    const size_t dim = v->dim;
    *r = (mni_ivf_room){ .list = MNI_NO_ROW };
    r->r = mni_alloc(v->pq ? 4 : 1, dim * sizeof *r->r);
    r->codes = mni_alloc(v->pq ? v->pq->pieces : 1, 1);
    if (!r->r || !r->codes) {
        mni_ivf_room_fini(r);
        return mni_fail(err, MANN_E_NOMEM, "index: room for the codes of a row");
    }
    if (v->pq) {
        r->turned = r->r + dim;
        r->kept = r->turned + dim;
        r->centre = r->kept + dim;
    }
    return MANN_OK;
}

void mni_ivf_room_fini(mni_ivf_room *r)
{
    mni_free(r->r);
    mni_free(r->codes);
    *r = (mni_ivf_room){ 0 };
}

/* --- rows to lists ----------------------------------------------------------------- */

typedef struct assigning {
    const mni_ivf *v;
    const mni_rows *rows;
    uint32_t first, *list;
    double *sum;                /* per chunk; negative: no memory */
} assigning;

static void assign_chunk(void *ctx, size_t begin, size_t end, size_t chunk)
{
    const assigning *a = ctx;
    const uint32_t dim = a->v->dim;
    const int decoded = a->rows->dtype != MNI_F32;
    void *room = mni_alloc_aligned(1, mni_centres_work_bytes(&a->v->centres), 0);
    float *x = mni_alloc(decoded ? PIECE : 1, dim * sizeof *x);
    float *distance = mni_alloc(PIECE, sizeof *distance);
    double sum = room && x && distance ? 0 : -1;
    mni_centres_work w = { 0 };
    if (room) w = mni_centres_work_in(&a->v->centres, room);
    for (size_t at = begin; sum >= 0 && at < end; at += PIECE) {
        const size_t n = end - at < PIECE ? end - at : PIECE;
        const float *from = (const float *)a->rows->data + (a->first + at) * dim;
        for (size_t i = 0; decoded && i < n; i++)
            mni_rows_get(a->rows, (uint32_t)(a->first + at + i), x + i * dim);
        mni_centres_assign(&a->v->centres, decoded ? x : from, n, NULL, NULL, &w,
                           a->list + at, distance);
        for (size_t i = 0; i < n; i++)
            if (distance[i] < INFINITY) sum += distance[i];
    }
    a->sum[chunk] = sum;
    mni_free(room);
    mni_free(x);
    mni_free(distance);
}

mann_status mni_ivf_assign(const mni_ivf *v, const mni_rows *rows, uint32_t first,
                           mni_pool *pool, uint32_t *list, double *sum, mann_error *err)
{
    const size_t n = rows->n - first, n_chunks = mni_chunk_count(n, GRAIN);
    assigning a = { v, rows, first, list, mni_alloc(n_chunks, sizeof *a.sum) };
    double total = 0;
    int fine = a.sum != NULL;
    if (fine) mni_parallel_for(pool, n, GRAIN, assign_chunk, &a);
    for (size_t i = 0; fine && i < n_chunks; i++) {
        fine = a.sum[i] >= 0;
        total += a.sum[i];
    }
    mni_free(a.sum);
    if (sum) *sum = total;
    return fine ? MANN_OK
                : mni_fail(err, MANN_E_NOMEM, "index: lists of %llu rows",
                           (unsigned long long)n);
}

/* --- codes ------------------------------------------------------------------------- */

static void residual(const mni_ivf *v, const mni_rows *rows, uint32_t list, uint32_t row,
                     float *r)
{
    const float *c = v->centre + (size_t)list * v->dim;
    mni_rows_get(rows, row, r);
    for (uint32_t d = 0; d < v->dim; d++) r[d] -= c[d];
}

void mni_ivf_scale(mni_ivf *v, const mni_rows *rows, uint32_t list,
                   const uint32_t *which, uint32_t n, mni_ivf_room *room)
{
    float *r = room->r;
    const float *c = v->centre + (size_t)list * v->dim;
    double length = 0;
    float most = 0;
    v->around[list] = (mni_around8){ 0 };
    if (v->pq) return;
    for (uint32_t i = 0; i < n; i++) {
        residual(v, rows, list, which[i], r);
        const float s = mni_code8_scale(r, v->dim);
        most = s > most ? s : most;
    }
    for (uint32_t d = 0; d < v->dim; d++) length += (double)c[d] * c[d];
    v->around[list] = (mni_around8){ .scale = most,
                                     .centre = (float)(sqrt(length) * 1.000001) };
}

void mni_ivf_put(mni_ivf *v, const mni_rows *rows, uint32_t list, uint32_t at,
                 uint32_t row, mni_ivf_room *room)
{
    float *r = room->r;
    uint8_t *block = mni_list_block(&v->lists, list, at / MNI_LIST_ROWS);
    const uint32_t slot = at % MNI_LIST_ROWS;
    const float *c = v->centre + (size_t)list * v->dim, *m = v->centres.middle;
    mni_around8 *around = &v->around[list];
    double size = 0, across = 0;
    residual(v, rows, list, row, r);
    mni_block_rows(block)[slot] = row;
    if (v->pq) {
        mni_ivfpq_put(v, list, at, room);
        return;
    }
    for (uint32_t d = 0; d < v->dim; d++) {
        size += (double)r[d] * r[d];
        across += ((double)c[d] - m[d]) * r[d];
    }
    const double error =
        mni_code8_put(mni_block_codes(block), slot, r, v->dim, around->scale);
    const float wrong = (float)(sqrt(error) * 1.000001),
                reach = (float)(sqrt(size) * 1.000001);
    if (!(wrong <= around->error)) around->error = wrong;
    if (!(reach <= around->reach)) around->reach = reach;
    mni_block_plus(block)[slot] =
        v->metric == MANN_INNER ? 0.0f : (float)(size + 2 * across);
}

typedef struct filling {
    mni_ivf *v;
    const mni_rows *rows;
    const uint32_t *order, *first;      /* rows by list; where each list begins */
    uint8_t *failed;
} filling;

static void fill_lists(void *ctx, size_t begin, size_t end, size_t chunk)
{
    const filling *f = ctx;
    mni_ivf_room room;
    const int fine = mni_ivf_room_init(&room, f->v, NULL) == MANN_OK;
    f->failed[chunk] = !fine;
    for (uint32_t l = (uint32_t)begin; fine && l < end; l++) {
        const uint32_t *which = f->order + f->first[l], n = f->first[l + 1] - f->first[l];
        mni_ivf_scale(f->v, f->rows, l, which, n, &room);
        for (uint32_t i = 0; i < n; i++)
            mni_ivf_put(f->v, f->rows, l, i, which[i], &room);
    }
    mni_ivf_room_fini(&room);
}

/* The lists, from list_of, which is taken. */
static mann_status make_lists(mni_ivf *v, const mni_rows *rows, uint32_t *list_of,
                              mni_pool *pool, mann_error *err)
{
    enum { LISTS = 8 };
    const uint32_t n = rows->n, k = v->n_lists;
    const size_t n_chunks = mni_chunk_count(k, LISTS);
    uint32_t *first = mni_alloc((size_t)k + 2, sizeof *first);
    uint32_t *order = mni_alloc(n, sizeof *order), *sizes = mni_alloc(k, sizeof *sizes);
    filling f = { v, rows, order, first, mni_alloc(n_chunks, 1) };
    mann_status s = mni_fail(err, MANN_E_NOMEM, "index: order of %lu rows",
                             (unsigned long)n);
    if (first && order && sizes && f.failed) {
        for (uint32_t i = 0; i < n; i++) sizes[list_of[i]]++;
        for (uint32_t l = 0; l < k; l++) first[l + 2] = first[l + 1] + sizes[l];
        for (uint32_t i = 0; i < n; i++) order[first[list_of[i] + 1]++] = i;
        s = mni_ivf_lists(v, sizes, err);
    }
    if (s == MANN_OK) {
        v->lists.list_of = list_of;
        v->lists.cap_rows = (size_t)n + 1;
        list_of = NULL;
        mni_parallel_for(pool, k, LISTS, fill_lists, &f);
        for (size_t i = 0; i < n_chunks; i++)
            if (f.failed[i]) s = mni_fail(err, MANN_E_NOMEM, "index: codes of a list");
    }
    mni_free(list_of);
    mni_free(first);
    mni_free(order);
    mni_free(sizes);
    mni_free(f.failed);
    return s;
}

/* --- learning ---------------------------------------------------------------------- */

/* Rows spread evenly over the sample, as floats. */
static float *spread(const mni_rows *from, uint32_t n)
{
    float *x = mni_alloc((size_t)n * from->dim, sizeof *x);
    for (uint32_t i = 0; x && i < n; i++)
        mni_rows_get(from, (uint32_t)((uint64_t)i * from->n / n),
                     x + (size_t)i * from->dim);
    return x;
}

static mann_status learn(mni_ivf *v, const mni_ann_job *job, mann_error *err)
{
    const mni_rows *from = job->sample && job->sample->n ? job->sample : job->rows;
    uint32_t n = from->n;
    if (n / MNI_IVF_ROWS > v->n_lists) n = v->n_lists * MNI_IVF_ROWS;
    if (n > 0) {
        const uint64_t bytes = (uint64_t)n * v->dim * sizeof(float) +
                               mni_kmeans_bytes(n, v->dim, v->n_lists);
        if (job->mem_bytes && bytes > job->mem_bytes)
            return mni_fail(err, MANN_E_BUDGET,
                            "index: learning %lu lists takes %llu bytes, allowed are "
                            "%llu", (unsigned long)v->n_lists, (unsigned long long)bytes,
                            (unsigned long long)job->mem_bytes);
        float *x = spread(from, n);
        if (!x) return mni_fail(err, MANN_E_NOMEM, "index: %lu rows to learn from",
                                (unsigned long)n);
        const mni_kmeans_job km = { .x = x, .n = n, .dim = v->dim, .k = v->n_lists,
                                    .rounds = MNI_IVF_ROUNDS, .seed = job->seed,
                                    .pool = job->pool, .hooks = job->hooks };
        const mann_status s = mni_kmeans(&km, v->centre, NULL, err);
        mni_free(x);
        MNI_TRY(s);
    }
    return mni_centres_init(&v->centres, v->centre, v->n_lists, v->dim, v->metric, NULL,
                            err);
}

static void warn_few(const mni_ivf *v, const mni_spec *s, const mni_ann_job *job)
{
    char text[160];
    if (!s->lists || s->lists < 2 || v->n_rows / s->lists >= FEW || !job->hooks ||
        !job->hooks->note)
        return;
    snprintf(text, sizeof text,
             "index: %lu rows in %lu lists are fewer than %d a list; fewer lists would "
             "find more", (unsigned long)v->n_rows, (unsigned long)v->n_lists, FEW);
    job->hooks->note(job->hooks->user, MANN_NOTE_WARNING, text);
}

mann_status mni_ivf_build(mni_ann **out, const char *spec, const mni_ann_job *job,
                          mann_error *err)
{
    mni_spec s;
    mni_ivf *v;
    *out = NULL;
    MNI_TRY(mni_spec_parse(&s, spec, err));
    const uint32_t n = job->rows->n;
    const uint32_t n_lists = s.family == MNI_FLAT ? 1 : mni_spec_lists(&s, n);
    MNI_TRY(mni_ivf_new(&v, job->rows, n_lists, err));
    warn_few(v, &s, job);
    mann_status st = learn(v, job, err);
    if (st == MANN_OK && s.family == MNI_IVFPQ) st = mni_ivfpq_learn(v, &s, job, err);
    uint32_t *list_of = mni_alloc((size_t)n + 1, sizeof *list_of);
    if (st == MANN_OK && !list_of)
        st = mni_fail(err, MANN_E_NOMEM, "index: lists of %lu rows", (unsigned long)n);
    if (st == MANN_OK)
        st = mni_ivf_assign(v, job->rows, 0, job->pool, list_of, &v->error, err);
    if (st == MANN_OK) {
        v->learned = n;
        v->error = n ? v->error / n : 0;
        st = make_lists(v, job->rows, list_of, job->pool, err);
        list_of = NULL;
    }
    mni_free(list_of);
    if (st == MANN_OK) st = mni_ivf_tune(v, job->rows, job->pool, err);
    if (st != MANN_OK) {
        mni_ivf_free(&v->base);
        return st;
    }
    if (s.nprobe) v->base.knob = s.nprobe;
    *out = &v->base;
    return MANN_OK;
}

/* --- the tables -------------------------------------------------------------------- */

static int accepts_ivf(const char *spec, char canonical[MNI_ANN_SPEC])
{
    mni_spec s;
    return mni_spec_is(MNI_IVF, spec, &s, canonical) && s.codes != MNI_CODES_SQ4;
}

static int accepts_sq8(const char *spec, char canonical[MNI_ANN_SPEC])
{
    mni_spec s;
    return mni_spec_is(MNI_FLAT, spec, &s, canonical) && s.codes == MNI_CODES_SQ8;
}

/* A code of a byte a value counts as a quarter of a distance. */
static void cost(const char *spec, const mni_rows *shape, mni_ann_cost *out)
{
    mni_spec s;
    *out = (mni_ann_cost){ 0 };
    if (mni_spec_parse(&s, spec, NULL) != MANN_OK) return;
    const uint32_t n = shape->n, dim = shape->dim;
    const double lists = s.family == MNI_FLAT ? 1 : mni_spec_lists(&s, n);
    const double learn = lists * MNI_IVF_ROWS < n ? lists * MNI_IVF_ROWS : n;
    const uint32_t pieces = mni_pq_pieces(s.pieces, s.bits ? s.bits : 8, dim);
    const double code = s.family != MNI_IVFPQ ? mni_code8_groups(dim) * 4.0
                                              : pieces * (s.bits / 8.0);
    const double row = MNI_LIST_HEAD / MNI_LIST_ROWS + code;
    const double width = s.bits == 4 ? 16 : 256;
    /* half a block a list stays empty; one list in 32 is looked at, four at least */
    const double probes = lists <= 4 ? lists : lists < 128 ? 4 : lists / 32;
    out->file_bytes = (uint64_t)((n + lists * MNI_LIST_ROWS / 2) * row +
                                 lists * (dim * 4.0 + 20));
    out->build_bytes = out->file_bytes + (uint64_t)(learn * (dim * 5.0 + 60) + n * 12.0);
    out->build_distances = lists * (learn * MNI_IVF_ROUNDS + n) / 4.0;
    out->query_distances = lists / 4.0 + n * (probes / lists) / 4.0 + MNI_IVF_K * 4;
    if (s.family != MNI_IVFPQ) return;
    /* books; and every row is compared with all words of all pieces */
    const double taught = n < MNI_PQ_LEARN ? n : MNI_PQ_LEARN > 256 * width
                                             ? MNI_PQ_LEARN : 256 * width;
    out->file_bytes += (uint64_t)(dim * width * 4.0 + (s.rotate ? dim * 4.0 * dim : 0));
    out->build_bytes += (uint64_t)(taught * dim * (s.rotate ? 8.0 : 4.0));
    out->build_distances += (n + taught * 6.0) * width;
    out->query_distances = lists / 4.0 + width + n * (probes / lists) * code / dim / 4.0 +
                           MNI_IVF_K * 8 + (s.rotate ? dim : 0);
}

const mni_ann_ops mni_ivf_ops = {
    .name = "IVF", .knob = "nprobe", .accepts = accepts_ivf, .cost = cost,
    .build = mni_ivf_build, .fold = mni_ivf_fold, .add = mni_ivf_add,
    .remove = mni_ivf_remove, .own = mni_ivf_own, .open = mni_ivf_open,
    .write = mni_ivf_write, .check = mni_ivf_check, .search = mni_ivf_search,
    .report = mni_ivf_report, .free = mni_ivf_free
};

static int accepts_pq(const char *spec, char canonical[MNI_ANN_SPEC])
{
    mni_spec s;
    return mni_spec_is(MNI_IVFPQ, spec, &s, canonical);
}

const mni_ann_ops mni_ivfpq_ops = {
    .name = "IVFPQ", .knob = "nprobe", .accepts = accepts_pq, .cost = cost,
    .build = mni_ivf_build, .fold = mni_ivf_fold, .add = mni_ivf_add,
    .remove = mni_ivf_remove, .own = mni_ivf_own, .open = mni_ivf_open,
    .write = mni_ivf_write, .check = mni_ivf_check, .search = mni_ivf_search,
    .report = mni_ivf_report, .free = mni_ivf_free
};

const mni_ann_ops mni_sq8_ops = {
    .name = "SQ8", .knob = NULL, .accepts = accepts_sq8, .cost = cost,
    .build = mni_ivf_build, .fold = mni_ivf_fold, .add = mni_ivf_add,
    .remove = mni_ivf_remove, .own = mni_ivf_own, .open = mni_ivf_open,
    .write = mni_ivf_write, .check = mni_ivf_check, .search = mni_ivf_search,
    .report = mni_ivf_report, .free = mni_ivf_free
};
