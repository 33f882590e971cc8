/* kern_png.c - fills the table of PNG's loops. SPDX-License-Identifier: MIT */
#include "kern/kern_png.h"

#include "os/cpu.h"
#include "os/thread.h"

void mni_kern_png_build(mni_kern_png *k, unsigned cpu)
{
    mni_png_kern_c(k);
    if (cpu & MNI_CPU_AVX2) mni_kern_png_add_avx2(k, cpu);
    if (cpu & MNI_CPU_NEON) mni_kern_png_add_neon(k);
}

static mni_once once = MNI_ONCE_INIT;
static mni_kern_png best;

static void build_best(void) { mni_kern_png_build(&best, mni_cpu_allowed()); }

const mni_kern_png *mni_kern_png_best(void)
{
    mni_once_run(&once, build_best);
    return &best;
}
