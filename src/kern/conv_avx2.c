/* conv_avx2.c - conv_body.h with registers of 8 floats: a block is two, a tile 6 places x
 * 1 block in 12 of the 16. SPDX-License-Identifier: MIT */
#include "kern/kern_conv.h"

#include "kern/kern_wino.h"
#include "kern/level.h"

#if MNI_X86
#include <immintrin.h>

#define CV_TARGET MNI_AVX2
#define CV(name) avx2_##name
#define CV_VEC __m256
#define CV_LANES 8
#define CV_LOAD(p) _mm256_loadu_ps(p)
#define CV_STORE(p, v) _mm256_storeu_ps(p, v)
#define CV_SPREAD(p) _mm256_set1_ps(*(p))
#define CV_ZERO() _mm256_setzero_ps()
#define CV_ADD(a, b) _mm256_add_ps(a, b)
#define CV_SUB(a, b) _mm256_sub_ps(a, b)
#define CV_SET(f) _mm256_set1_ps(f)
#define CV_MAX(a, b) _mm256_max_ps(a, b)
#define CV_FMA(a, b, c) _mm256_fmadd_ps(a, b, c)

#define CV_GROUP 1
#define CV_WIDE(step) ((void)(step), 6)
#define CV_PLACES 6
#define CV_MOST 12
#define CV_ALL(M, kind)                                                                  \
    M(kind, 1, 1) M(kind, 2, 1) M(kind, 3, 1) M(kind, 4, 1) M(kind, 5, 1) M(kind, 6, 1)
#define CV_TABLE(kind)                                                                   \
    { CV_NAMES(kind, 1, 1), CV_NAMES(kind, 2, 1), CV_NAMES(kind, 3, 1),                  \
      CV_NAMES(kind, 4, 1), CV_NAMES(kind, 5, 1), CV_NAMES(kind, 6, 1) }

#include "kern/conv_body.h"
#include "kern/pool_body.h"
#include "kern/wino_body.h"

void mni_kern_conv_add_avx2(mni_kern_conv *k)
{
    k->name = "avx2";
    k->direct = avx2_direct;
    k->first = avx2_first;
    k->group = CV_GROUP;
    k->wino_in = avx2_wino_in;
    k->wino_out = avx2_wino_out;
    k->max_pool = avx2_max_pool;
    k->average = avx2_average;
}

#else
void mni_kern_conv_add_avx2(mni_kern_conv *k) { (void)k; }
#endif
