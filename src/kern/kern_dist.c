/* kern_dist.c - fills the table of distances. SPDX-License-Identifier: MIT */
#include "kern/kern_dist.h"

#include "kern/dist.h"
#include "os/cpu.h"
#include "os/thread.h"

void mni_kern_dist_build(mni_kern_dist *k, unsigned cpu)
{
    *k = (mni_kern_dist){ "scalar", mni_dist_l2_rows_c, mni_dist_ip_rows_c,
                          mni_dist_cos_rows_c };
    if (cpu & MNI_CPU_AVX2) mni_kern_dist_add_avx2(k);
    if (cpu & MNI_CPU_AVX512) mni_kern_dist_add_avx512(k);
    if (cpu & MNI_CPU_NEON) mni_kern_dist_add_neon(k);
}

static mni_once once = MNI_ONCE_INIT;
static mni_kern_dist best;

static void build_best(void) { mni_kern_dist_build(&best, mni_cpu_allowed()); }

const mni_kern_dist *mni_kern_dist_best(void)
{
    mni_once_run(&once, build_best);
    return &best;
}
