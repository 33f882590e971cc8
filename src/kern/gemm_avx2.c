/* gemm_avx2.c - the micro-kernel with 6 x 16 floats of C in 12 of the 16 registers; two
 * hold B, one a float of A spread over 8 lanes. See gemm_avx512.c for the edges. The
 * order of additions is the same as there, so both levels give the same bits.
 * SPDX-License-Identifier: MIT */
#include "kern/kern_nn.h"

#include "kern/level.h"

#if MNI_X86
#include <immintrin.h>
#include <stdint.h>

enum { MR = 6, VECTORS = 2, WIDTH = 8, NR = VECTORS * WIDTH };

/* rows and vectors are constants at every call. */
MNI_AVX2 static MNI_INLINE void body(size_t k, const float *ap, const float *bp, float *c,
                                     size_t ldc, int add, size_t in_last, const int rows,
                                     const int vectors)
{
    __m256 acc[MR][VECTORS], b[VECTORS];
    MNI_UNROLL for (int i = 0; i < rows; i++)
        MNI_UNROLL for (int v = 0; v < vectors; v++) acc[i][v] = _mm256_setzero_ps();

    for (size_t p = 0; p < k; p++, ap += MR, bp += NR) {
        MNI_UNROLL for (int v = 0; v < vectors; v++)
            b[v] = _mm256_loadu_ps(bp + v * WIDTH);
        MNI_UNROLL for (int i = 0; i < rows; i++) {
            const __m256 a = _mm256_set1_ps(ap[i]);
            MNI_UNROLL for (int v = 0; v < vectors; v++)
                acc[i][v] = _mm256_fmadd_ps(a, b[v], acc[i][v]);
        }
    }
    static const int32_t ones_zeros[2 * WIDTH] = { -1, -1, -1, -1, -1, -1, -1, -1 };
    const __m256i last =
        _mm256_loadu_si256((const __m256i *)(const void *)(ones_zeros + WIDTH - in_last));
    MNI_UNROLL for (int i = 0; i < rows; i++)
        MNI_UNROLL for (int v = 0; v < vectors; v++) {
            float *const at = c + (size_t)i * ldc + v * WIDTH;
            if (v < vectors - 1 || in_last == WIDTH) {
                if (add) acc[i][v] = _mm256_add_ps(_mm256_loadu_ps(at), acc[i][v]);
                _mm256_storeu_ps(at, acc[i][v]);
            } else {
                if (add)
                    acc[i][v] = _mm256_add_ps(_mm256_maskload_ps(at, last), acc[i][v]);
                _mm256_maskstore_ps(at, last, acc[i][v]);
            }
        }
}

typedef void (*body_fn)(size_t k, const float *ap, const float *bp, float *c, size_t ldc,
                        int add, size_t in_last);

#define BODY(rows, vectors)                                                              \
    MNI_AVX2 static void body_##rows##_##vectors(size_t k, const float *ap,              \
                                                 const float *bp, float *c, size_t ldc,  \
                                                 int add, size_t in_last)                \
    {                                                                                    \
        body(k, ap, bp, c, ldc, add, in_last, rows, vectors);                            \
    }
#define BODIES(rows) BODY(rows, 1) BODY(rows, 2)
BODIES(1) BODIES(2) BODIES(3) BODIES(4) BODIES(5) BODIES(6)

#define ROW(rows) { body_##rows##_1, body_##rows##_2 }
static const body_fn bodies[MR][VECTORS] = {
    ROW(1), ROW(2), ROW(3), ROW(4), ROW(5), ROW(6)
};

MNI_AVX2 static void tile_avx2(size_t k, const float *ap, const float *bp, float *c,
                               size_t ldc, size_t rows, size_t cols, int add)
{
    const size_t vectors = (cols + WIDTH - 1) / WIDTH;
    bodies[rows - 1][vectors - 1](k, ap, bp, c, ldc, add, cols - (vectors - 1) * WIDTH);
}

/* --- packing what lies across: 8 x 8 floats turned at a time ------------------------ */

/* Rows become columns in three rounds: pairs of floats, pairs of pairs, halves. */
MNI_AVX2 static MNI_INLINE void turn_8x8(__m256 r[8])
{
    __m256 t[8], u[8];
    for (int i = 0; i < 4; i++) {
        t[2 * i] = _mm256_unpacklo_ps(r[2 * i], r[2 * i + 1]);
        t[2 * i + 1] = _mm256_unpackhi_ps(r[2 * i], r[2 * i + 1]);
    }
    for (int i = 0; i < 8; i += 4) {
        u[i] = _mm256_shuffle_ps(t[i], t[i + 2], 0x44);
        u[i + 1] = _mm256_shuffle_ps(t[i], t[i + 2], 0xEE);
        u[i + 2] = _mm256_shuffle_ps(t[i + 1], t[i + 3], 0x44);
        u[i + 3] = _mm256_shuffle_ps(t[i + 1], t[i + 3], 0xEE);
    }
    for (int i = 0; i < 4; i++) {
        r[i] = _mm256_permute2f128_ps(u[i], u[i + 4], 0x20);
        r[i + 4] = _mm256_permute2f128_ps(u[i], u[i + 4], 0x31);
    }
}

/* Eight rows of `in` (the missing ones zero) and all of k. width is MR or a multiple of
 * 8. A store of 8 floats runs over the end of a step of 6 into the next step, which is
 * written later; so the last steps of all go one by one. */
MNI_AVX2 static void turn_8_rows(const float *in, size_t ld, size_t rows, size_t k,
                                 size_t width, float *out)
{
    const size_t one_by_one = width < WIDTH ? 1 : 0;
    size_t j = 0;
    for (; j + WIDTH + one_by_one <= k; j += WIDTH) {
        __m256 r[8];
        for (size_t i = 0; i < 8; i++)
            r[i] = i < rows ? _mm256_loadu_ps(in + i * ld + j) : _mm256_setzero_ps();
        turn_8x8(r);
        for (size_t i = 0; i < 8; i++) _mm256_storeu_ps(out + (j + i) * width, r[i]);
    }
    for (; j < k; j++)
        for (size_t i = 0; i < rows; i++) out[j * width + i] = in[i * ld + j];
}

MNI_AVX2 static void turn_avx2(const float *in, size_t ld, size_t rows, size_t k,
                               size_t width, float *out)
{
    for (size_t i = 0; i < rows; i += WIDTH)
        turn_8_rows(in + i * ld, ld, rows - i < WIDTH ? rows - i : WIDTH, k, width,
                    out + i);
}

void mni_kern_nn_add_avx2(mni_kern_nn *k)
{
    k->name = "avx2";
    k->mr = MR;
    k->nr = NR;
    k->tile = tile_avx2;
    k->turn = turn_avx2;
}

#else
void mni_kern_nn_add_avx2(mni_kern_nn *k) { (void)k; }
#endif
