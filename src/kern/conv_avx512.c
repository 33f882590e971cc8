/* conv_avx512.c - conv_body.h with registers of 16 floats: a block is one register, a
 * tile 6 places x 4 blocks in 24 of the 32. SPDX-License-Identifier: MIT */
#include "kern/kern_conv.h"

#include "kern/kern_wino.h"
#include "kern/level.h"

#if MNI_X86
#include <immintrin.h>

#define CV_TARGET MNI_AVX512
#define CV(name) avx512_##name
#define CV_VEC __m512
#define CV_LANES 16
#define CV_LOAD(p) _mm512_loadu_ps(p)
#define CV_STORE(p, v) _mm512_storeu_ps(p, v)
#define CV_SPREAD(p) _mm512_set1_ps(*(p))
#define CV_ZERO() _mm512_setzero_ps()
#define CV_ADD(a, b) _mm512_add_ps(a, b)
#define CV_SUB(a, b) _mm512_sub_ps(a, b)
#define CV_SET(f) _mm512_set1_ps(f)
#define CV_MAX(a, b) _mm512_max_ps(a, b)
#define CV_FMA(a, b, c) _mm512_fmadd_ps(a, b, c)

#define CV_GROUP 4
#define CV_WIDE(step) ((step) == 2 ? 6 : 8)
#define CV_PLACES 8
#define CV_MOST 24
#define CV_ALL(M, kind)                                                                  \
    M(kind, 1, 1) M(kind, 2, 1) M(kind, 3, 1) M(kind, 4, 1)                              \
    M(kind, 5, 1) M(kind, 6, 1) M(kind, 7, 1) M(kind, 8, 1)                              \
    M(kind, 1, 2) M(kind, 2, 2) M(kind, 3, 2) M(kind, 4, 2)                              \
    M(kind, 5, 2) M(kind, 6, 2) M(kind, 7, 2) M(kind, 8, 2)                              \
    M(kind, 1, 4) M(kind, 2, 4) M(kind, 3, 4) M(kind, 4, 4)                              \
    M(kind, 5, 4) M(kind, 6, 4)
#define CV_EIGHT(kind, b)                                                                \
    { CV_NAMES(kind, 1, b), CV_NAMES(kind, 2, b), CV_NAMES(kind, 3, b),                  \
      CV_NAMES(kind, 4, b), CV_NAMES(kind, 5, b), CV_NAMES(kind, 6, b),                  \
      CV_NAMES(kind, 7, b), CV_NAMES(kind, 8, b) }
#define CV_TABLE(kind)                                                                   \
    CV_EIGHT(kind, 1), CV_EIGHT(kind, 2),                                                \
    { CV_NAMES(kind, 1, 4), CV_NAMES(kind, 2, 4), CV_NAMES(kind, 3, 4),                  \
      CV_NAMES(kind, 4, 4), CV_NAMES(kind, 5, 4), CV_NAMES(kind, 6, 4) }

#include "kern/conv_body.h"
#include "kern/pool_body.h"
#include "kern/wino_body.h"

void mni_kern_conv_add_avx512(mni_kern_conv *k)
{
    k->name = "avx512";
    k->direct = avx512_direct;
    k->first = avx512_first;
    k->group = CV_GROUP;
    k->wino_in = avx512_wino_in;
    k->wino_out = avx512_wino_out;
    k->max_pool = avx512_max_pool;
    k->average = avx512_average;
}

#else
void mni_kern_conv_add_avx512(mni_kern_conv *k) { (void)k; }
#endif
