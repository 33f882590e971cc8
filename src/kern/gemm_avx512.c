/* gemm_avx512.c - the micro-kernel with 8 x 48 floats of C in 24 of the 32 registers.
 *
 * In each step along k: 3 vectors of B are loaded, 8 floats of A are each spread over a
 * vector, and 24 fused multiply-adds use them; loads and FMAs go side by side. Why 8 x 48
 * and not 14 x 32, which keeps more of C: channel counts are multiples of 8, so no row is
 * wasted at the edge.
 *
 * Edges: a body is made for every number of rows and of vectors, and the last vector is
 * stored under a mask. So no lane is computed that the full tile would compute otherwise,
 * and an output's chain of FMAs is the same wherever it stands.
 * SPDX-License-Identifier: MIT */
#include "kern/kern_nn.h"

#include "kern/level.h"

#if MNI_X86
#include <immintrin.h>

/* AHEAD: B comes from the second cache, and is fetched so many steps before its use; C is
 * fetched while the sum is made. Together 3 to 5 % on large products. */
enum { MR = 8, VECTORS = 3, WIDTH = 16, NR = VECTORS * WIDTH, AHEAD = 8 };

/* rows and vectors are constants at every call. */
MNI_AVX512 static MNI_INLINE void body(size_t k, const float *ap, const float *bp,
                                       float *c, size_t ldc, int add, __mmask16 last,
                                       const int rows, const int vectors)
{
    __m512 acc[MR][VECTORS], b[VECTORS];
    MNI_UNROLL for (int i = 0; i < rows; i++)
        MNI_UNROLL for (int v = 0; v < vectors; v++) acc[i][v] = _mm512_setzero_ps();

    MNI_UNROLL for (int i = 0; i < rows; i++)
        MNI_UNROLL for (int v = 0; v < vectors; v++)
            _mm_prefetch((const char *)(c + (size_t)i * ldc + v * WIDTH), _MM_HINT_T0);
    for (size_t p = 0; p < k; p++, ap += MR, bp += NR) {
        MNI_UNROLL for (int v = 0; v < vectors; v++)
            _mm_prefetch((const char *)(bp + AHEAD * NR + v * WIDTH), _MM_HINT_T0);
        MNI_UNROLL for (int v = 0; v < vectors; v++)
            b[v] = _mm512_loadu_ps(bp + v * WIDTH);
        MNI_UNROLL for (int i = 0; i < rows; i++) {
            const __m512 a = _mm512_set1_ps(ap[i]);
            MNI_UNROLL for (int v = 0; v < vectors; v++)
                acc[i][v] = _mm512_fmadd_ps(a, b[v], acc[i][v]);
        }
    }
    MNI_UNROLL for (int i = 0; i < rows; i++)
        MNI_UNROLL for (int v = 0; v < vectors; v++) {
            const __mmask16 m = v == vectors - 1 ? last : (__mmask16)0xFFFF;
            float *const at = c + (size_t)i * ldc + v * WIDTH;
            if (add) acc[i][v] = _mm512_add_ps(_mm512_maskz_loadu_ps(m, at), acc[i][v]);
            _mm512_mask_storeu_ps(at, m, acc[i][v]);
        }
}

typedef void (*body_fn)(size_t k, const float *ap, const float *bp, float *c, size_t ldc,
                        int add, __mmask16 last);

#define BODY(rows, vectors)                                                              \
    MNI_AVX512 static void body_##rows##_##vectors(size_t k, const float *ap,            \
                                                   const float *bp, float *c,            \
                                                   size_t ldc, int add, __mmask16 last)  \
    {                                                                                    \
        body(k, ap, bp, c, ldc, add, last, rows, vectors);                               \
    }
#define BODIES(rows) BODY(rows, 1) BODY(rows, 2) BODY(rows, 3)
BODIES(1) BODIES(2) BODIES(3) BODIES(4) BODIES(5) BODIES(6) BODIES(7) BODIES(8)

#define ROW(rows) { body_##rows##_1, body_##rows##_2, body_##rows##_3 }
static const body_fn bodies[MR][VECTORS] = {
    ROW(1), ROW(2), ROW(3), ROW(4), ROW(5), ROW(6), ROW(7), ROW(8)
};

MNI_AVX512 static void tile_avx512(size_t k, const float *ap, const float *bp, float *c,
                                   size_t ldc, size_t rows, size_t cols, int add)
{
    const size_t vectors = (cols + WIDTH - 1) / WIDTH,
                 in_last = cols - (vectors - 1) * WIDTH;
    bodies[rows - 1][vectors - 1](k, ap, bp, c, ldc, add,
                                  (__mmask16)((1u << in_last) - 1));
}

void mni_kern_nn_add_avx512(mni_kern_nn *k)
{
    k->name = "avx512";
    k->mr = MR;
    k->nr = NR;
    k->tile = tile_avx512;
}

#else
void mni_kern_nn_add_avx512(mni_kern_nn *k) { (void)k; }
#endif
