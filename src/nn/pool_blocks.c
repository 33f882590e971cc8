/* pool_blocks.c - max pooling on channel-blocked maps (kern_conv.h), one image: what
 * pooling.c does, for 16 channels at a time. SPDX-License-Identifier: MIT */
#include <string.h>

#include "nn/net_blocks.h"

/* The largest of the window at output place (r, c), per channel, and where it was found.
 * A NaN wins; what is outside never does. */
static void winners(const mni_layer *l, const float *x, size_t r, size_t c,
                    float best[MNI_BLOCK], size_t where[MNI_BLOCK])
{
    int any = 0;
    for (size_t u = 0; u < l->kernel; u++)
        for (size_t v = 0; v < l->kernel; v++) {
            const size_t h = r * l->stride + u - l->pad,
                         w = c * l->stride + v - l->pad;        /* wraps: huge */
            if (h >= l->h_in || w >= l->w_in) continue;
            const size_t at = (h * l->w_in + w) * MNI_BLOCK;
            for (size_t i = 0; i < MNI_BLOCK; i++)
                if (!any || x[at + i] > best[i] || x[at + i] != x[at + i]) {
                    best[i] = x[at + i];
                    where[i] = at + i;
                }
            any = 1;
        }
}

void mni_blocks_maxpool(const mni_layer *l, const float *x, float *y)
{
    float best[MNI_BLOCK] = { 0 };
    size_t where[MNI_BLOCK];
    for (size_t b = 0; b < mni_blocks(l->c_in); b++)
        for (size_t r = 0; r < l->h_out; r++)
            for (size_t c = 0; c < l->w_out; c++, y += MNI_BLOCK) {
                winners(l, x + b * l->h_in * l->w_in * MNI_BLOCK, r, c, best, where);
                memcpy(y, best, sizeof best);
            }
}

void mni_blocks_maxpool_back(const mni_layer *l, const float *x, const float *dy,
                             float *dx)
{
    const size_t map = (size_t)l->h_in * l->w_in * MNI_BLOCK;
    float best[MNI_BLOCK] = { 0 };
    size_t where[MNI_BLOCK] = { 0 };
    memset(dx, 0, mni_blocks(l->c_in) * map * sizeof *dx);
    for (size_t b = 0; b < mni_blocks(l->c_in); b++, x += map, dx += map)
        for (size_t r = 0; r < l->h_out; r++)
            for (size_t c = 0; c < l->w_out; c++, dy += MNI_BLOCK) {
                winners(l, x, r, c, best, where);
                for (size_t i = 0; i < MNI_BLOCK; i++) dx[where[i]] += dy[i];
            }
}
