/* gemm.c - see gemm.h. SPDX-License-Identifier: MIT */
#include "nn/gemm.h"

#include <string.h>

void mni_gemm(mni_form form, size_t m, size_t n, size_t k, const float *a, size_t lda, const float *b,
              size_t ldb, float *c, size_t ldc, int add)
{
    for (size_t i = 0; i < m; i++) {
        float *row = c + i * ldc;
        if (!add) memset(row, 0, n * sizeof *row);
        for (size_t t = 0; t < k; t++) {
            float v = form == MNI_TN ? a[t * lda + i] : a[i * lda + t];
            if (form == MNI_NT)
                for (size_t j = 0; j < n; j++) row[j] += v * b[j * ldb + t];
            else
                for (size_t j = 0; j < n; j++) row[j] += v * b[t * ldb + j];
        }
    }
}
