/* linear.c - y = x w^T + b, and its gradients: three products of the same three matrices.
 *
 *   y: n x out = x (n x in) w^T     dx: n x in += dy (n x out) w     dw: out x in += dy^T
 * x     db += sum dy
 *
 * SPDX-License-Identifier: MIT */
#include "nn/layers.h"

#include "nn/product.h"

size_t mni_linear_scratch(const mni_layer *l, size_t n)
{
    size_t y = mni_product_floats(MNI_GEMM_NT, n, l->c_out, l->c_in);
    size_t dx = mni_product_floats(MNI_GEMM_NN, n, l->c_in, l->c_out);
    size_t dw = mni_product_floats(MNI_GEMM_TN, l->c_out, l->c_in, n);
    if (y < dx) y = dx;
    return y < dw ? dw : y;
}

void mni_linear_forward(const mni_layer *l, size_t n, const float *x, const float *w,
                        const float *b, float *y, float *scratch)
{
    const mni_mat in = { x, l->c_in }, weights = { w, l->c_in };
    for (size_t i = 0; i < n; i++)
        for (size_t o = 0; o < l->c_out; o++) y[i * l->c_out + o] = b[o];
    mni_product(MNI_GEMM_NT, n, l->c_out, l->c_in, in, weights, y, l->c_out, 1, scratch);
}

void mni_linear_backward(const mni_layer *l, size_t n, const float *x, const float *w,
                         const float *dy, float *dx, float *dw, float *db, float *scratch)
{
    const mni_mat in = { x, l->c_in }, weights = { w, l->c_in }, out = { dy, l->c_out };
    mni_product(MNI_GEMM_NN, n, l->c_in, l->c_out, out, weights, dx, l->c_in, 1, scratch);
    mni_product(MNI_GEMM_TN, l->c_out, l->c_in, n, out, in, dw, l->c_in, 1, scratch);
    for (size_t i = 0; i < n; i++)
        for (size_t o = 0; o < l->c_out; o++) db[o] += dy[i * l->c_out + o];
}
