/* pooling.c - maximum over windows, average over the map. SPDX-License-Identifier: MIT */
#include "nn/layers.h"

/* Place in one map of the largest input under output place (r, c). A window may hang over
 * the border; what is outside never wins (it is minus infinity, not 0). NaN wins, as it
 * must be seen. */
static size_t winner(const mni_layer *l, const float *x, size_t r, size_t c)
{
    size_t best = SIZE_MAX;
    for (size_t u = 0; u < l->kernel; u++)
        for (size_t v = 0; v < l->kernel; v++) {
            size_t h = r * l->stride + u - l->pad,
                   w = c * l->stride + v - l->pad; /* wraps: huge */
            if (h >= l->h_in || w >= l->w_in) continue;
            size_t at = h * l->w_in + w;
            if (best == SIZE_MAX || x[at] > x[best] || x[at] != x[at]) best = at;
        }
    return best;
}

void mni_maxpool_forward(const mni_layer *l, size_t n, const float *x, float *y)
{
    for (size_t i = 0; i < n * l->c_in; i++, x += (size_t)l->h_in * l->w_in)
        for (size_t r = 0; r < l->h_out; r++)
            for (size_t c = 0; c < l->w_out; c++) *y++ = x[winner(l, x, r, c)];
}

void mni_maxpool_backward(const mni_layer *l, size_t n, const float *x, const float *dy,
                          float *dx)
{
    const size_t map = (size_t)l->h_in * l->w_in;
    for (size_t i = 0; i < n * l->c_in; i++, x += map, dx += map)
        for (size_t r = 0; r < l->h_out; r++)
            for (size_t c = 0; c < l->w_out; c++) dx[winner(l, x, r, c)] += *dy++;
}

void mni_avgpool_forward(const mni_layer *l, size_t n, const float *x, float *y)
{
    const size_t map = (size_t)l->h_in * l->w_in;
    for (size_t i = 0; i < n * l->c_in; i++) {
        double sum = 0;
        for (size_t p = 0; p < map; p++) sum += x[i * map + p];
        y[i] = (float)(sum / (double)map);
    }
}

void mni_avgpool_backward(const mni_layer *l, size_t n, const float *dy, float *dx)
{
    const size_t map = (size_t)l->h_in * l->w_in;
    for (size_t i = 0; i < n * l->c_in; i++) {
        const float share = dy[i] / (float)map;
        for (size_t p = 0; p < map; p++) dx[i * map + p] += share;
    }
}
