/* conv_grad_c.c - gradients of convolutions in plain C: a "vector" is one float, and a
 * block is a loop of 16. SPDX-License-Identifier: MIT */
#include "kern/kern_grad.h"

#include "kern/kern_wino.h"
#include "kern/level.h"

#define CG_FN
#define VEC float
#define NV 16
#define V_ZERO() 0.0f
#define V_LOAD(p) (*(p))
#define V_STORE(p, v) (*(p) = (v))
#define V_SPREAD(p) (*(p))
#define V_SET(f) (f)
#define V_FNMA(a, b, c) ((c) - (a) * (b))
#define V_ADD(a, b) ((a) + (b))
#define V_FMA(a, b, c) ((c) + (a) * (b))
/* One channel of x at a time: of two, gcc 12 loads the next place's as well, of which
 * there may be none (kern_grad.weights_of_blocked found it). */
#define DW_IN 1
#define MNI_BLOCK_REST 0
#define RUN_COLS 4
#define RUN_BLOCKS 1
#define RUN_BODIES(X) X(1, 1) X(2, 1) X(3, 1) X(4, 1)
#include "kern/conv_grad_body.h"

void mni_kern_grad_add_c(mni_kern_grad *k) { fill(k, "scalar"); }
