/* gemm.h - what gemm_*.c hands to kern_nn.c. SPDX-License-Identifier: MIT */
#ifndef MNI_KERN_GEMM_H
#define MNI_KERN_GEMM_H

#include <stddef.h>

enum { MNI_GEMM_MR_C = 4, MNI_GEMM_NR_C = 8 };

void mni_gemm_tile_c(size_t k, const float *ap, const float *bp, float *c, size_t ldc,
                     size_t rows, size_t cols, int add);
void mni_gemm_turn_c(const float *in, size_t ld, size_t rows, size_t k, size_t width,
                     float *out);

#endif
