/* test_kern_dist.c - the kernel check: every level this CPU has, every dimension, every
 * tail. SPDX-License-Identifier: MIT */
#include <float.h>
#include <math.h>
#include <string.h>

#include "base/mem.h"
#include "base/rng.h"
#include "harness.h"
#include "kern/crc32c.h"
#include "kern/kern_dist.h"
#include "os/cpu.h"

enum { MAX_ROWS = 9, CANARY = 0x5A };

/* The levels of this CPU, from plain C upwards. */
static int each_level(mni_kern_dist out[4])
{
    static const unsigned steps[] = { MNI_CPU_AVX2, MNI_CPU_AVX512, MNI_CPU_NEON };
    const unsigned cpu = mni_cpu_detect();
    int n = 0;
    unsigned have = 0;
    mni_kern_dist_build(&out[n++], 0);
    for (size_t i = 0; i < sizeof steps / sizeof *steps; i++)
        if (cpu & steps[i]) mni_kern_dist_build(&out[n++], have |= steps[i]);
    return n;
}

static void fill(float *x, size_t n, uint64_t slot)
{
    mni_rng r = mni_rng_at(test_seed(), MNI_FOR_TEST, 1, n, slot);
    for (size_t i = 0; i < n; i++) x[i] = mni_rng_range(&r, -1.0f, 1.0f);
}

typedef struct reference { double l2, l2_terms, ip, ip_terms, cos, cos_bound; } reference;

static reference in_double(const float *q, const float *x, size_t dim)
{
    reference r = { 0, 0, 0, 0, 0, 0 };
    double qq = 0, xx = 0;
    for (size_t j = 0; j < dim; j++) {
        const double d = (double)q[j] - x[j], p = (double)q[j] * x[j];
        r.l2 += d * d;
        r.ip += p;
        r.ip_terms += fabs(p);
        qq += (double)q[j] * q[j];
        xx += (double)x[j] * x[j];
    }
    r.l2_terms = r.l2;
    const double norm = sqrt(qq * xx);
    r.cos = norm > 0 ? r.ip / norm : 0;
    r.cos_bound = norm > 0 ? 2 * r.ip_terms / norm : 0;
    return r;
}

static void near(const mni_kern_dist *k, const char *what, size_t dim, float got,
                 double want, double terms)
{
    const double bound = (double)(dim + 8) * FLT_EPSILON * terms;
    if (!(fabs((double)got - want) <= bound))
        test_fail(__FILE__, __LINE__, "%s %s dim %zu: %.9g, wanted %.9g within %g",
                  k->name, what, dim, (double)got, want, bound);
}

/* Runs fn with canaries on both sides of the output. */
static void run_guarded(mni_rows_fn fn, const char *name, const float *q,
                        const float *base, size_t rows, size_t dim, size_t stride,
                        float *out)
{
    unsigned char room[16 + MAX_ROWS * sizeof(float) + 16];
    memset(room, CANARY, sizeof room);
    fn(q, base, rows, dim, stride, (float *)(void *)(room + 16));
    for (size_t i = 0; i < 16; i++)
        if (room[i] != CANARY || room[16 + rows * sizeof(float) + i] != CANARY)
            test_fail(__FILE__, __LINE__, "%s wrote outside of its output", name);
    memcpy(out, room + 16, rows * sizeof *out);
}

/* One level, one dim, one stride, one fence side: all rows counts. Bits of a row must be
 * the same in every batch. */
static void check_shape(const mni_kern_dist *k, size_t dim, size_t pad, int at_start)
{
    const size_t stride = dim + pad, n = (MAX_ROWS - 1) * stride + dim;
    float *q = test_fence(dim * sizeof *q, at_start),
          *base = test_fence(n * sizeof *base, at_start);
    fill(q, dim, 1);
    fill(base, n, 2);
    const mni_rows_fn fns[3] = { k->l2_rows, k->ip_rows, k->cos_rows };
    float all[3][MAX_ROWS], some[MAX_ROWS];
    for (int f = 0; f < 3; f++) {
        run_guarded(fns[f], k->name, q, base, MAX_ROWS, dim, stride, all[f]);
        for (size_t rows = 0; rows < MAX_ROWS; rows++) {
            const size_t first = MAX_ROWS - rows; /* the last rows, up to the fence */
            run_guarded(fns[f], k->name, q, rows ? base + first * stride : base, rows,
                        dim, stride, some);
            CHECK(memcmp(some, all[f] + first, rows * sizeof *some) == 0);
            run_guarded(fns[f], k->name, q, base, rows, dim, stride, some);
            CHECK(memcmp(some, all[f], rows * sizeof *some) == 0);
        }
    }
    for (size_t i = 0; i < MAX_ROWS; i++) {
        const reference r = in_double(q, base + i * stride, dim);
        near(k, "l2", dim, all[0][i], r.l2, r.l2_terms);
        near(k, "ip", dim, all[1][i], r.ip, r.ip_terms);
        near(k, "cos", dim, all[2][i], r.cos, r.cos_bound);
    }
    test_fence_free(q, dim * sizeof *q, at_start);
    test_fence_free(base, n * sizeof *base, at_start);
}

static void every_dim_and_stride(void)
{
    mni_kern_dist levels[4];
    const int n = each_level(levels);
    for (int l = 0; l < n; l++)
        for (size_t dim = 0; dim <= 130; dim++)
            for (size_t pad = 0; pad < 4; pad++)
                for (int side = 0; side < 2; side++)
                    check_shape(&levels[l], dim, pad * pad * pad, side);
}

static void large_dims(void)
{
    static const size_t dims[] = { 192, 255, 256, 511, 768, 1000, 2048, 4097 };
    mni_kern_dist levels[4];
    const int n = each_level(levels);
    for (int l = 0; l < n; l++)
        for (size_t i = 0; i < sizeof dims / sizeof *dims; i++)
            check_shape(&levels[l], dims[i], 5, 0);
}

/* Many rows: the prefetching path, against the same rows one by one. */
static void a_row_alone_and_in_a_batch(void)
{
    enum { ROWS = 1003 };
    static const size_t dims[] = { 1, 7, 16, 33, 64, 128 };
    mni_kern_dist levels[4];
    const int n = each_level(levels);
    for (size_t d = 0; d < sizeof dims / sizeof *dims; d++) {
        const size_t dim = dims[d], stride = dim + 3, total = (ROWS - 1) * stride + dim;
        float *base = test_fence(total * sizeof *base, 0), q[128], batch[ROWS], alone;
        fill(base, total, 3);
        fill(q, dim, 4);
        for (int l = 0; l < n; l++) {
            const mni_rows_fn fns[3] = { levels[l].l2_rows, levels[l].ip_rows,
                                         levels[l].cos_rows };
            for (int f = 0; f < 3; f++) {
                fns[f](q, base, ROWS, dim, stride, batch);
                for (size_t i = 0; i < ROWS; i++) {
                    fns[f](q, base + i * stride, 1, dim, dim, &alone);
                    CHECK(memcmp(&alone, &batch[i], sizeof alone) == 0);
                }
            }
        }
        test_fence_free(base, total * sizeof *base, 0);
    }
}

/* Equal vectors: l2 is 0 and the cosine 1, both exactly, huge or tiny. */
static void equal_vectors_are_exact(void)
{
    static const float scales[] = { 1.0f, 1e-15f, 3e15f };
    mni_kern_dist levels[4];
    const int n = each_level(levels);
    float x[130], y[130], out;
    for (int l = 0; l < n; l++)
        for (size_t dim = 1; dim <= 130; dim++)
            for (size_t s = 0; s < 3; s++) {
                fill(x, dim, 5 + s);
                for (size_t j = 0; j < dim; j++) x[j] *= scales[s];
                memcpy(y, x, dim * sizeof *y);
                levels[l].l2_rows(x, y, 1, dim, dim, &out);
                CHECK(out == 0.0f);
                levels[l].cos_rows(x, y, 1, dim, dim, &out);
                CHECK(out == 1.0f);
                for (size_t j = 0; j < dim; j++) y[j] = -x[j];
                levels[l].cos_rows(x, y, 1, dim, dim, &out);
                CHECK(out == -1.0f);
                memset(y, 0, sizeof y);
                levels[l].cos_rows(x, y, 1, dim, dim, &out);
                CHECK(out == 0.0f);
                levels[l].cos_rows(y, x, 1, dim, dim, &out);
                CHECK(out == 0.0f);
            }
}

/* NaN and infinity are the caller's business, but they must show, not vanish. */
static void nan_shows(void)
{
    mni_kern_dist levels[4];
    const int n = each_level(levels);
    for (int l = 0; l < n; l++)
        for (size_t at = 0; at < 70; at++) {
            float q[70], x[70], out[3];
            fill(q, 70, 6);
            fill(x, 70, 7);
            x[at] = NAN;
            levels[l].l2_rows(q, x, 1, 70, 70, &out[0]);
            levels[l].ip_rows(q, x, 1, 70, 70, &out[1]);
            levels[l].cos_rows(q, x, 1, 70, 70, &out[2]);
            for (int f = 0; f < 3; f++) CHECK(isnan(out[f]));
        }
}

static void table_follows_the_bits(void)
{
    mni_kern_dist k;
    mni_kern_dist_build(&k, 0);
    CHECK_STR(k.name, "scalar");
    const unsigned cpu = mni_cpu_detect();
    mni_kern_dist_build(&k, mni_cpu_cap(cpu, "avx2"));
    if (cpu & MNI_CPU_AVX2) CHECK_STR(k.name, "avx2");
    mni_kern_dist_build(&k, mni_cpu_cap(cpu, "avx512"));
    if (cpu & MNI_CPU_AVX512) CHECK_STR(k.name, "avx512");
    mni_kern_dist want;
    mni_kern_dist_build(&want, mni_cpu_allowed());
    CHECK_STR(mni_kern_dist_best()->name, want.name);
    CHECK(mni_kern_dist_best() == mni_kern_dist_best());
}

/* RFC 3720 B.4. */
static void crc32c_known_answers(void)
{
    unsigned char b[32];
    CHECK_EQ(mni_crc32c(0, "123456789", 9), 0xE3069283);
    CHECK_EQ(mni_crc32c(0, "", 0), 0);
    memset(b, 0, sizeof b);
    CHECK_EQ(mni_crc32c(0, b, 32), 0x8A9136AA);
    memset(b, 0xFF, sizeof b);
    CHECK_EQ(mni_crc32c(0, b, 32), 0x62A8AB43);
    for (int i = 0; i < 32; i++) b[i] = (unsigned char)i;
    CHECK_EQ(mni_crc32c(0, b, 32), 0x46DD794E);
    for (int i = 0; i < 32; i++) b[i] = (unsigned char)(31 - i);
    CHECK_EQ(mni_crc32c(0, b, 32), 0x113FDB5C);
    CHECK_EQ(mni_crc32c_plain(0, b, 32), 0x113FDB5C);
}

/* One bit at a time, as the definition says it. */
static uint32_t crc_by_bits(uint32_t crc, const unsigned char *b, size_t n)
{
    crc = ~crc;
    for (size_t i = 0; i < n; i++) {
        crc ^= b[i];
        for (int bit = 0; bit < 8; bit++) crc = crc >> 1 ^ (crc & 1 ? 0x82F63B78u : 0);
    }
    return ~crc;
}

static void crc32c_all_lengths(void)
{
    mni_rng r = mni_rng_at(test_seed(), MNI_FOR_TEST, 2, 0, 0);
    for (size_t n = 0; n <= 200; n++)
        for (size_t shift = 0; shift < 16; shift++) {
            unsigned char *room = test_fence(n + shift, 0), *b = room + shift;
            for (size_t i = 0; i < n; i++) b[i] = (unsigned char)mni_rng_u64(&r);
            const uint32_t want = crc_by_bits(0, b, n);
            CHECK_EQ(mni_crc32c(0, b, n), want);
            CHECK_EQ(mni_crc32c_plain(0, b, n), want);
            const size_t cut = n / 3;               /* continued in two pieces */
            CHECK_EQ(mni_crc32c(mni_crc32c(0, b, cut), b + cut, n - cut), want);
            CHECK_EQ(mni_crc32c_plain(mni_crc32c_plain(0, b, cut), b + cut, n - cut),
                     want);
            test_fence_free(room, n + shift, 0);
        }
}

const test_case kern_dist_tests[];
const test_case kern_dist_tests[] = {
    { "every_dim_and_stride", every_dim_and_stride, 0 },
    { "large_dims", large_dims, 0 },
    { "a_row_alone_and_in_a_batch", a_row_alone_and_in_a_batch, 0 },
    { "equal_vectors_are_exact", equal_vectors_are_exact, 0 },
    { "nan_shows", nan_shows, 0 },
    { "table_follows_the_bits", table_follows_the_bits, 0 },
    { "crc32c_known_answers", crc32c_known_answers, 0 },
    { "crc32c_all_lengths", crc32c_all_lengths, 0 },
    { 0 }
};
