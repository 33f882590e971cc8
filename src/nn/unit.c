/* unit.c - to unit length: the last layer, after which cosine, inner product and distance
 * are one thing.
 *
 * y = x / |x|. Moving x along itself changes nothing, so the gradient's part along y is
 * taken out:
 *
 *   dx = (dy - y (y . dy)) / |x|
 *
 * SPDX-License-Identifier: MIT */
#include "nn/layers.h"

#include <math.h>

static double length(const float *x, size_t n)
{
    double squares = 0;
    for (size_t i = 0; i < n; i++) squares += (double)x[i] * x[i];
    double root = sqrt(squares);
    return root < 1e-12 ? 1e-12 : root;         /* NaN stays NaN */
}

void mni_unit_forward(const mni_layer *l, size_t n, const float *x, float *y)
{
    const size_t dim = l->c_out;
    for (size_t i = 0; i < n; i++, x += dim, y += dim) {
        const double scale = 1.0 / length(x, dim);
        for (size_t j = 0; j < dim; j++) y[j] = (float)(x[j] * scale);
    }
}

void mni_unit_backward(const mni_layer *l, size_t n, const float *x, const float *y,
                       const float *dy, float *dx)
{
    const size_t dim = l->c_out;
    for (size_t i = 0; i < n; i++, x += dim, y += dim, dy += dim, dx += dim) {
        const double scale = 1.0 / length(x, dim);
        double along = 0;
        for (size_t j = 0; j < dim; j++) along += (double)y[j] * dy[j];
        for (size_t j = 0; j < dim; j++) dx[j] += (float)((dy[j] - y[j] * along) * scale);
    }
}
