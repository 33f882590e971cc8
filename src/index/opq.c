/* opq.c - turning vectors before they are cut into pieces, so that the words fit better.
 *
 * Ge, He, Ke and Sun, "Optimized product quantization for approximate nearest neighbor
 * search", CVPR 2013, section 3.2 (without assumptions about the data). Two steps take
 * turns, and neither makes the error larger:
 *
 *     1. with the turn R held: words of each piece by a round of k-means on y = R x;
 *        y' is what y is kept as
 *     2. with y' held: the R with the least sum of |R x - y'|^2. With M = sum of y' x^T =
 *        U S V^T that is U V^T, the orthogonal matrix nearest to M (Procrustes)
 *
 * U V^T is found without U and V: X <- X (3 I - X^T X) / 2 moves every singular value of
 * X towards 1 and leaves the directions alone (Bjorck and Bowie, SIAM J. Num. Anal.
 * 1971), as long as they begin between 0 and sqrt(3). A direction in which M says
 * nothing (a value that is always 0) would stay at 0; so a little of the old R is mixed
 * in. SPDX-License-Identifier: MIT */
#include <math.h>
#include <string.h>

#include "base/mem.h"
#include "index/pq.h"
#include "kern/kern_nn.h"

enum {
    STEPS = 12, FIRST_ROUNDS = 6,
    POLAR = 60                  /* 1.5^60: more than floats tell apart */
};

typedef struct turning {
    mni_pq *pq;
    const mni_pq_job *job;
    float *y;                   /* n x dim: turned examples, then what they are kept as */
    float *m, *next, *square;   /* dim x dim */
    void *room;                 /* of products */
    double *sums;               /* pieces x (values + 1) x width */
} turning;

static void product(const turning *t, mni_gemm_kind kind, size_t m, size_t n, size_t k,
                    const float *a, const float *b, float *c)
{
    const mni_gemm_args g = { .kind = kind, .m = m, .n = n, .k = k, .a = a,
                              .lda = kind == MNI_GEMM_TN ? m : k, .b = b,
                              .ldb = kind == MNI_GEMM_NT ? k : n, .c = c, .ldc = n };
    mni_gemm(&g, t->job->pool, t->room);
}

/* --- step 1 ------------------------------------------------------------------------- */

/* One piece: its words move to the mean of what is nearest to them, and y becomes the
 * words. */
static void move_words(void *ctx, size_t begin_piece, size_t end_piece, size_t chunk)
{
    const turning *t = ctx;
    mni_pq *pq = t->pq;
    const mni_kern_pq *kern = mni_kern_pq_best();
    const size_t width = pq->width, dim = pq->dim, n_rows = t->job->n;
    (void)chunk;
    for (uint32_t p = (uint32_t)begin_piece; p < end_piece; p++) {
        const uint32_t begin = mni_pq_begin(pq, p), n = mni_pq_begin(pq, p + 1) - begin;
        float *book = pq->book + begin * width, *half = pq->half + p * width;
        double *sum = t->sums + (begin + p) * width, *count = sum + n * width;
        memset(sum, 0, (n + 1) * width * sizeof *sum);
        for (size_t i = 0; i < n_rows; i++) {
            const float *y = t->y + i * dim + begin;
            const uint32_t j = kern->nearest(y, book, half, n, width);
            for (uint32_t d = 0; d < n; d++) sum[d * width + j] += y[d];
            count[j]++;
        }
        for (size_t j = 0; j < width; j++) {
            double size = 0;
            for (uint32_t d = 0; d < n; d++) {
                float *v = &book[d * width + j];
                if (count[j] > 0) *v = (float)(sum[d * width + j] / count[j]);
                size += (double)*v * *v;
            }
            half[j] = (float)(size / 2);
        }
        for (size_t i = 0; i < n_rows; i++) {
            float *y = t->y + i * dim + begin;
            const uint32_t j = kern->nearest(y, book, half, n, width);
            for (uint32_t d = 0; d < n; d++) y[d] = book[d * width + j];
        }
    }
}

/* --- step 2 ------------------------------------------------------------------------- */

static double length(const float *x, size_t n)
{
    double sum = 0;
    for (size_t i = 0; i < n; i++) sum += (double)x[i] * x[i];
    return sqrt(sum);
}

/* m becomes the orthogonal matrix nearest to it. */
static void make_orthogonal(turning *t)
{
    const size_t dim = t->pq->dim, n = dim * dim;
    const double size = length(t->m, n);
    if (!(size > 0) || !(size < INFINITY)) {
        memcpy(t->m, t->pq->turn, n * sizeof *t->m);
        return;
    }
    /* the largest singular value is at most the root of the sum of squares */
    const float by = (float)(1 / size), hint = (float)(1e-4 / sqrt((double)dim));
    for (size_t i = 0; i < n; i++) t->m[i] = t->m[i] * by + t->pq->turn[i] * hint;
    for (int step = 0; step < POLAR; step++) {
        product(t, MNI_GEMM_TN, dim, dim, dim, t->m, t->m, t->square);
        double away = 0;
        for (size_t i = 0; i < n; i++) {
            const float one = i % (dim + 1) == 0 ? 1.0f : 0.0f;
            away += ((double)t->square[i] - one) * ((double)t->square[i] - one);
            t->square[i] = (3 * one - t->square[i]) / 2;
        }
        product(t, MNI_GEMM_NN, dim, dim, dim, t->m, t->square, t->next);
        float *swap = t->m;
        t->m = t->next;
        t->next = swap;
        if (away < 1e-9 * (double)dim) break;
    }
}

static int is_orthogonal(turning *t)
{
    const size_t dim = t->pq->dim;
    double away = 0;
    product(t, MNI_GEMM_TN, dim, dim, dim, t->m, t->m, t->square);
    for (size_t i = 0; i < dim * dim; i++) {
        const double d = t->square[i] - (i % (dim + 1) == 0 ? 1.0 : 0.0);
        away += d * d;
    }
    return away < 1e-4;         /* false for NaN */
}

static mann_status turn_and_fit(turning *t, mann_error *err)
{
    mni_pq *pq = t->pq;
    const mni_pq_job *job = t->job;
    const size_t dim = pq->dim;
    mni_pq_job first = *job;
    first.x = t->y;
    for (int step = 0; step < STEPS; step++) {
        product(t, MNI_GEMM_NT, job->n, dim, dim, job->x, pq->turn, t->y);
        if (step == 0) MNI_TRY(mni_pq_learn_books(pq, &first, FIRST_ROUNDS, err));
        mni_parallel_for(job->pool, pq->pieces, 1, move_words, t);
        product(t, MNI_GEMM_TN, dim, dim, job->n, t->y, job->x, t->m);
        make_orthogonal(t);
        if (!is_orthogonal(t)) break;   /* the turn so far is good, and stays */
        memcpy(pq->turn, t->m, dim * dim * sizeof *pq->turn);
    }
    product(t, MNI_GEMM_NT, job->n, dim, dim, job->x, pq->turn, t->y);
    memcpy(job->x, t->y, job->n * dim * sizeof *t->y);
    return MANN_OK;
}

mann_status mni_pq_learn_turn(mni_pq *pq, const mni_pq_job *job, mann_error *err)
{
    const size_t dim = pq->dim, square = dim * dim, most = job->n > dim ? job->n : dim;
    const mni_gemm_args large = { .kind = MNI_GEMM_NT, .m = most, .n = most, .k = most };
    turning t = { .pq = pq, .job = job };
    float *a = mni_alloc(square, sizeof *a), *b = mni_alloc(square, sizeof *b);
    t.y = mni_alloc(job->n, dim * sizeof *t.y);
    t.m = a;
    t.next = b;
    t.square = mni_alloc(square, sizeof *t.square);
    t.room = mni_alloc(1, mni_gemm_workspace_bytes(&large));
    t.sums = mni_alloc((size_t)pq->width * (dim + pq->pieces), sizeof *t.sums);
    mann_status s = mni_fail(err, MANN_E_NOMEM, "opq: turns of %llu examples",
                             (unsigned long long)job->n);
    if (t.y && a && b && t.square && t.room && t.sums) s = turn_and_fit(&t, err);
    mni_free(t.y);
    mni_free(a);
    mni_free(b);
    mni_free(t.square);
    mni_free(t.room);
    mni_free(t.sums);
    return s;
}
