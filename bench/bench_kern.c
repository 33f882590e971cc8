/* bench_kern.c - kernels against the limits of one core: distances and CRC against the
 * bandwidth of a plain read, measured in turn with it. SPDX-License-Identifier: MIT */
#include "bench.h"

#include <stdio.h>

#include "base/mem.h"
#include "kern/crc32c.h"
#include "kern/kern_dist.h"
#include "kern/level.h"

#if MNI_X86
#include <immintrin.h>
#endif

enum { STREAM_FLOATS = 96 << 20 };      /* 384 MiB: far more than any cache */

/* --- the limit: summing floats in one straight line --------------------------------- */

#if MNI_X86
MNI_AVX512 static float sum_avx512(const float *x, size_t n)
{
    __m512 s[4];
    for (int u = 0; u < 4; u++) s[u] = _mm512_setzero_ps();
    for (size_t i = 0; i + 64 <= n; i += 64)
        for (int u = 0; u < 4; u++)
            s[u] = _mm512_add_ps(s[u], _mm512_loadu_ps(x + i + 16 * u));
    return _mm512_reduce_add_ps(
        _mm512_add_ps(_mm512_add_ps(s[0], s[1]), _mm512_add_ps(s[2], s[3])));
}

MNI_AVX2 static float sum_avx2(const float *x, size_t n)
{
    __m256 s[4];
    float lanes[8], sum = 0;
    for (int u = 0; u < 4; u++) s[u] = _mm256_setzero_ps();
    for (size_t i = 0; i + 32 <= n; i += 32)
        for (int u = 0; u < 4; u++)
            s[u] = _mm256_add_ps(s[u], _mm256_loadu_ps(x + i + 8 * u));
    _mm256_storeu_ps(lanes,
                     _mm256_add_ps(_mm256_add_ps(s[0], s[1]), _mm256_add_ps(s[2], s[3])));
    for (int i = 0; i < 8; i++) sum += lanes[i];
    return sum;
}
#endif

static float sum_c(const float *x, size_t n)
{
    float s[16] = { 0 };
    for (size_t i = 0; i + 16 <= n; i += 16)
        for (int u = 0; u < 16; u++) s[u] += x[i + (size_t)u];
    for (int u = 1; u < 16; u++) s[0] += s[u];
    return s[0];
}

typedef struct stream { const float *x; size_t n; float result; } stream;

static void read_all(void *ctx)
{
    stream *s = ctx;
    const unsigned cpu = mni_cpu_detect();
#if MNI_X86
    s->result = cpu & MNI_CPU_AVX512 ? sum_avx512(s->x, s->n)
              : cpu & MNI_CPU_AVX2 ? sum_avx2(s->x, s->n) : sum_c(s->x, s->n);
#else
    (void)cpu;
    s->result = sum_c(s->x, s->n);
#endif
    bench_use(&s->result);
}

static double rate(size_t n_bytes, bench_time t)
{
    return (double)n_bytes / t.median * 1e-9;
}

void bench_kern_stream(void)
{
    float *x = bench_floats(STREAM_FLOATS);
    static const size_t sizes[] = { 8 << 10, 128 << 10, 2 << 20, STREAM_FLOATS };
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        char name[64];
        const size_t n = sizes[i];
        stream s = { x, n, 0 };
        bench_time t = bench_run(read_all, &s, 0.3);
        snprintf(name, sizeof name, "kern.stream KiB=%zu", n / 256);
        BENCH_LINE(name, "best", 1, t, rate(n * sizeof *x, t), "GB/s", BENCH_NO_SHARE);
    }
    mni_free(x);
}

/* --- distances of one query to a matrix that fills the stream ----------------------- */

typedef struct scan {
    mni_rows_fn fn;
    const float *query, *base;
    size_t rows, dim;
    float *out;
} scan;

static void scan_all(void *ctx)
{
    const scan *s = ctx;
    s->fn(s->query, s->base, s->rows, s->dim, s->dim, s->out);
    bench_use(s->out);
}

static int levels_of_this_cpu(mni_kern_dist out[4])
{
    static const char *const caps[] = { "scalar", "avx2", "avx512", "neon" };
    int n = 0;
    for (int i = 0; i < 4; i++) {
        mni_kern_dist_build(&out[n], mni_cpu_cap(mni_cpu_detect(), caps[i]));
        if (i == 0 || out[n].l2_rows != out[0].l2_rows)
            if (n == 0 || out[n].l2_rows != out[n - 1].l2_rows) n++;
    }
    return n;
}

/* All levels of one metric at one dim, in turn with the plain read. */
static void bench_rows(int metric, size_t dim, const float *x, float *out)
{
    static const char *const names[] = { "l2", "ip", "cos" };
    mni_kern_dist k[4];
    scan s[4];
    bench_rival rivals[5];
    bench_time t[5];
    const int n = levels_of_this_cpu(k);
    stream whole = { x, STREAM_FLOATS, 0 };
    rivals[0] = (bench_rival){ read_all, &whole };
    for (int l = 0; l < n; l++) {
        const mni_rows_fn fns[] = { k[l].l2_rows, k[l].ip_rows, k[l].cos_rows };
        s[l] = (scan){ fns[metric], x, x, STREAM_FLOATS / dim, dim, out };
        rivals[1 + l] = (bench_rival){ scan_all, &s[l] };
    }
    bench_in_turn(rivals, 1 + n, 0.15, t);
    for (int l = 0; l < n; l++) {
        char name[64];
        snprintf(name, sizeof name, "kern.%s_rows dim=%zu", names[metric], dim);
        BENCH_LINE(name, k[l].name, 1, t[1 + l],
                   rate(s[l].rows * dim * sizeof *x, t[1 + l]), "GB/s", t[1 + l].speed);
    }
}

void bench_kern_dist(void)
{
    static const size_t dims[] = { 32, 64, 96, 128, 256, 384, 512, 768 };
    float *x = bench_floats(STREAM_FLOATS),
          *out = bench_memory(STREAM_FLOATS / 32 * sizeof *out);
    for (int metric = 0; metric < 3; metric++)
        for (size_t i = 0; i < sizeof dims / sizeof *dims; i++)
            bench_rows(metric, dims[i], x, out);
    mni_free(out);
    mni_free(x);
}

/* --- CRC32C ------------------------------------------------------------------------- */

typedef struct crc_job {
    uint32_t (*fn)(uint32_t, const void *, size_t);
    const void *x;
    uint32_t result;
} crc_job;

static void crc_all(void *ctx)
{
    crc_job *j = ctx;
    for (int i = 0; i < 64; i++) j->result = j->fn(j->result, j->x, 64 << 10);
    bench_use(&j->result);
}

void bench_kern_crc(void)
{
    float *x = bench_floats(16 << 10);
    crc_job plain = { mni_crc32c_plain, x, 0 }, best = { mni_crc32c, x, 0 };
    const bench_rival rivals[] = { { crc_all, &plain }, { crc_all, &best } };
    bench_time t[2];
    bench_in_turn(rivals, 2, 0.3, t);
    const size_t n_bytes = (size_t)64 * (64 << 10);
    BENCH_LINE("kern.crc32c KiB=64", "scalar", 1, t[0], rate(n_bytes, t[0]), "GB/s",
               BENCH_NO_SHARE);
    BENCH_LINE("kern.crc32c KiB=64", "best", 1, t[1], rate(n_bytes, t[1]), "GB/s",
               BENCH_NO_SHARE);
    mni_free(x);
}
