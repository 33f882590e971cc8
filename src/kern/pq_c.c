/* pq_c.c - sums of table entries in plain loops, the float loops at every level, and the
 * table of levels. The other pq_*.c files must give the same numbers, bit for bit.
 * SPDX-License-Identifier: MIT */
#include <math.h>
#include <string.h>

#include "kern/kern_pq.h"
#include "kern/level.h"
#include "os/thread.h"

/* As in ew.c: GCC's and clang's vector extension, which is not an intrinsic. Unaligned,
 * and may alias. */
typedef float   lanes __attribute__((vector_size(64), aligned(4), may_alias));
typedef int32_t mask  __attribute__((vector_size(64), aligned(4), may_alias));
typedef uint8_t small __attribute__((vector_size(16), aligned(1), may_alias));

#define PQ_TARGET
#define PQ(name) name##_c
#include "kern/pq_body.h"
#undef PQ_TARGET
#undef PQ

#if MNI_X86
#define PQ_TARGET __attribute__((target("avx2")))
#define PQ(name) name##_avx2
#include "kern/pq_body.h"
#undef PQ_TARGET
#undef PQ

#define PQ_TARGET __attribute__((target("avx512f,avx512bw,avx512dq,avx512vl")))
#define PQ(name) name##_avx512
#include "kern/pq_body.h"
#undef PQ_TARGET
#undef PQ
#endif

static void sum4_c(const mni_pq_args *a)
{
    for (size_t b = 0; b < a->n_blocks; b++) {
        const uint8_t *codes = a->codes + b * a->stride;
        int32_t sum[MNI_PQ_ROWS] = { 0 };
        for (size_t p = 0; p < a->pieces; p++)
            for (int j = 0; j < MNI_PQ_LANES; j++) {
                const uint8_t two = codes[p * MNI_PQ_LANES + (size_t)j];
                sum[j] += a->tables[p * 16 + (two & 15)];
                sum[j + MNI_PQ_LANES] += a->tables[p * 16 + (two >> 4)];
            }
        memcpy(a->out + b * MNI_PQ_ROWS, sum, sizeof sum);
    }
}

static void sum8_c(const mni_pq_args *a)
{
    for (size_t b = 0; b < a->n_blocks; b++) {
        const uint8_t *codes = a->codes + b * a->stride;
        int32_t sum[MNI_PQ_ROWS] = { 0 };
        for (size_t p = 0; p < a->pieces; p++)
            for (size_t r = 0; r < MNI_PQ_ROWS; r++)
                sum[r] += a->tables[p * 256 + codes[p * MNI_PQ_ROWS + r]];
        memcpy(a->out + b * MNI_PQ_ROWS, sum, sizeof sum);
    }
}

void mni_kern_pq_build(mni_kern_pq *k, unsigned cpu)
{
    *k = (mni_kern_pq){ .name = "scalar", .sum4 = sum4_c, .sum8 = sum8_c };
    fill_c(k);
#if MNI_X86
    if (cpu & MNI_CPU_AVX2) fill_avx2(k);
    if (cpu & MNI_CPU_AVX512) fill_avx512(k);
#endif
    if (cpu & MNI_CPU_AVX2) mni_kern_pq_add_avx2(k);
    if (cpu & MNI_CPU_AVX512) mni_kern_pq_add_avx512(k);
    if (cpu & MNI_CPU_VBMI) mni_kern_pq_add_vbmi(k);
    if (cpu & MNI_CPU_NEON) mni_kern_pq_add_neon(k);
}

static mni_once once = MNI_ONCE_INIT;
static mni_kern_pq best;

static void build_best(void) { mni_kern_pq_build(&best, mni_cpu_allowed()); }

const mni_kern_pq *mni_kern_pq_best(void)
{
    mni_once_run(&once, build_best);
    return &best;
}
