/* norm_blocks.c - the tables of kern_norm.h: one body, three levels.
 * SPDX-License-Identifier: MIT */
#include "kern/kern_norm.h"

#include <stdint.h>

#include "os/cpu.h"
#include "os/thread.h"

enum { LANES = MNI_BLOCK, STRIP = 64 };

/* Sixteen floats as one value, as in ew.c. */
typedef float   lanes __attribute__((vector_size(64), aligned(4), may_alias));
typedef int32_t mask  __attribute__((vector_size(64), aligned(4), may_alias));

#define NB_TARGET
#define NB(name) name##_c
#include "kern/norm_blocks_body.h"
#undef NB_TARGET
#undef NB

#if MNI_X86
#define NB_TARGET __attribute__((target("avx2")))
#define NB(name) name##_avx2
#include "kern/norm_blocks_body.h"
#undef NB_TARGET
#undef NB

#define NB_TARGET __attribute__((target("avx512f,avx512bw,avx512dq,avx512vl")))
#define NB(name) name##_avx512
#include "kern/norm_blocks_body.h"
#undef NB_TARGET
#undef NB
#endif

void mni_kern_norm_build(mni_kern_norm *k, unsigned cpu)
{
    (void)cpu;
    fill_c(k, "scalar");
#if MNI_X86
    if (cpu & MNI_CPU_AVX2) fill_avx2(k, "avx2");
    if (cpu & MNI_CPU_AVX512) fill_avx512(k, "avx512");
#endif
}

static mni_once once = MNI_ONCE_INIT;
static mni_kern_norm best;

static void build_best(void) { mni_kern_norm_build(&best, mni_cpu_allowed()); }

const mni_kern_norm *mni_kern_norm_best(void)
{
    mni_once_run(&once, build_best);
    return &best;
}
