/* test_kmeans.c - centres: the nearest one is that of plain arithmetic, k-means finds
 * what is there, and threads change nothing. SPDX-License-Identifier: MIT */
#include "index/kmeans.h"

#include <math.h>
#include <string.h>

#include "base/mem.h"
#include "base/rng.h"
#include "harness.h"
#include "index/centres.h"
#include "kern/kern_dist.h"

static float *numbers(size_t n, uint64_t slot, float shift)
{
    float *x = mni_alloc(n, sizeof *x);
    mni_rng r = mni_rng_at(test_seed(), MNI_FOR_TEST, 3, n, slot);
    CHECK(x);
    for (size_t i = 0; i < n; i++) x[i] = mni_rng_normal(&r) + shift;
    return x;
}

/* Bytes choose whom to measure, floats decide: the same as measuring all. Far from the
 * origin, where bytes and floats are coarse, too. */
static void nearest_is_exact(void)
{
    static const uint32_t dims[] = { 1, 3, 4, 17, 64, 300 };
    static const uint32_t counts[] = { 1, 31, 33, 700 };
    static const float shifts[] = { 0, 1000 };
    for (size_t d = 0; d < 6; d++)
        for (size_t k = 0; k < 4; k++)
            for (size_t t = 0; t < 2; t++) {
                const uint32_t dim = dims[d], n = counts[k];
                float *at = numbers((size_t)n * dim, 1, shifts[t]);
                float *x = numbers((size_t)50 * dim, 2, shifts[t]);
                float *all = mni_alloc(n, sizeof *all), distance[50];
                uint32_t nearest[50];
                mni_centres c;
                CHECK_OK(mni_centres_init(&c, at, n, dim, MANN_L2, NULL, NULL));
                CHECK_OK(mni_centres_assign_all(&c, x, 50, NULL, NULL, NULL, nearest,
                                                distance, NULL));
                for (uint32_t i = 0; i < 50; i++) {
                    mni_near best = { INFINITY, 0 };
                    mni_kern_dist_best()->l2_rows(x + i * dim, at, n, dim, dim, all);
                    for (uint32_t j = 0; j < n; j++)
                        if (mni_nearer((mni_near){ all[j], j }, best))
                            best = (mni_near){ all[j], j };
                    CHECK_EQ(nearest[i], best.row);
                    CHECK(distance[i] == best.distance);
                }
                mni_centres_fini(&c);
                mni_free(all);
                mni_free(at);
                mni_free(x);
            }
}

static void a_few_nearest_are_exact(void)
{
    enum { N = 333, DIM = 20 };
    static const mann_metric metrics[] = { MANN_L2, MANN_INNER };
    float *at = numbers((size_t)N * DIM, 1, 0), *x = numbers(DIM, 2, 0), all[N];
    for (int m = 0; m < 2; m++)
        for (uint32_t k = 1; k <= N; k += 83) {
            mni_centres c;
            mni_near found[N], want[N];
            mni_topk got, best;
            CHECK_OK(mni_centres_init(&c, at, N, DIM, metrics[m], NULL, NULL));
            void *room = mni_alloc_aligned(1, mni_centres_work_bytes(&c), 0);
            mni_centres_work w = mni_centres_work_in(&c, room);
            mni_topk_init(&got, found, k);
            mni_topk_init(&best, want, k);
            mni_centres_search(&c, x, NULL, NULL, &w, &got);
            const mni_kern_dist *kd = mni_kern_dist_best();
            (m ? kd->ip_rows : kd->l2_rows)(x, at, N, DIM, DIM, all);
            for (uint32_t i = 0; i < N; i++)
                mni_topk_push(&best, m ? -all[i] : all[i], i);
            CHECK_EQ(mni_topk_sort(&got), mni_topk_sort(&best));
            CHECK(memcmp(found, want, k * sizeof *want) == 0);
            mni_free(room);
            mni_centres_fini(&c);
        }
    mni_free(at);
    mni_free(x);
}

static mann_status run(const float *x, size_t n, uint32_t dim, uint32_t k,
                       mni_pool *pool, float *centres, mni_kmeans_report *report)
{
    const mni_kmeans_job job = { .x = x, .n = n, .dim = dim, .k = k, .rounds = 12,
                                 .seed = test_seed(), .pool = pool };
    return mni_kmeans(&job, centres, report, NULL);
}

/* Eight clouds that cannot be confused: every cloud gets a centre, in its middle. */
static void finds_the_clouds(void)
{
    enum { K = 8, EACH = 150, DIM = 6 };
    float *x = numbers((size_t)K * EACH * DIM, 4, 0), centres[K * DIM];
    mni_kmeans_report report;
    for (size_t i = 0; i < K * EACH; i++)
        for (int d = 0; d < 3; d++) x[i * DIM + d] += (i % K >> d & 1) ? 60 : -60;
    CHECK_OK(run(x, K * EACH, DIM, K, NULL, centres, &report));
    CHECK(report.error < 1.5 * DIM);
    for (size_t cloud = 0; cloud < K; cloud++) {
        int owners = 0;
        for (size_t c = 0; c < K; c++) {
            int in = 1;
            for (int d = 0; d < 3; d++)
                in &= fabsf(centres[c * DIM + d] - ((cloud >> d & 1) ? 60 : -60)) < 1;
            owners += in;
        }
        CHECK_EQ(owners, 1);
    }
    mni_free(x);
}

static void same_for_any_threads(void)
{
    enum { N = 9000, DIM = 10, K = 70 };
    float *x = numbers((size_t)N * DIM, 5, 0), one[K * DIM], many[K * DIM];
    CHECK_OK(run(x, N, DIM, K, NULL, one, NULL));
    for (uint32_t threads = 2; threads <= 7; threads += 5) {
        mann_pool *pool;
        CHECK_OK(mann_pool_new(&pool, threads, NULL));
        CHECK_OK(run(x, N, DIM, K, pool, many, NULL));
        CHECK(memcmp(one, many, sizeof one) == 0);
        mann_pool_free(pool);
    }
    mni_free(x);
}

/* Equal rows, fewer rows than centres, one row; numbers that are none. */
static void odd_sets(void)
{
    enum { N = 3000, DIM = 5 };
    float *x = mni_alloc((size_t)N * DIM, sizeof *x), centres[40 * DIM];
    mni_kmeans_report report;
    for (size_t i = 0; i < N * DIM; i++) x[i] = 3;
    CHECK_OK(run(x, N, DIM, 40, NULL, centres, &report));
    CHECK(report.error == 0);
    for (int i = 0; i < 40 * DIM; i++) CHECK(centres[i] == 3);
    CHECK_OK(run(x, 1, DIM, 40, NULL, centres, &report));
    for (size_t i = 0; i < 20; i++) x[i * DIM] = (float)i;
    CHECK_OK(run(x, 20, DIM, 20, NULL, centres, &report));
    CHECK(report.error < 1);
    for (size_t i = 0; i < 200; i++) x[i * DIM + 1] = i % 3 ? 1e30f : -1e38f;
    CHECK_OK(run(x, N, DIM, 40, NULL, centres, &report));
    mni_free(x);
}

/* Rows in few places and more centres than places at first: none stays empty that could
 * take a row. */
static void empty_clusters_are_split(void)
{
    enum { N = 4000, K = 200, DIM = 4 };
    float *x = numbers((size_t)N * DIM, 6, 0), *centres = mni_alloc(K * DIM, sizeof *x);
    mni_kmeans_report report;
    for (size_t i = 0; i < (size_t)(N - 220) * DIM; i++) x[i] *= 1e-3f;
    CHECK_OK(run(x, N, DIM, K, NULL, centres, &report));
    mni_centres c;
    uint32_t *nearest = mni_alloc(N, sizeof *nearest), used[K] = { 0 }, n_used = 0;
    CHECK_OK(mni_centres_init(&c, centres, K, DIM, MANN_L2, NULL, NULL));
    CHECK_OK(
        mni_centres_assign_all(&c, x, N, NULL, NULL, NULL, nearest, NULL, NULL));
    for (size_t i = 0; i < N; i++) n_used += !used[nearest[i]]++;
    CHECK(n_used >= K - 4);
    mni_centres_fini(&c);
    mni_free(nearest);
    mni_free(centres);
    mni_free(x);
}

static int stop_at_two(void *user, const mann_progress *p)
{
    (void)user;
    return p->done >= 2;
}

static void can_be_stopped(void)
{
    float *x = numbers(2000, 7, 0), centres[20];
    const mann_hooks hooks = { .progress = stop_at_two };
    const mni_kmeans_job job = { .x = x, .n = 1000, .dim = 2, .k = 10, .rounds = 9,
                                 .hooks = &hooks };
    CHECK_IS(mni_kmeans(&job, centres, NULL, NULL), MANN_E_CANCELLED);
    mni_free(x);
}

static mann_status run_small(void *ctx)
{
    float centres[12];
    return run(ctx, 300, 3, 4, NULL, centres, NULL);
}

static void memory_may_end(void)
{
    float *x = numbers(900, 8, 0);
    test_oom(run_small, x, 0);
    mni_free(x);
}

const test_case kmeans_tests[];
const test_case kmeans_tests[] = {
    { "nearest_is_exact", nearest_is_exact, 0 },
    { "a_few_nearest_are_exact", a_few_nearest_are_exact, 0 },
    { "finds_the_clouds", finds_the_clouds, 0 },
    { "same_for_any_threads", same_for_any_threads, 0 },
    { "odd_sets", odd_sets, 0 },
    { "empty_clusters_are_split", empty_clusters_are_split, 0 },
    { "can_be_stopped", can_be_stopped, 0 },
    { "memory_may_end", memory_may_end, 0 },
    { 0 }
};
