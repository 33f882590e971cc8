/* kern_low.c - the table of kern_low.h, packing, and both convolutions in plain C.
 * SPDX-License-Identifier: MIT */
#include "kern/kern_low.h"

#include <math.h>

#include "os/cpu.h"
#include "os/thread.h"

size_t mni_low_packed_bytes(size_t c_out, size_t n_blocks, size_t kernel, size_t words)
{
    const size_t blocks = (c_out + MNI_LOW_BLOCK - 1) / MNI_LOW_BLOCK;
    return blocks * n_blocks * kernel * kernel * words * 4 * MNI_LOW_BLOCK;
}

void mni_low_pack(uint8_t *packed, const void *w, size_t element, size_t c_out,
                  size_t c_in, size_t kernel, size_t n_blocks, size_t words)
{
    const size_t blocks = (c_out + MNI_LOW_BLOCK - 1) / MNI_LOW_BLOCK;
    const size_t lanes = 4 / element;
    for (size_t first = 0; first < blocks; first += MNI_LOW_GROUP) {
        const size_t group = blocks - first < MNI_LOW_GROUP ? blocks - first
                                                            : MNI_LOW_GROUP;
        for (size_t b = 0; b < n_blocks; b++)
            for (size_t tap = 0; tap < kernel * kernel; tap++)
                for (size_t word = 0; word < words; word++)
                    for (size_t v = 0; v < group * MNI_LOW_BLOCK; v++)
                        for (size_t j = 0; j < lanes; j++, packed += element) {
                            const size_t o = first * MNI_LOW_BLOCK + v,
                                         i = b * MNI_LOW_BLOCK + word * lanes + j;
                            memset(packed, 0, element);
                            if (o < c_out && i < c_in)
                                memcpy(packed,
                                       (const uint8_t *)w +
                                           ((o * c_in + i) * kernel * kernel + tap) *
                                               element,
                                       element);
                        }
    }
}

/* --- plain C ------------------------------------------------------------------------ */

/* The words of x and of one output channel's weights in the order of the sum, given to
 * `step`; both definitions are made of it. */
typedef void (*step_fn)(void *sum, const uint8_t *x, const uint8_t *w);

static void each_step(const mni_low_conv *a, const uint8_t *x, const uint8_t *w,
                      size_t w_step, step_fn step, void *sum)
{
    for (size_t b = 0; b < a->n_blocks; b++)
        for (size_t u = 0; u < a->kernel; u++)
            for (size_t v = 0; v < a->kernel; v++)
                for (size_t word = 0; word < a->words; word++, w += w_step)
                    step(sum, x + b * a->x_block + u * a->x_row + v * a->x_pixel +
                                  4 * word, w);
}

static void int8_step(void *sum, const uint8_t *x, const uint8_t *w)
{
    for (int j = 0; j < 4; j++) *(int32_t *)sum += x[j] * (int32_t)(int8_t)w[j];
}

static void bf16_step(void *sum, const uint8_t *x, const uint8_t *w)
{
    uint16_t xs[2], ws[2];
    memcpy(xs, x, sizeof xs);
    memcpy(ws, w, sizeof ws);
    for (int j = 0; j < 2; j++)
        *(float *)sum += mni_f32_from_bf16(xs[j]) * mni_f32_from_bf16(ws[j]);
}

static uint8_t int8_end(const mni_low_conv *a, int32_t sum, size_t o, size_t at)
{
    float v = (float)sum * a->scale[o];
    v = v + a->shift[o];
    if (a->r) v = v + (float)a->r[at] * a->r_scale;
    v = v > 0.0f ? v : 0.0f;
    v = v < 255.0f ? v : 255.0f;
    return (uint8_t)lrintf(v);
}

static uint16_t bf16_end(const mni_low_conv *a, float sum, size_t o, size_t at)
{
    float v = sum + a->shift[o];
    if (a->r) {
        uint16_t r;
        memcpy(&r, a->r + at, sizeof r);
        v = v + mni_f32_from_bf16(r);
    }
    if (a->relu) v = v > 0.0f ? v : 0.0f;
    return mni_bf16_from_f32(v);
}

void mni_low_int8_c(const mni_low_conv *a, size_t group, size_t place, size_t place_end)
{
    const size_t blocks = mni_low_blocks_of(a, group), lanes = blocks * MNI_LOW_BLOCK;
    const uint8_t *w = a->w + group * MNI_LOW_GROUP * mni_low_weight_block(a);
    for (; place < place_end; place++) {
        const size_t h = place / a->w_out, c = place % a->w_out;
        const uint8_t *x = a->x + (h * a->x_row + c * a->x_pixel) * a->stride;
        for (size_t l = 0; l < lanes; l++) {
            const size_t block = group * MNI_LOW_GROUP + l / MNI_LOW_BLOCK;
            const size_t at = block * a->y_block + h * a->y_row + c * MNI_LOW_BLOCK +
                              l % MNI_LOW_BLOCK;
            int32_t sum = 0;
            each_step(a, x, w + 4 * l, 4 * lanes, int8_step, &sum);
            a->y[at] = int8_end(a, sum, group * MNI_LOW_GROUP * MNI_LOW_BLOCK + l, at);
        }
    }
}

void mni_low_bf16_c(const mni_low_conv *a, size_t group, size_t place, size_t place_end)
{
    const size_t blocks = mni_low_blocks_of(a, group), lanes = blocks * MNI_LOW_BLOCK;
    const uint8_t *w = a->w + group * MNI_LOW_GROUP * mni_low_weight_block(a);
    for (; place < place_end; place++) {
        const size_t h = place / a->w_out, c = place % a->w_out;
        const uint8_t *x = a->x + (h * a->x_row + c * a->x_pixel) * a->stride;
        for (size_t l = 0; l < lanes; l++) {
            const size_t block = group * MNI_LOW_GROUP + l / MNI_LOW_BLOCK;
            const size_t at = block * a->y_block + h * a->y_row +
                              (c * MNI_LOW_BLOCK + l % MNI_LOW_BLOCK) * 2;
            float sum = 0;
            each_step(a, x, w + 4 * l, 4 * lanes, bf16_step, &sum);
            const uint16_t y =
                bf16_end(a, sum, group * MNI_LOW_GROUP * MNI_LOW_BLOCK + l, at);
            memcpy(a->y + at, &y, sizeof y);
        }
    }
}

/* --- the table ---------------------------------------------------------------------- */

void mni_kern_low_build(mni_kern_low *k, unsigned cpu)
{
    *k = (mni_kern_low){ "scalar", "scalar", mni_low_int8_c, mni_low_bf16_c };
    if (cpu & MNI_CPU_AVX2) mni_kern_low_add_avx2(k);
    if (cpu & MNI_CPU_VNNI) mni_kern_low_add_vnni(k);
    if (cpu & MNI_CPU_BF16) mni_kern_low_add_bf16(k);
    if (cpu & MNI_CPU_NEON) mni_kern_low_add_neon(k);
}

static mni_once once = MNI_ONCE_INIT;
static mni_kern_low best;

static void build_best(void) { mni_kern_low_build(&best, mni_cpu_allowed()); }

const mni_kern_low *mni_kern_low_best(void)
{
    mni_once_run(&once, build_best);
    return &best;
}
