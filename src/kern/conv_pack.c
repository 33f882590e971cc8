/* conv_pack.c - weights and maps into the blocks of kern_conv.h, and back.
 * SPDX-License-Identifier: MIT */
#include "kern/kern_conv.h"

#include <string.h>

size_t mni_conv_weight_floats(const mni_conv_shape *s)
{
    const size_t in = s->planar ? s->c_in : mni_blocks(s->c_in) * MNI_BLOCK;
    return mni_blocks(s->c_out) * MNI_BLOCK * in * s->kernel * s->kernel;
}

void mni_conv_pack_block(const mni_conv_shape *s, size_t block, const float *w,
                         const double *scale, float *packed)
{
    const size_t taps = (size_t)s->kernel * s->kernel, filter = s->c_in * taps;
    const size_t in = s->planar ? s->c_in : mni_blocks(s->c_in) * MNI_BLOCK,
                 left = s->c_out - block * MNI_BLOCK;
    packed += block * in * taps * MNI_BLOCK;
    w += block * MNI_BLOCK * filter;
    memset(packed, 0, in * taps * MNI_BLOCK * sizeof *packed);
    for (size_t i = 0; i < s->c_in; i++)
        for (size_t t = 0; t < taps; t++) {
            const size_t step = s->planar ? i * taps + t
                                          : (i / MNI_BLOCK * taps + t) * MNI_BLOCK +
                                                i % MNI_BLOCK;
            float *to = packed + step * MNI_BLOCK;
            for (size_t o = 0; o < MNI_BLOCK && o < left; o++) {
                const float v = w[o * filter + i * taps + t];
                to[o] = scale ? (float)(v * scale[o]) : v;
            }
        }
}

void mni_conv_pack_weights(const mni_conv_shape *s, const float *w, float *packed)
{
    for (size_t b = 0; b < mni_blocks(s->c_out); b++)
        mni_conv_pack_block(s, b, w, NULL, packed);
}

void mni_conv_pack_bias(const float *bias, size_t n, float *packed)
{
    memset(packed, 0, mni_blocks(n) * MNI_BLOCK * sizeof *packed);
    memcpy(packed, bias, n * sizeof *bias);
}

size_t mni_blocked_floats(size_t channels, size_t places)
{
    return mni_blocks(channels) * places * MNI_BLOCK;
}

void mni_blocked_from_planes(const float *planes, size_t channels, size_t places,
                             float *blocked)
{
    memset(blocked, 0, mni_blocked_floats(channels, places) * sizeof *blocked);
    for (size_t c = 0; c < channels; c++, planes += places) {
        float *to = blocked + c / MNI_BLOCK * places * MNI_BLOCK + c % MNI_BLOCK;
        for (size_t p = 0; p < places; p++) to[p * MNI_BLOCK] = planes[p];
    }
}

void mni_planes_from_blocked(const float *blocked, size_t channels, size_t places,
                             float *planes)
{
    for (size_t c = 0; c < channels; c++, planes += places) {
        const float *from = blocked + c / MNI_BLOCK * places * MNI_BLOCK + c % MNI_BLOCK;
        for (size_t p = 0; p < places; p++) planes[p] = from[p * MNI_BLOCK];
    }
}
