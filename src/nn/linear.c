/* linear.c - y = x w^T + b, and its gradients: three products of the same three matrices.
 *
 *   y: n x out = x (n x in) w^T     dx: n x in += dy (n x out) w     dw: out x in += dy^T x     db += sum dy
 *
 * SPDX-License-Identifier: MIT */
#include "nn/layers.h"

#include "nn/gemm.h"

void mni_linear_forward(const mni_layer *l, size_t n, const float *x, const float *w, const float *b, float *y)
{
    for (size_t i = 0; i < n; i++)
        for (size_t o = 0; o < l->c_out; o++) y[i * l->c_out + o] = b[o];
    mni_gemm(MNI_NT, n, l->c_out, l->c_in, x, l->c_in, w, l->c_in, y, l->c_out, 1);
}

void mni_linear_backward(const mni_layer *l, size_t n, const float *x, const float *w, const float *dy,
                         float *dx, float *dw, float *db)
{
    mni_gemm(MNI_NN, n, l->c_in, l->c_out, dy, l->c_out, w, l->c_in, dx, l->c_in, 1);
    mni_gemm(MNI_TN, l->c_out, l->c_in, n, dy, l->c_out, x, l->c_in, dw, l->c_in, 1);
    for (size_t i = 0; i < n; i++)
        for (size_t o = 0; o < l->c_out; o++) db[o] += dy[i * l->c_out + o];
}
