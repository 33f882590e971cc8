/* code_c.c - sums over codes in plain loops, and the table of them; kern_code.h says what
 * they are. SPDX-License-Identifier: MIT */
#include "kern/kern_code.h"

#include "os/cpu.h"
#include "os/thread.h"

static void near8_c(const uint8_t *query, const uint8_t *codes, size_t bytes,
                    const uint32_t *nodes, size_t n, uint32_t *out)
{
    for (size_t i = 0; i < n; i++) {
        const uint8_t *c = codes + nodes[i] * bytes;
        uint32_t sum = 0;
        for (size_t j = 0; j < bytes; j++) {
            const int32_t d = (int32_t)query[j] - c[j];
            sum += (uint32_t)(d * d);
        }
        out[i] = sum;
    }
}

static void near4_c(const uint8_t *query, const uint8_t *codes, size_t bytes,
                    const uint32_t *nodes, size_t n, uint32_t *out)
{
    for (size_t i = 0; i < n; i++) {
        const uint8_t *c = codes + nodes[i] * bytes;
        uint32_t sum = 0;
        for (size_t j = 0; j < bytes; j++) {
            const int32_t low = query[j] - MNI_CODE_HALF_STEP * (c[j] & 15),
                          up = query[bytes + j] - MNI_CODE_HALF_STEP * (c[j] >> 4);
            sum += (uint32_t)(low * low) + (uint32_t)(up * up);
        }
        out[i] = sum;
    }
}

static void away8_c(const uint8_t *query, const uint8_t *codes, size_t bytes,
                    const uint32_t *nodes, size_t n, uint32_t *out)
{
    const int8_t *q = (const int8_t *)query;
    for (size_t i = 0; i < n; i++) {
        const uint8_t *c = codes + nodes[i] * bytes;
        uint32_t sum = 0;
        for (size_t j = 0; j < bytes; j++) sum += (uint32_t)(q[j] * (int32_t)c[j]);
        out[i] = 0x80000000u - sum;
    }
}

static void away4_c(const uint8_t *query, const uint8_t *codes, size_t bytes,
                    const uint32_t *nodes, size_t n, uint32_t *out)
{
    const int8_t *q = (const int8_t *)query;
    for (size_t i = 0; i < n; i++) {
        const uint8_t *c = codes + nodes[i] * bytes;
        uint32_t sum = 0;
        for (size_t j = 0; j < bytes; j++)
            sum += (uint32_t)(MNI_CODE_HALF_STEP *
                              (q[j] * (c[j] & 15) + q[bytes + j] * (c[j] >> 4)));
        out[i] = 0x80000000u - sum;
    }
}

static void pairs_c(const int8_t *query, const int8_t *rows, size_t dim,
                    const uint32_t *nodes, size_t n, int32_t *out)
{
    for (size_t i = 0; i < n; i++) {
        const int8_t *c = rows + nodes[i] * dim;
        int32_t dot = 0, square = 0;
        for (size_t j = 0; j < dim; j++) {
            dot += query[j] * c[j];
            square += c[j] * c[j];
        }
        out[2 * i] = dot;
        out[2 * i + 1] = square;
    }
}

void mni_kern_code_build(mni_kern_code *k, unsigned cpu)
{
    *k = (mni_kern_code){ "scalar", near8_c, near4_c, away8_c, away4_c, pairs_c };
    if (cpu & MNI_CPU_AVX2) mni_kern_code_add_avx2(k);
    if (cpu & MNI_CPU_AVX512) mni_kern_code_add_avx512(k);
    if (cpu & MNI_CPU_VNNI) mni_kern_code_add_vnni(k);
    if (cpu & MNI_CPU_NEON) mni_kern_code_add_neon(k);
}

static mni_once once = MNI_ONCE_INIT;
static mni_kern_code best;

static void build_best(void) { mni_kern_code_build(&best, mni_cpu_allowed()); }

const mni_kern_code *mni_kern_code_best(void)
{
    mni_once_run(&once, build_best);
    return &best;
}
