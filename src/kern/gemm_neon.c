/* gemm_neon.c - the micro-kernel on aarch64: 8 x 12 floats of C in 24 of the 32
 * registers, three hold B, two the 8 floats of A, which vfmaq_laneq spreads by itself.
 * Edges and the order of additions are those of gemm_avx512.c, so the bits are the same
 * as there. SPDX-License-Identifier: MIT */
#include "kern/kern_nn.h"

#include "kern/level.h"

#if MNI_ARM64
#include <arm_neon.h>
#include <string.h>

enum { MR = 8, VECTORS = 3, WIDTH = 4, NR = VECTORS * WIDTH };

/* acc[i] += b * a[i] for the four rows of `a`; the lane must be written as a constant. */
#define FOUR_ROWS(first, a)                                                              \
    do {                                                                                 \
        if (rows > (first)) acc[first][v] = vfmaq_laneq_f32(acc[first][v], b[v], a, 0);  \
        if (rows > (first) + 1)                                                          \
            acc[(first) + 1][v] = vfmaq_laneq_f32(acc[(first) + 1][v], b[v], a, 1);      \
        if (rows > (first) + 2)                                                          \
            acc[(first) + 2][v] = vfmaq_laneq_f32(acc[(first) + 2][v], b[v], a, 2);      \
        if (rows > (first) + 3)                                                          \
            acc[(first) + 3][v] = vfmaq_laneq_f32(acc[(first) + 3][v], b[v], a, 3);      \
    } while (0)

/* rows and vectors are constants at every call. */
static MNI_INLINE void body(size_t k, const float *ap, const float *bp, float *c,
                            size_t ldc, int add, size_t in_last, const int rows,
                            const int vectors)
{
    float32x4_t acc[MR][VECTORS], b[VECTORS];
    for (int i = 0; i < rows; i++)
        for (int v = 0; v < vectors; v++) acc[i][v] = vdupq_n_f32(0);

    for (size_t p = 0; p < k; p++, ap += MR, bp += NR) {
        const float32x4_t upper = vld1q_f32(ap);
        const float32x4_t lower = rows > 4 ? vld1q_f32(ap + 4) : upper;
        for (int v = 0; v < vectors; v++) b[v] = vld1q_f32(bp + v * WIDTH);
        for (int v = 0; v < vectors; v++) {
            FOUR_ROWS(0, upper);
            FOUR_ROWS(4, lower);
        }
    }
    for (int i = 0; i < rows; i++)
        for (int v = 0; v < vectors; v++) {
            float *const at = c + (size_t)i * ldc + v * WIDTH;
            if (v < vectors - 1 || in_last == WIDTH) {
                vst1q_f32(at, add ? vaddq_f32(vld1q_f32(at), acc[i][v]) : acc[i][v]);
                continue;
            }
            float part[WIDTH];
            vst1q_f32(part, acc[i][v]);
            for (size_t j = 0; j < in_last; j++) at[j] = add ? at[j] + part[j] : part[j];
        }
}

typedef void (*body_fn)(size_t k, const float *ap, const float *bp, float *c, size_t ldc,
                        int add, size_t in_last);

#define BODY(rows, vectors)                                                              \
    static void body_##rows##_##vectors(size_t k, const float *ap, const float *bp,      \
                                        float *c, size_t ldc, int add, size_t in_last)   \
    {                                                                                    \
        body(k, ap, bp, c, ldc, add, in_last, rows, vectors);                            \
    }
#define BODIES(rows) BODY(rows, 1) BODY(rows, 2) BODY(rows, 3)
BODIES(1) BODIES(2) BODIES(3) BODIES(4) BODIES(5) BODIES(6) BODIES(7) BODIES(8)

#define ROW(rows) { body_##rows##_1, body_##rows##_2, body_##rows##_3 }
static const body_fn bodies[MR][VECTORS] = {
    ROW(1), ROW(2), ROW(3), ROW(4), ROW(5), ROW(6), ROW(7), ROW(8)
};

static void tile_neon(size_t k, const float *ap, const float *bp, float *c, size_t ldc,
                      size_t rows, size_t cols, int add)
{
    const size_t vectors = (cols + WIDTH - 1) / WIDTH;
    bodies[rows - 1][vectors - 1](k, ap, bp, c, ldc, add, cols - (vectors - 1) * WIDTH);
}

/* --- packing what lies across: 4 x 4 floats turned at a time ------------------------ */

/* Pairs of floats change places, then pairs of pairs. */
static MNI_INLINE void turn_4x4(float32x4_t r[4])
{
    const float32x4x2_t a = vtrnq_f32(r[0], r[1]), b = vtrnq_f32(r[2], r[3]);
    r[0] = vcombine_f32(vget_low_f32(a.val[0]), vget_low_f32(b.val[0]));
    r[1] = vcombine_f32(vget_low_f32(a.val[1]), vget_low_f32(b.val[1]));
    r[2] = vcombine_f32(vget_high_f32(a.val[0]), vget_high_f32(b.val[0]));
    r[3] = vcombine_f32(vget_high_f32(a.val[1]), vget_high_f32(b.val[1]));
}

static void turn_4_rows(const float *in, size_t ld, size_t rows, size_t k, size_t width,
                        float *out)
{
    size_t j = 0;
    for (; j + WIDTH <= k; j += WIDTH) {
        float32x4_t r[4];
        for (size_t i = 0; i < 4; i++)
            r[i] = i < rows ? vld1q_f32(in + i * ld + j) : vdupq_n_f32(0);
        turn_4x4(r);
        for (size_t i = 0; i < 4; i++) vst1q_f32(out + (j + i) * width, r[i]);
    }
    for (; j < k; j++)
        for (size_t i = 0; i < rows; i++) out[j * width + i] = in[i * ld + j];
}

static void turn_neon(const float *in, size_t ld, size_t rows, size_t k, size_t width,
                      float *out)
{
    for (size_t i = 0; i < rows; i += WIDTH)
        turn_4_rows(in + i * ld, ld, rows - i < WIDTH ? rows - i : WIDTH, k, width,
                    out + i);
}

void mni_kern_nn_add_neon(mni_kern_nn *k)
{
    k->name = "neon";
    k->mr = MR;
    k->nr = NR;
    k->tile = tile_neon;
    k->turn = turn_neon;
}

#else
void mni_kern_nn_add_neon(mni_kern_nn *k) { (void)k; }
#endif
