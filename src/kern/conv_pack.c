/* conv_pack.c - weights and maps into the blocks of kern_conv.h, and back.
 * SPDX-License-Identifier: MIT */
#include "kern/kern_conv.h"

#include <string.h>

size_t mni_conv_weight_floats(const mni_conv_shape *s)
{
    const size_t in = s->planar ? s->c_in : mni_blocks(s->c_in) * MNI_BLOCK;
    return mni_blocks(s->c_out) * MNI_BLOCK * in * s->kernel * s->kernel;
}

void mni_conv_pack_weights(const mni_conv_shape *s, const float *w, float *packed)
{
    const size_t taps = (size_t)s->kernel * s->kernel, blocks = mni_blocks(s->c_in);
    memset(packed, 0, mni_conv_weight_floats(s) * sizeof *packed);
    for (size_t o = 0; o < s->c_out; o++)
        for (size_t i = 0; i < s->c_in; i++)
            for (size_t t = 0; t < taps; t++) {
                const size_t out = o / MNI_BLOCK, in = i / MNI_BLOCK;
                const size_t step =
                    s->planar ? (out * s->c_in + i) * taps + t
                              : ((out * blocks + in) * taps + t) * MNI_BLOCK +
                                    i % MNI_BLOCK;
                packed[step * MNI_BLOCK + o % MNI_BLOCK] =
                    w[(o * s->c_in + i) * taps + t];
            }
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
