/* kern_nn.c - fills the table of the network's kernels. SPDX-License-Identifier: MIT */
#include "kern/kern_nn.h"

#include "kern/gemm.h"
#include "os/cpu.h"
#include "os/thread.h"

void mni_kern_nn_build(mni_kern_nn *k, unsigned cpu)
{
    *k = (mni_kern_nn){ "scalar", MNI_GEMM_MR_C, MNI_GEMM_NR_C, mni_gemm_tile_c,
                        mni_gemm_turn_c };
    if (cpu & MNI_CPU_AVX2) mni_kern_nn_add_avx2(k);
    if (cpu & MNI_CPU_AVX512) mni_kern_nn_add_avx512(k);
    if (cpu & MNI_CPU_NEON) mni_kern_nn_add_neon(k);
}

static mni_once once = MNI_ONCE_INIT;
static mni_kern_nn best;

static void build_best(void) { mni_kern_nn_build(&best, mni_cpu_allowed()); }

const mni_kern_nn *mni_kern_nn_best(void)
{
    mni_once_run(&once, build_best);
    return &best;
}
