/* gemm.h - the one matrix product that convolutions and linear layers are lowered to.
 * SPDX-License-Identifier: MIT */
#ifndef MNI_NN_GEMM_H
#define MNI_NN_GEMM_H

#include <stddef.h>

typedef enum mni_form { MNI_NN = 0, MNI_NT, MNI_TN } mni_form;

/* C (m x n, row stride ldc) = A B, or += with `add`. A is m x k, B is k x n; NT: B is stored as n x k;
 * TN: A is stored as k x m. All by rows. The bits of one element of C depend on its row of A, its column
 * of B and k, never on m, n or its place: an image gives the same in a batch of 1 and of 64. */
void mni_gemm(mni_form form, size_t m, size_t n, size_t k, const float *a, size_t lda, const float *b,
              size_t ldb, float *c, size_t ldc, int add);

#endif
