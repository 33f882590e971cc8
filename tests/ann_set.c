/* ann_set.c - see ann_set.h. SPDX-License-Identifier: MIT */
#include "ann_set.h"

#include <string.h>

#include "base/mem.h"
#include "base/rng.h"
#include "harness.h"

enum { A_CENTRE = 20 };

static void draw(const ann_set *s, uint64_t slot, uint32_t i, float *v)
{
    mni_rng r = mni_rng_at(test_seed(), MNI_FOR_TEST, 7, slot, i);
    const uint32_t centres = s->cap / A_CENTRE + 1;
    mni_rng c =
        mni_rng_at(test_seed(), MNI_FOR_TEST, 8, 0, mni_rng_below(&r, centres));
    for (uint32_t d = 0; d < s->rows.dim; d++)
        v[d] = mni_rng_normal(&c) + 0.4f * mni_rng_normal(&r);
}

void ann_set_put(ann_set *s, uint32_t row, const float *v)
{
    const size_t row_bytes = s->rows.dim * mni_dtype_bytes(s->rows.dtype);
    float *x = mni_memdup(v, s->rows.dim * sizeof *v);
    CHECK(x);
    CHECK_OK(mni_rows_prepare(s->rows.metric, x, s->rows.dim, "row", row, NULL));
    mni_rows_encode(s->rows.dtype, x, s->rows.dim, s->data + row * row_bytes,
                    &s->scale[row]);
    mni_free(x);
}

void ann_set_grow(ann_set *s, uint32_t n, uint64_t slot)
{
    float *v = mni_alloc(s->rows.dim, sizeof *v);
    CHECK(v && s->rows.n + n <= s->cap);
    for (uint32_t i = 0; i < n; i++) {
        draw(s, slot, i, v);
        ann_set_put(s, s->rows.n + i, v);
    }
    s->rows.n += n;
    mni_free(v);
}

ann_set ann_set_new(mni_dtype dtype, mann_metric metric, uint32_t n, uint32_t dim,
                    uint64_t slot)
{
    ann_set s = { .rows = { .dim = dim, .dtype = dtype, .metric = metric },
                  .cap = 2 * n + 100 };
    s.data = mni_alloc(s.cap, dim * mni_dtype_bytes(dtype));
    s.scale = mni_alloc(s.cap, sizeof *s.scale);
    CHECK(s.data && s.scale);
    s.rows.data = s.data;
    s.rows.scale = dtype == MNI_I8 ? s.scale : NULL;
    ann_set_grow(&s, n, slot);
    return s;
}

void ann_set_free(ann_set *s)
{
    mni_free(s->data);
    mni_free(s->scale);
}

void ann_set_drop(ann_set *s, uint32_t row)
{
    const size_t row_bytes = s->rows.dim * mni_dtype_bytes(s->rows.dtype);
    const uint32_t last = --s->rows.n;
    memmove(s->data + row * row_bytes, s->data + last * row_bytes, row_bytes);
    s->scale[row] = s->scale[last];
}

float *ann_set_queries(const ann_set *s, uint32_t n, uint64_t slot)
{
    const uint32_t dim = s->rows.dim;
    float *q = mni_alloc(n, dim * sizeof *q);
    CHECK(q);
    for (uint32_t i = 0; i < n; i++) {
        draw(s, slot, i, q + (size_t)i * dim);
        CHECK_OK(mni_rows_prepare(s->rows.metric, q + (size_t)i * dim, dim, "query", i,
                                  NULL));
    }
    return q;
}

mni_ann *ann_built(const char *spec, const ann_set *s, mni_pool *pool)
{
    mann_error e;
    mni_ann *a = NULL;
    const mni_ann_job job = { .rows = &s->rows, .seed = 5, .pool = pool };
    CHECK_FINE(mni_ann_build(&a, spec, &job, &e), e);
    return a;
}

static mni_near *answers(const mni_ann *a, const ann_set *s, const float *queries,
                         uint32_t n, const mni_ann_params *p, size_t *found)
{
    mni_near *out = mni_alloc(n, (p->k + 1) * sizeof *out);
    CHECK(out);
    CHECK_OK(
        mni_ann_search_batch(a, &s->rows, queries, n, p, NULL, out, found, NULL));
    return out;
}

double ann_recall(const mni_ann *a, const ann_set *s, const float *queries, uint32_t n,
                  const mni_ann_params *p)
{
    mni_ann *flat = ann_built("Flat", s, NULL);
    size_t *want_n = mni_alloc(n, sizeof *want_n), *got_n = mni_alloc(n, sizeof *got_n);
    mni_near *want = answers(flat, s, queries, n, p, want_n);
    mni_near *got = answers(a, s, queries, n, p, got_n);
    size_t hits = 0, all = 0;
    for (uint32_t q = 0; q < n; q++) {
        const mni_near *g = got + (size_t)q * p->k, *w = want + (size_t)q * p->k;
        all += want_n[q];
        for (size_t i = 0; i < got_n[q]; i++) {
            float d;
            CHECK(g[i].row < s->rows.n);
            CHECK(i == 0 || mni_nearer(g[i - 1], g[i]));
            CHECK(!p->keep || p->keep(p->keep_ctx, g[i].row));
            mni_rows_scan(&s->rows, queries + (size_t)q * s->rows.dim, g[i].row,
                          g[i].row + 1, &d);
            CHECK(d == g[i].distance);
            for (size_t j = 0; j < want_n[q]; j++) hits += w[j].row == g[i].row;
        }
    }
    mni_free(want_n);
    mni_free(got_n);
    mni_free(want);
    mni_free(got);
    mni_ann_free(flat);
    return all ? (double)hits / (double)all : 1.0;
}

void ann_same_as_flat(const mni_ann *a, const ann_set *s, const float *queries,
                      uint32_t n, const mni_ann_params *p)
{
    mni_ann *flat = ann_built("Flat", s, NULL);
    size_t *want_n = mni_alloc(n, sizeof *want_n), *got_n = mni_alloc(n, sizeof *got_n);
    mni_near *want = answers(flat, s, queries, n, p, want_n);
    mni_near *got = answers(a, s, queries, n, p, got_n);
    for (uint32_t q = 0; q < n; q++) {
        CHECK_EQ(got_n[q], want_n[q]);
        for (size_t i = 0; i < got_n[q]; i++) {
            const size_t at = (size_t)q * p->k + i;
            const mni_near *g = got + at, *w = want + at;
            if (memcmp(g, w, sizeof *g) != 0)
                test_fail(__FILE__, __LINE__,
                          "query %u, place %u: row %u at %.9g, wanted row %u at %.9g", q,
                          (unsigned)i, g->row, (double)g->distance, w->row,
                          (double)w->distance);
        }
    }
    mni_free(want_n);
    mni_free(got_n);
    mni_free(want);
    mni_free(got);
    mni_ann_free(flat);
}

void ann_saved(const mni_ann *a, const mni_vfs *v, const char *path)
{
    mni_writer *w;
    CHECK_OK(mni_writer_new(&w, v, path, MNI_FILE_INDEX, mni_uuid_from(1, 2), 1, NULL));
    mni_ann_write(a, w);
    CHECK_OK(mni_writer_finish(w, NULL));
}

uint64_t ann_bytes(const mni_ann *a)
{
    mni_buf b = { 0 };
    mni_writer *w;
    CHECK_OK(
        mni_writer_new_buf(&w, &b, MNI_FILE_INDEX, mni_uuid_from(1, 2), 1, NULL));
    mni_ann_write(a, w);
    CHECK_OK(mni_writer_finish(w, NULL));
    const uint64_t hash = mni_hash_bytes(b.bytes, b.n_bytes, 0);
    mni_buf_fini(&b);
    return hash;
}
