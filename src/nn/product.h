/* product.h - a matrix product as layers ask for it: kern_nn.h's, on the calling thread,
 * in one line. SPDX-License-Identifier: MIT */
#ifndef MNI_NN_PRODUCT_H
#define MNI_NN_PRODUCT_H

#include "kern/kern_nn.h"

/* A matrix by its first element and the distance between its rows. */
typedef struct mni_mat { const float *at; size_t ld; } mni_mat;

static inline mni_gemm_args mni_product_args(mni_gemm_kind kind, size_t m, size_t n,
                                             size_t k, mni_mat a, mni_mat b, float *c,
                                             size_t ldc, int add)
{
    return (mni_gemm_args){ kind, m, n, k, a.at, a.ld, b.at, b.ld, c, ldc, add };
}

static inline void mni_product(mni_gemm_kind kind, size_t m, size_t n, size_t k,
                               mni_mat a, mni_mat b, float *c, size_t ldc, int add,
                               void *workspace)
{
    mni_gemm_args g = mni_product_args(kind, m, n, k, a, b, c, ldc, add);
    mni_gemm(&g, NULL, workspace);
}

/* Floats of workspace for a product of these sizes. */
static inline size_t mni_product_floats(mni_gemm_kind kind, size_t m, size_t n, size_t k)
{
    const size_t ld_a = kind == MNI_GEMM_TN ? m : k, ld_b = kind == MNI_GEMM_NT ? k : n;
    mni_gemm_args g = mni_product_args(kind, m, n, k, (mni_mat){ NULL, ld_a },
                                       (mni_mat){ NULL, ld_b }, NULL, n, 0);
    return mni_gemm_workspace_bytes(&g) / sizeof(float) + 16;
}

#endif
