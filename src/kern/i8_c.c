/* i8_c.c - byte products in plain loops, and the table of levels. The other i8_*.c files
 * must give the same numbers, bit for bit. SPDX-License-Identifier: MIT */
#include <math.h>
#include <string.h>

#include "base/dtype.h"
#include "kern/kern_i8.h"
#include "os/cpu.h"
#include "os/thread.h"

static void dots_c(const mni_i8_args *a)
{
    const size_t n_bytes = a->groups * 4;
    for (size_t q = 0; q < a->n_queries; q++) {
        const int8_t *query = a->queries + q * n_bytes;
        for (size_t b = 0; b < a->n_blocks; b++) {
            const uint8_t *at = a->blocks + b * a->stride;
            int32_t sum[MNI_I8_ROWS] = { 0 };
            for (size_t g = 0; g < a->groups; g++, at += MNI_I8_GROUP_BYTES)
                for (size_t r = 0; r < MNI_I8_ROWS; r++)
                    for (size_t j = 0; j < 4; j++)
                        sum[r] += at[r * 4 + j] * query[g * 4 + j];
            memcpy(a->out + q * a->out_stride + b * MNI_I8_ROWS, sum, sizeof sum);
        }
    }
}

static size_t pick_c(const int32_t *dots, const float *plus, size_t n, float factor,
                     float limit, uint32_t *index, float *value)
{
    size_t found = 0;
    for (size_t i = 0; i < n; i++) {
        const float v = plus[i] - factor * (float)dots[i];
        if (v > limit) continue;
        index[found] = (uint32_t)i;
        value[found++] = v;
    }
    return found;
}

static float lowest_c(const int32_t *dots, const float *plus, size_t n, float factor)
{
    float low = INFINITY;
    for (size_t i = 0; i < n; i++) {
        const float v = plus[i] - factor * (float)dots[i];
        if (v < low) low = v;
    }
    return low;
}

static void from_f16_c(const uint16_t *in, size_t n, float *out)
{
    for (size_t i = 0; i < n; i++) out[i] = mni_f32_from_f16(in[i]);
}

static void from_i8_c(const int8_t *in, size_t n, float scale, float *out)
{
    for (size_t i = 0; i < n; i++) out[i] = scale * (float)in[i];
}

static void round_c(const float *v, size_t n, float scale, uint8_t *out, double lane[8])
{
    const float by = scale > 0.0f ? 1.0f / scale : 0.0f;
    for (size_t i = 0; i < n; i++)
        out[i] = mni_i8_round_one(v[i], by, scale, &lane[i % 8]);
}

static void squares_c(const float *v, size_t n, double lane[8])
{
    for (size_t i = 0; i < n; i++) lane[i % 8] += (double)v[i] * v[i];
}

void mni_kern_i8_build(mni_kern_i8 *k, unsigned cpu)
{
    *k = (mni_kern_i8){ "scalar", 127, dots_c, pick_c, lowest_c, from_f16_c,
                        from_i8_c, squares_c, round_c };
    if (cpu & MNI_CPU_AVX2) mni_kern_i8_add_avx2(k);
    if (cpu & MNI_CPU_AVX512) mni_kern_i8_add_avx512(k);
    if (cpu & MNI_CPU_VNNI) mni_kern_i8_add_vnni(k);
    if (cpu & MNI_CPU_NEON) mni_kern_i8_add_neon(k);
}

static mni_once once = MNI_ONCE_INIT;
static mni_kern_i8 best;

static void build_best(void) { mni_kern_i8_build(&best, mni_cpu_allowed()); }

const mni_kern_i8 *mni_kern_i8_best(void)
{
    mni_once_run(&once, build_best);
    return &best;
}
