/* bench_flat.c - exact search over rows that do not fit into any cache. One query cannot
 * be faster than memory is read, so its share is that of a plain reading of the same
 * bytes, measured in turn; a batch shares each block of rows, so its share is the gain
 * over its queries one by one. SPDX-License-Identifier: MIT */
#include <stdio.h>

#include "base/mem.h"
#include "bench.h"
#include "index/ann.h"
#include "kern/kern_dist.h"

enum { FLOATS = 25 << 20, QUERIES = 64, ALONE = 8, K = 10, LANES = 16 };

typedef struct job {
    mni_rows rows;
    const mni_ann *ann;
    const float *queries;
    mni_scratch *scratch;
    size_t n_bytes;
    mni_near near[QUERIES * K];
    size_t found[QUERIES];
    uint32_t truth[ALONE * K];  /* from the uncoded vectors, in plain double arithmetic */
} job;

/* Every word once, in lanes that the compiler may put side by side. */
static void read_all(void *ctx)
{
    const job *j = ctx;
    const uint64_t *word = j->rows.data;
    uint64_t lane[LANES] = { 0 };
    for (size_t i = 0; i + LANES <= j->n_bytes / sizeof *word; i += LANES)
        for (int l = 0; l < LANES; l++) lane[l] ^= word[i + (size_t)l];
    bench_use(lane);
}

static void one_query(void *ctx)
{
    job *j = ctx;
    const mni_ann_params p = { .k = K };
    mni_ann_search(j->ann, &j->rows, j->queries, &p, j->scratch, j->near, j->found, NULL);
    bench_use(j->near);
}

/* ALONE of the queries: all of them would take most of the time of `make bench`. */
static void one_by_one(void *ctx)
{
    job *j = ctx;
    const mni_ann_params p = { .k = K };
    for (size_t q = 0; q < ALONE; q++)
        mni_ann_search(j->ann, &j->rows, j->queries + q * j->rows.dim, &p, j->scratch,
                       j->near + q * K, j->found + q, NULL);
    bench_use(j->near);
}

static void batch(void *ctx)
{
    job *j = ctx;
    const mni_ann_params p = { .k = K };
    mni_ann_search_batch(j->ann, &j->rows, j->queries, QUERIES, &p, NULL, j->near,
                         j->found, NULL);
    bench_use(j->near);
}

static void find_truth(job *j, const float *x)
{
    for (size_t q = 0; q < ALONE; q++) {
        double best[K];
        size_t kept = 0;
        for (uint32_t row = 0; row < j->rows.n; row++) {
            const float *a = x + q * j->rows.dim, *b = x + (size_t)row * j->rows.dim;
            double sum = 0;
            for (size_t i = 0; i < j->rows.dim; i++)
                sum += ((double)a[i] - (double)b[i]) * ((double)a[i] - (double)b[i]);
            if (kept == K && sum >= best[K - 1]) continue;
            size_t at = kept < K ? kept++ : K - 1;
            for (; at > 0 && best[at - 1] > sum; at--) {
                best[at] = best[at - 1];
                j->truth[q * K + at] = j->truth[q * K + at - 1];
            }
            best[at] = sum;
            j->truth[q * K + at] = row;
        }
    }
}

/* recall@10 of what the last search left, over the queries whose truth is known. */
static double recall(const job *j, size_t n_queries)
{
    size_t hits = 0;
    for (size_t q = 0; q < n_queries; q++)
        for (size_t i = 0; i < j->found[q]; i++)
            for (size_t t = 0; t < K; t++)
                hits += j->near[q * K + i].row == j->truth[q * K + t];
    return (double)hits / (double)(n_queries * K);
}

static void measure(job *j, const char *dtype)
{
    const char *simd = mni_kern_dist_best()->name;
    const bench_rival alone[] = { { read_all, j }, { one_query, j } };
    const bench_rival many[] = { { one_by_one, j }, { batch, j } };
    bench_time t[2];
    char name[96];
    bench_in_turn(alone, 2, 0.4, t);
    snprintf(name, sizeof name, "index.flat single %s dim=%u rows=%u recall=%.3f", dtype,
             (unsigned)j->rows.dim, (unsigned)j->rows.n, recall(j, 1));
    BENCH_LINE(name, simd, 1, t[1], (double)j->n_bytes / t[1].median * 1e-9, "GB/s",
               t[1].speed);
    bench_in_turn(many, 2, 0.4, t);
    batch(j);
    snprintf(name, sizeof name, "index.flat batch=%d %s dim=%u rows=%u recall=%.3f",
             QUERIES, dtype, (unsigned)j->rows.dim, (unsigned)j->rows.n,
             recall(j, ALONE));
    BENCH_LINE(name, simd, 1, t[1], QUERIES / t[1].median, "q/s",
               t[1].speed * QUERIES / ALONE);
}

void bench_index_flat(void)
{
    static const uint32_t dims[] = { 64, 128, 512 };
    static const struct { mni_dtype dtype; const char *name; } kinds[] = {
        { MNI_F32, "f32" }, { MNI_F16, "f16" }, { MNI_I8, "i8" }
    };
    float *x = bench_floats(FLOATS), *scale = bench_floats(FLOATS / 64);
    char *coded = bench_memory((size_t)FLOATS * sizeof *x);
    job *j = bench_memory(sizeof *j);
    for (size_t d = 0; d < sizeof dims / sizeof *dims; d++)
        for (size_t t = 0; t < sizeof kinds / sizeof *kinds; t++) {
            const uint32_t dim = dims[d], n = FLOATS / dim;
            const size_t row_bytes = dim * mni_dtype_bytes(kinds[t].dtype);
            mni_ann *ann;
            for (size_t i = 0; i < n; i++)
                mni_rows_encode(kinds[t].dtype, x + i * dim, dim, coded + i * row_bytes,
                                scale + i);
            *j = (job){ .rows = { .data = coded, .scale = scale, .n = n, .dim = dim,
                                  .dtype = kinds[t].dtype, .metric = MANN_L2 },
                        .queries = x, .n_bytes = n * row_bytes };
            if (mni_ann_build(&ann, "Flat", &(mni_ann_job){ .rows = &j->rows }, NULL) !=
                MANN_OK)
                break;
            j->ann = ann;
            find_truth(j, x);
            if (mni_scratch_new(&j->scratch, NULL) == MANN_OK) measure(j, kinds[t].name);
            mni_scratch_free(j->scratch);
            mni_ann_free(ann);
        }
    mni_free(j);
    mni_free(coded);
    mni_free(scale);
    mni_free(x);
}
