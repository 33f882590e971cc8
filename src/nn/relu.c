/* relu.c - ReLU and the residual add, each alone. Networks run both inside norm.c's pass;
 * here is what they mean, and what the fused pass is tested against.
 * SPDX-License-Identifier: MIT */
#include "nn/layers.h"

void mni_relu_forward(const float *x, float *y, size_t n)
{
    for (size_t i = 0; i < n; i++) y[i] = x[i] > 0.0f ? x[i] : 0.0f;
}

/* dx += dy where the input was positive. Adds, never overwrites: a residual block sends
 * two gradients into the same tensor. x may be the input or the output: they are positive
 * at the same places. */
void mni_relu_backward(float *dx, const float *dy, const float *x, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (x[i] > 0.0f) dx[i] += dy[i];
}

void mni_residual_forward(const float *x, const float *r, float *y, size_t n)
{
    for (size_t i = 0; i < n; i++) y[i] = x[i] + r[i];
}

/* A sum hands its gradient to both sides unchanged: the road on which gradients reach the
 * first layers of a deep network. */
void mni_residual_backward(float *dx, float *dr, const float *dy, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        dx[i] += dy[i];
        dr[i] += dy[i];
    }
}
