/* kern_conv.c - fills the table of convolutions. SPDX-License-Identifier: MIT */
#include "kern/kern_conv.h"

#include "os/cpu.h"
#include "os/thread.h"

void mni_kern_conv_build(mni_kern_conv *k, unsigned cpu)
{
    *k = (mni_kern_conv){ "scalar", mni_conv_direct_c, mni_conv_first_c, 1,
                          mni_wino_in_c, mni_wino_out_c, mni_conv_max_pool_c,
                          mni_conv_average_c };
    if (cpu & MNI_CPU_AVX2) mni_kern_conv_add_avx2(k);
    if (cpu & MNI_CPU_AVX512) mni_kern_conv_add_avx512(k);
    if (cpu & MNI_CPU_NEON) mni_kern_conv_add_neon(k);
}

static mni_once once = MNI_ONCE_INIT;
static mni_kern_conv best;

static void build_best(void) { mni_kern_conv_build(&best, mni_cpu_allowed()); }

const mni_kern_conv *mni_kern_conv_best(void)
{
    mni_once_run(&once, build_best);
    return &best;
}
