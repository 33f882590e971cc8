/* bench_rows.c - an experiment kept for its answer: is it better to walk one row at a
 * time, to fetch ahead by hand, or to walk four rows abreast so that the query is loaded
 * once for all? All three compute l2 with AVX-512; dims are multiples of 64. The first is
 * what src/kern/dist_avx512.c does. SPDX-License-Identifier: MIT */
#include "bench.h"

#include <stdio.h>

#include "base/mem.h"
#include "kern/level.h"

#if MNI_X86
#include <immintrin.h>

enum { FLOATS = 96 << 20, WIDTH = 16, SUMS = 4, ABREAST = 4, AHEAD_FLOATS = 1024 };

typedef struct walk { const float *query, *base; size_t rows, dim; float *out; } walk;

/* n rows side by side; n and ahead are constants at every call. The fetches run past the
 * last row, which is harmless for a prefetch; the matrix has room behind it all the same.
 * */
MNI_AVX512 static MNI_INLINE void side_by_side(const walk *w, size_t row, const int n,
                                               const size_t ahead)
{
    const float *x = w->base + row * w->dim;
    __m512 s[ABREAST][SUMS];
    for (int r = 0; r < n; r++)
        for (int u = 0; u < SUMS; u++) s[r][u] = _mm512_setzero_ps();
    for (size_t j = 0; j < w->dim; j += SUMS * WIDTH)
        for (int u = 0; u < SUMS; u++) {
            const size_t at = j + (size_t)u * WIDTH;
            const __m512 q = _mm512_loadu_ps(w->query + at);
            for (int r = 0; r < n; r++) {
                const float *const here = x + (size_t)r * w->dim + at;
                if (ahead) _mm_prefetch((const char *)(here + ahead), _MM_HINT_T0);
                const __m512 d = _mm512_sub_ps(q, _mm512_loadu_ps(here));
                s[r][u] = _mm512_fmadd_ps(d, d, s[r][u]);
            }
        }
    for (int r = 0; r < n; r++)
        w->out[row + (size_t)r] = _mm512_reduce_add_ps(_mm512_add_ps(
            _mm512_add_ps(s[r][0], s[r][1]), _mm512_add_ps(s[r][2], s[r][3])));
}

MNI_AVX512 static void one_row(void *ctx)
{
    const walk *w = ctx;
    for (size_t i = 0; i < w->rows; i++) side_by_side(w, i, 1, 0);
    bench_use(w->out);
}

MNI_AVX512 static void one_row_ahead(void *ctx)
{
    const walk *w = ctx;
    for (size_t i = 0; i < w->rows; i++) side_by_side(w, i, 1, AHEAD_FLOATS);
    bench_use(w->out);
}

MNI_AVX512 static void four_rows(void *ctx)
{
    const walk *w = ctx;
    for (size_t i = 0; i + ABREAST <= w->rows; i += ABREAST)
        side_by_side(w, i, ABREAST, 0);
    bench_use(w->out);
}

/* share: of the speed of one row at a time. */
void bench_kern_rows(void)
{
    static const char *const names[] = { "one", "one+prefetch", "four_abreast" };
    static const size_t dims[] = { 64, 128, 256, 768 };
    if (!(mni_cpu_detect() & MNI_CPU_AVX512)) return;
    float *x = bench_floats(FLOATS + 8 * AHEAD_FLOATS);
    float *out = bench_memory(FLOATS / 64 * sizeof *out);
    for (size_t d = 0; d < sizeof dims / sizeof *dims; d++) {
        walk w = { x, x, FLOATS / dims[d], dims[d], out };
        const bench_rival rivals[] = { { one_row, &w },
                                       { one_row_ahead, &w },
                                       { four_rows, &w } };
        bench_time t[3];
        bench_in_turn(rivals, 3, 0.6, t);
        for (int i = 0; i < 3; i++) {
            char name[64];
            snprintf(name, sizeof name, "kern.walk %s dim=%zu", names[i], dims[d]);
            BENCH_LINE(name, "avx512", 1, t[i],
                       (double)(w.rows * w.dim * sizeof *x) / t[i].median * 1e-9, "GB/s",
                       t[i].speed);
        }
    }
    mni_free(out);
    mni_free(x);
}

#else
void bench_kern_rows(void) { }
#endif
