/* conv_neon.c - conv_body.h with registers of 4 floats: a block is four, a tile 6 places
 * x 1 block in 24 of the 32. SPDX-License-Identifier: MIT */
#include "kern/kern_conv.h"

#include "kern/kern_wino.h"
#include "kern/level.h"

#if MNI_ARM64
#include <arm_neon.h>

#define CV_TARGET
#define CV(name) neon_##name
#define CV_VEC float32x4_t
#define CV_LANES 4
#define CV_LOAD(p) vld1q_f32(p)
#define CV_STORE(p, v) vst1q_f32(p, v)
#define CV_SPREAD(p) vld1q_dup_f32(p)
#define CV_ZERO() vdupq_n_f32(0.0f)
#define CV_ADD(a, b) vaddq_f32(a, b)
#define CV_SUB(a, b) vsubq_f32(a, b)
#define CV_SET(f) vdupq_n_f32(f)
#define CV_MAX(a, b) vmaxq_f32(a, b)
#define CV_FMA(a, b, c) vfmaq_f32(c, a, b)

#define CV_GROUP 1
#define CV_WIDE(step) ((void)(step), 6)
#define CV_PLACES 6
#define CV_MOST 24
#define CV_ALL(M, kind)                                                                  \
    M(kind, 1, 1) M(kind, 2, 1) M(kind, 3, 1) M(kind, 4, 1) M(kind, 5, 1) M(kind, 6, 1)
#define CV_TABLE(kind)                                                                   \
    { CV_NAMES(kind, 1, 1), CV_NAMES(kind, 2, 1), CV_NAMES(kind, 3, 1),                  \
      CV_NAMES(kind, 4, 1), CV_NAMES(kind, 5, 1), CV_NAMES(kind, 6, 1) }

#include "kern/conv_body.h"
#include "kern/pool_body.h"
#include "kern/wino_body.h"

void mni_kern_conv_add_neon(mni_kern_conv *k)
{
    k->name = "neon";
    k->direct = neon_direct;
    k->first = neon_first;
    k->group = CV_GROUP;
    k->wino_in = neon_wino_in;
    k->wino_out = neon_wino_out;
    k->max_pool = neon_max_pool;
    k->average = neon_average;
}

#else
void mni_kern_conv_add_neon(mni_kern_conv *k) { (void)k; }
#endif
