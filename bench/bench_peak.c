/* bench_peak.c - the limit of arithmetic: chains of multiply-adds in registers, as many
 * as keep the units of a core busy, at the widest of the allowed instruction sets.
 * SPDX-License-Identifier: MIT */
#include "bench.h"

#include "kern/level.h"

#if MNI_X86
#include <immintrin.h>
#elif MNI_ARM64
#include <arm_neon.h>
#endif

/* Registers: independent sums; 4 cycles x 2 units would do with 8. A run is PIECES
 * pieces, for threads to share out, each of STEPS steps of a multiply-add a register. A
 * run of 4 pieces took 0.2 ms: to wake a second thread took as long, and the limit of two
 * threads came out below that of one. 64 take 3 ms. */
enum { REGISTERS = 16, STEPS = 1 << 14, PIECES = 64 };

#if MNI_X86
MNI_AVX512 static float sums_avx512(float x, float y)
{
    const __m512 a = _mm512_set1_ps(x), b = _mm512_set1_ps(y);
    __m512 s[REGISTERS];
    MNI_UNROLL for (int r = 0; r < REGISTERS; r++) s[r] = _mm512_set1_ps((float)r);
    for (int i = 0; i < STEPS; i++)
        MNI_UNROLL for (int r = 0; r < REGISTERS; r++) s[r] = _mm512_fmadd_ps(s[r], a, b);
    MNI_UNROLL for (int r = 1; r < REGISTERS; r++) s[0] = _mm512_add_ps(s[0], s[r]);
    return _mm512_reduce_add_ps(s[0]);
}

MNI_AVX2 static float sums_avx2(float x, float y)
{
    const __m256 a = _mm256_set1_ps(x), b = _mm256_set1_ps(y);
    __m256 s[REGISTERS - 4];                        /* of 16: two hold a and b */
    MNI_UNROLL for (int r = 0; r < REGISTERS - 4; r++) s[r] = _mm256_set1_ps((float)r);
    for (int i = 0; i < STEPS; i++)
        MNI_UNROLL for (int r = 0; r < REGISTERS - 4; r++)
            s[r] = _mm256_fmadd_ps(s[r], a, b);
    MNI_UNROLL for (int r = 1; r < REGISTERS - 4; r++) s[0] = _mm256_add_ps(s[0], s[r]);
    return _mm256_cvtss_f32(s[0]);
}
#elif MNI_ARM64
static float sums_neon(float x, float y)
{
    const float32x4_t a = vdupq_n_f32(x), b = vdupq_n_f32(y);
    float32x4_t s[REGISTERS];
    MNI_UNROLL for (int r = 0; r < REGISTERS; r++) s[r] = vdupq_n_f32((float)r);
    for (int i = 0; i < STEPS; i++)
        MNI_UNROLL for (int r = 0; r < REGISTERS; r++) s[r] = vfmaq_f32(b, s[r], a);
    MNI_UNROLL for (int r = 1; r < REGISTERS; r++) s[0] = vaddq_f32(s[0], s[r]);
    return vgetq_lane_f32(s[0], 0);
}
#endif

/* Without FMA: what the compiler makes of the plain loop. */
static float sums_c(float x, float y)
{
    float s[REGISTERS * 2];
    for (int r = 0; r < REGISTERS * 2; r++) s[r] = (float)r;
    for (int i = 0; i < STEPS; i++)
        for (int r = 0; r < REGISTERS * 2; r++) s[r] = s[r] * x + y;
    for (int r = 1; r < REGISTERS * 2; r++) s[0] += s[r];
    return s[0];
}

bench_peak bench_peak_new(unsigned cpu, mann_pool *pool)
{
    bench_peak p = { .sums = sums_c, .floats = REGISTERS * 2, .name = "scalar",
                     .pool = pool };
#if MNI_X86
    if (cpu & MNI_CPU_AVX2) {
        p.sums = sums_avx2;
        p.floats = 8 * (REGISTERS - 4);
        p.name = "avx2";
    }
    if (cpu & MNI_CPU_AVX512) {
        p.sums = sums_avx512;
        p.floats = 16 * REGISTERS;
        p.name = "avx512";
    }
#elif MNI_ARM64
    if (cpu & MNI_CPU_NEON) {
        p.sums = sums_neon;
        p.floats = 4 * REGISTERS;
        p.name = "neon";
    }
#endif
    p.flops = 2.0 * (double)p.floats * STEPS * PIECES;
    return p;
}

static void pieces(void *ctx, size_t begin, size_t end, size_t chunk)
{
    const bench_peak *p = ctx;
    (void)chunk;
    for (; begin < end; begin++) {
        const float sum = p->sums(0.999f, 0.001f);
        bench_use(&sum);
    }
}

void bench_peak_run(void *ctx)
{
    bench_peak *p = ctx;
    mni_parallel_for(p->pool, PIECES, 1, pieces, p);
}
