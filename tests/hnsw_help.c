/* hnsw_help.c - see hnsw_help.h. SPDX-License-Identifier: MIT */
#include "hnsw_help.h"

#include <string.h>

#include "base/mem.h"
#include "base/rng.h"
#include "harness.h"

enum { MOST_K = 64 };

static void point(const hnsw_set *s, uint64_t centre, uint64_t number, float spread,
                  float *out)
{
    mni_rng a = mni_rng_at(test_seed(), MNI_FOR_TEST, 1, 0, centre),
            b = mni_rng_at(test_seed(), MNI_FOR_TEST, 2, 0, number);
    for (uint32_t j = 0; j < s->rows.dim; j++)
        out[j] = mni_rng_normal(&a) + spread * mni_rng_normal(&b);
    CHECK_OK(mni_rows_prepare(s->rows.metric, out, s->rows.dim, "row", number, NULL));
}

void hnsw_row(const hnsw_set *s, uint64_t number, float *out)
{
    point(s, number % 97, number + (1u << 30), 0.6f, out);
}

void hnsw_fill(hnsw_set *s, uint32_t n, uint32_t cap, uint32_t dim, mann_metric metric,
               uint32_t per_class, int sorted)
{
    const uint32_t classes = (n + per_class - 1) / per_class;
    *s = (hnsw_set){ .rows = { .n = n, .dim = dim, .metric = metric, .dtype = MNI_F32 },
                     .cap = cap };
    s->data = mni_alloc((size_t)cap * dim, sizeof *s->data);
    CHECK(s->data != NULL);
    s->rows.data = s->data;
    for (uint32_t i = 0; i < n; i++)
        point(s, sorted ? i / per_class : i % classes, i, 0.6f,
              s->data + (size_t)i * dim);
}

void hnsw_make(hnsw_set *s, const char *spec, mni_pool *pool)
{
    mann_error e;
    const mni_ann_job job = { .rows = &s->rows, .seed = 5, .pool = pool };
    CHECK_FINE(mni_ann_build(&s->ann, spec, &job, &e), e);
}

double hnsw_recall(const hnsw_set *s, uint32_t n_queries, uint32_t k, uint32_t ef)
{
    const mni_ann_params p = { .k = k, .ef = ef };
    const mni_ann_job job = { .rows = &s->rows };
    mni_near want[MOST_K], got[MOST_K];
    size_t n_want, n_got, hits = 0, all = 0;
    mni_ann *flat;
    mni_scratch *scratch;
    float *q = mni_alloc(s->rows.dim, sizeof *q);
    CHECK(k <= MOST_K);
    CHECK_OK(mni_ann_build(&flat, "Flat", &job, NULL));
    CHECK_OK(mni_scratch_new(&scratch, NULL));
    for (uint32_t i = 0; i < n_queries; i++) {
        hnsw_row(s, i + 5000000, q);
        CHECK_OK(mni_ann_search(flat, &s->rows, q, &p, scratch, want, &n_want, NULL));
        CHECK_OK(mni_ann_search(s->ann, &s->rows, q, &p, scratch, got, &n_got, NULL));
        CHECK_EQ(n_got, n_want);
        for (size_t a = 0; a < n_want; a++)
            for (size_t b = 0; b < n_got; b++)
                if (want[a].row == got[b].row) {
                    CHECK(memcmp(&want[a], &got[b], sizeof *want) == 0); /* same bits */
                    hits++;
                }
        all += n_want;
    }
    mni_free(q);
    mni_ann_free(flat);
    mni_scratch_free(scratch);
    return all ? (double)hits / (double)all : 1.0;
}

void hnsw_add(hnsw_set *s, const float *row, mni_pool *pool)
{
    mann_error e;
    CHECK(s->rows.n < s->cap);
    memcpy(s->data + (size_t)s->rows.n * s->rows.dim, row, s->rows.dim * sizeof *row);
    s->rows.n++;
    CHECK_FINE(mni_ann_add(s->ann, &s->rows, s->rows.n - 1, pool, &e), e);
}

void hnsw_remove(hnsw_set *s, const uint32_t *gone, size_t n, mni_pool *pool)
{
    mann_error e;
    CHECK_FINE(mni_ann_remove(s->ann, &s->rows, gone, n, pool, &e), e);
    for (size_t i = 0; i < n; i++) {
        const size_t dim = s->rows.dim;
        memmove(s->data + gone[i] * dim, s->data + --s->rows.n * dim,
                dim * sizeof(float));
    }
}

void hnsw_sound(const hnsw_set *s)
{
    mann_error e;
    CHECK_FINE(mni_ann_check(s->ann, &s->rows, &e), e);
}

void hnsw_save(const hnsw_set *s, mni_buf *buf)
{
    mni_writer *w;
    CHECK_OK(mni_writer_new_buf(&w, buf, MNI_FILE_INDEX, mni_uuid_from(1, 2), 1, NULL));
    mni_ann_write(s->ann, w);
    CHECK_OK(mni_writer_finish(w, NULL));
}

void hnsw_drop(hnsw_set *s)
{
    mni_ann_free(s->ann);
    mni_free(s->data);
}
