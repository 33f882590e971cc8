/* conv_grad_avx2.c - gradients of convolutions, a block of 16 channels in two registers
 * of the 16: six channels of x against a block of dy at a time (12 sums), or six places
 * of dx. SPDX-License-Identifier: MIT */
#include "kern/kern_grad.h"

#include "kern/kern_wino.h"
#include "kern/level.h"

#if MNI_X86
#include <immintrin.h>

#define CG_FN MNI_AVX2
#define VEC __m256
#define NV 2
#define V_ZERO() _mm256_setzero_ps()
#define V_LOAD(p) _mm256_loadu_ps(p)
#define V_STORE(p, v) _mm256_storeu_ps(p, v)
#define V_SPREAD(p) _mm256_broadcast_ss(p)
#define V_SET(f) _mm256_set1_ps(f)
#define V_FNMA(a, b, c) _mm256_fnmadd_ps(a, b, c)
#define V_ADD(a, b) _mm256_add_ps(a, b)
#define V_FMA(a, b, c) _mm256_fmadd_ps(a, b, c)
#define DW_IN 6
#define MNI_BLOCK_REST 4
#define RUN_COLS 6
#define RUN_BLOCKS 1
#define RUN_BODIES(X) X(1, 1) X(2, 1) X(3, 1) X(4, 1) X(5, 1) X(6, 1)
#include "kern/conv_grad_body.h"

void mni_kern_grad_add_avx2(mni_kern_grad *k) { fill(k, "avx2"); }

#else
void mni_kern_grad_add_avx2(mni_kern_grad *k) { (void)k; }
#endif
