/* conv_grad_neon.c - gradients of convolutions, a block of 16 channels in four registers
 * of the 32: six channels of x against a block of dy at a time (24 sums), or six places
 * of dx. SPDX-License-Identifier: MIT */
#include "kern/kern_grad.h"

#include "kern/kern_wino.h"
#include "kern/level.h"

#if MNI_ARM64
#include <arm_neon.h>

#define CG_FN
#define VEC float32x4_t
#define NV 4
#define V_ZERO() vdupq_n_f32(0.0f)
#define V_LOAD(p) vld1q_f32(p)
#define V_STORE(p, v) vst1q_f32(p, v)
#define V_SPREAD(p) vld1q_dup_f32(p)
#define V_SET(f) vdupq_n_f32(f)
#define V_FNMA(a, b, c) vfmsq_f32(c, a, b)
#define V_ADD(a, b) vaddq_f32(a, b)
#define V_FMA(a, b, c) vfmaq_f32(c, a, b)
#define DW_IN 6
#define MNI_BLOCK_REST 4
#define RUN_COLS 6
#define RUN_BLOCKS 1
#define RUN_BODIES(X) X(1, 1) X(2, 1) X(3, 1) X(4, 1) X(5, 1) X(6, 1)
#include "kern/conv_grad_body.h"

void mni_kern_grad_add_neon(mni_kern_grad *k) { fill(k, "neon"); }

#else
void mni_kern_grad_add_neon(mni_kern_grad *k) { (void)k; }
#endif
