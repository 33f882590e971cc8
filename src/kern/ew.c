/* ew.c - the tables of kern_ew.h: one body, all levels. SPDX-License-Identifier: MIT */
#include "kern/kern_ew.h"

#include <stdint.h>

#include "os/cpu.h"
#include "os/thread.h"

enum { LANES = 16, STRETCH = 1024 };

/* Sixteen floats as one value: GCC's and clang's vector extension, which is not an
 * intrinsic: without AVX-512 the compiler makes two or four operations of each.
 * Unaligned, and may alias floats. */
typedef float   lanes __attribute__((vector_size(64), aligned(4), may_alias));
typedef int32_t mask  __attribute__((vector_size(64), aligned(4), may_alias));

#define EW_TARGET
#define EW(name) name##_c
#include "kern/ew_body.h"
#undef EW_TARGET
#undef EW

#if MNI_X86
#define EW_TARGET __attribute__((target("avx2")))
#define EW(name) name##_avx2
#include "kern/ew_body.h"
#undef EW_TARGET
#undef EW

#define EW_TARGET __attribute__((target("avx512f,avx512bw,avx512dq,avx512vl")))
#define EW(name) name##_avx512
#include "kern/ew_body.h"
#undef EW_TARGET
#undef EW
#endif

void mni_kern_ew_build(mni_kern_ew *k, unsigned cpu)
{
    (void)cpu;
    k->name = "scalar";
    fill_c(k);
#if MNI_X86
    if (cpu & MNI_CPU_AVX2) { k->name = "avx2"; fill_avx2(k); }
    if (cpu & MNI_CPU_AVX512) { k->name = "avx512"; fill_avx512(k); }
#endif
    if (cpu & MNI_CPU_NEON) k->name = "neon"; /* fill_c is made of NEON there */
}

static mni_kern_ew best;
static mni_once once = MNI_ONCE_INIT;

static void build_best(void) { mni_kern_ew_build(&best, mni_cpu_allowed()); }

const mni_kern_ew *mni_kern_ew_best(void)
{
    mni_once_run(&once, build_best);
    return &best;
}
