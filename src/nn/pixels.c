/* pixels.c - see pixels.h. Sums are in double and in one order, so that every machine and
 * every SIMD level gives the same vector. SPDX-License-Identifier: MIT */
#include "nn/pixels.h"

#include <math.h>

static void one(const float *x, float *y)
{
    double sum = 0, squares = 0;
    for (int i = 0; i < MNI_PIXELS_DIM; i++) sum += x[i];
    double mean = sum / MNI_PIXELS_DIM;
    for (int i = 0; i < MNI_PIXELS_DIM; i++) squares += (x[i] - mean) * (x[i] - mean);
    if (squares < 1e-9) {
        for (int i = 0; i < MNI_PIXELS_DIM; i++)
            y[i] = (float)(1.0 / sqrt((double)MNI_PIXELS_DIM));
        return;
    }
    double scale = 1.0 / sqrt(squares);
    for (int i = 0; i < MNI_PIXELS_DIM; i++) y[i] = (float)((x[i] - mean) * scale);
}

typedef struct job { const float *input; float *out; } job;

static void range(void *ctx, size_t begin, size_t end, size_t chunk)
{
    const job *j = ctx;
    (void)chunk;
    for (size_t i = begin; i < end; i++)
        one(j->input + i * MNI_PIXELS_DIM, j->out + i * MNI_PIXELS_DIM);
}

void mni_pixels_forward(const float *input, size_t n, mni_pool *pool, float *out)
{
    job j = { input, out };
    mni_parallel_for(pool, n, 64, range, &j);
}
