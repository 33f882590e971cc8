/* gemm_c.c - the matrix product as it is defined, and the micro-kernel in plain C.
 * SPDX-License-Identifier: MIT */
#include "kern/gemm.h"
#include "kern/kern_nn.h"

void mni_gemm_plain(const mni_gemm_args *g)
{
    /* A step along i, j and p (the summed index) in a and b, by how they are stored. */
    const size_t a_i = g->kind == MNI_GEMM_TN ? 1 : g->lda,
                 a_p = g->kind == MNI_GEMM_TN ? g->lda : 1;
    const size_t b_j = g->kind == MNI_GEMM_NT ? g->ldb : 1,
                 b_p = g->kind == MNI_GEMM_NT ? 1 : g->ldb;

    for (size_t i = 0; i < g->m; i++)
        for (size_t j = 0; j < g->n; j++) {
            float sum = 0.0f;
            for (size_t p = 0; p < g->k; p++)
                sum += g->a[i * a_i + p * a_p] * g->b[p * b_p + j * b_j];
            float *const c = &g->c[i * g->ldc + j];
            *c = g->add ? *c + sum : sum;
        }
}

/* The tile of C lives in `acc` (registers, if the compiler is good) for all of k: per
 * step MR + NR floats are loaded and MR * NR products are made of them. Rows and columns
 * that the edge lacks are computed from zeros, or from what stands in the panel, and not
 * stored. */
void mni_gemm_tile_c(size_t k, const float *ap, const float *bp, float *c, size_t ldc,
                     size_t rows, size_t cols, int add)
{
    enum { MR = MNI_GEMM_MR_C, NR = MNI_GEMM_NR_C };
    float acc[MR][NR] = { { 0 } };
    for (size_t p = 0; p < k; p++, ap += MR, bp += NR)
        for (size_t i = 0; i < rows; i++) {
            const float a = ap[i];
            for (size_t j = 0; j < NR; j++) acc[i][j] += a * bp[j];
        }
    for (size_t i = 0; i < rows; i++)
        for (size_t j = 0; j < cols; j++)
            c[i * ldc + j] = add ? c[i * ldc + j] + acc[i][j] : acc[i][j];
}

void mni_gemm_turn_c(const float *in, size_t ld, size_t rows, size_t k, size_t width,
                     float *out)
{
    for (size_t j = 0; j < k; j++)
        for (size_t i = 0; i < rows; i++) out[j * width + i] = in[i * ld + j];
}
