/* conv_grad_avx512.c - gradients of convolutions, a block of 16 channels in one register.
 * 16 sums of dw, or 2 x 14 of dx, stay in registers while places or channels go by; the
 * spread of a float is part of the load. SPDX-License-Identifier: MIT */
#include "kern/kern_grad.h"

#include "kern/kern_wino.h"
#include "kern/level.h"

#if MNI_X86
#include <immintrin.h>

#define CG_FN MNI_AVX512
#define VEC __m512
#define NV 1
#define V_ZERO() _mm512_setzero_ps()
#define V_LOAD(p) _mm512_loadu_ps(p)
#define V_STORE(p, v) _mm512_storeu_ps(p, v)
#define V_SPREAD(p) _mm512_set1_ps(*(p))
#define V_SET(f) _mm512_set1_ps(f)
#define V_FNMA(a, b, c) _mm512_fnmadd_ps(a, b, c)
#define V_ADD(a, b) _mm512_add_ps(a, b)
#define V_FMA(a, b, c) _mm512_fmadd_ps(a, b, c)
#define DW_IN 16
#define MNI_BLOCK_REST 0
#define RUN_COLS 14
#define RUN_BLOCKS 2
#define RUN_BODIES(X)                                                                    \
    X(1, 1) X(2, 1) X(3, 1) X(4, 1) X(5, 1) X(6, 1) X(7, 1) X(8, 1) X(9, 1) X(10, 1)     \
    X(11, 1) X(12, 1) X(13, 1) X(14, 1) X(1, 2) X(2, 2) X(3, 2) X(4, 2) X(5, 2) X(6, 2)  \
    X(7, 2) X(8, 2) X(9, 2) X(10, 2) X(11, 2) X(12, 2) X(13, 2) X(14, 2)
#include "kern/conv_grad_body.h"

void mni_kern_grad_add_avx512(mni_kern_grad *k) { fill(k, "avx512"); }

#else
void mni_kern_grad_add_avx512(mni_kern_grad *k) { (void)k; }
#endif
