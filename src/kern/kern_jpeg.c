/* kern_jpeg.c - fills the table of JPEG kernels. SPDX-License-Identifier: MIT */
#include "kern/kern_jpeg.h"

#include "os/cpu.h"
#include "os/thread.h"

void mni_kern_jpeg_build(mni_kern_jpeg *k, unsigned cpu)
{
    mni_kern_jpeg_add_c(k);
    if (cpu & MNI_CPU_BMI2) mni_kern_jpeg_add_bmi2(k);
    if (cpu & MNI_CPU_AVX2) mni_kern_jpeg_add_avx2(k);
    if (cpu & MNI_CPU_NEON) mni_kern_jpeg_add_neon(k);
}

static mni_once once = MNI_ONCE_INIT;
static mni_kern_jpeg best;

static void build_best(void) { mni_kern_jpeg_build(&best, mni_cpu_allowed()); }

const mni_kern_jpeg *mni_kern_jpeg_best(void)
{
    mni_once_run(&once, build_best);
    return &best;
}
