/* layers.h - the layers: forward and backward of each, on a range of images, on one
 * thread.
 *
 * Tensors are f32, "NCHW": image n, channel c, row h, column w at ((n * C + c) * H + h) *
 * W + w. The shapes are those of a mni_layer (resnet.h): x is n x c_in x h_in x w_in, y
 * is n x c_out x h_out x w_out. Forward overwrites y. Backward is given dy = d loss / d y
 * and ADDS to dx and to the weights' gradients, because a tensor that feeds two layers
 * receives two gradients; where it overwrites, it says so. *_plain is the definition in
 * plain loops: the lesson, and the oracle of the tests. SPDX-License-Identifier: MIT */
#ifndef MNI_NN_LAYERS_H
#define MNI_NN_LAYERS_H

#include "kern/kern_ew.h"
#include "nn/resnet.h"

/* --- conv.c: y[o][r][c] = sum_{i,u,v} w[o][i][u][v] x[i][r * stride + u - pad][c *
 * stride + v - pad]  */
void mni_conv_forward_plain(const mni_layer *l, size_t n, const float *x, const float *w,
                            float *y);
/* dx may be NULL. */
void mni_conv_backward_plain(const mni_layer *l, size_t n, const float *x, const float *w,
                             const float *dy, float *dx, float *dw);
/* What follows the sum in a folded network: + bias[o] + r, then ReLU. bias NULL: nothing
 * follows. */
typedef struct mni_after { const float *bias, *r; int relu; } mni_after;
/* The same, lowered to matrix products over tiles of columns. `scratch` has
 * mni_conv_scratch floats. */
size_t mni_conv_scratch(const mni_layer *l);
void mni_conv_forward(const mni_layer *l, size_t n, const float *x, const float *w,
                      mni_after after, float *y, float *scratch);
void mni_conv_backward(const mni_layer *l, size_t n, const float *x, const float *w,
                       const float *dy, float *dx, float *dw, float *scratch);

/* --- norm.c: batch norm, with the residual's add and the ReLU that follow it -------- */
#define MNI_NORM_EPSILON 1e-5f
#define MNI_NORM_MOMENTUM 0.1f      /* share of the batch in the running statistics */
/* y = act(weight * (x - mean) / sqrt(var + eps) + bias + r). n images; r may be NULL;
 * act: ReLU if l->relu. mean, var: of the batch over images and places (biased var),
 * written by the caller. */
void mni_norm_forward_plain(const mni_layer *l, size_t n, const float *x, const float *r,
                            const float *weight, const float *bias, const float *mean,
                            const float *var, float *y);
/* y: the forward's output (for the ReLU). dr may be NULL. */
void mni_norm_backward_plain(const mni_layer *l, size_t n, const float *x, const float *y,
                             const float *weight, const float *mean, const float *var,
                             const float *dy, float *dx, float *dr, float *dweight,
                             float *dbias);

/* The fast path is in three acts, so that images can be shared out among threads and
 * still be summed in one order: per image and channel a pair of numbers; then, per
 * channel, over images in order; then per image the elementwise work. pairs: n x c x 2
 * doubles. */
void mni_norm_pairs(const mni_layer *l, size_t n, const float *x, double *pairs,
                    const mni_kern_ew *k);
/* mean, var over n images; running statistics (NULL ok) move by MNI_NORM_MOMENTUM, var
 * unbiased. */
void mni_norm_gather(const mni_layer *l, size_t n, const double *pairs, float *mean,
                     float *var, float *running_mean, float *running_var);
void mni_norm_apply(const mni_layer *l, size_t n, const float *x, const float *r,
                    const float *weight, const float *bias, const float *mean,
                    const float *var, float *y, const mni_kern_ew *k);
void mni_norm_grad_pairs(const mni_layer *l, size_t n, const float *x, const float *y,
                         const float *dy, const float *mean, double *pairs,
                         const mni_kern_ew *k);
/* Adds to dweight and dbias, and makes of each channel's sums the a, b, c of dx = a d + b
 * x + c: abc is c x 3. */
void mni_norm_grad_gather(const mni_layer *l, size_t n, const double *pairs,
                          const float *weight, const float *mean, const float *var,
                          float *dweight, float *dbias, float *abc);
/* OVERWRITES dx (a norm is the only reader of its convolution); adds to dr. */
void mni_norm_grad_apply(const mni_layer *l, size_t n, const float *x, const float *y,
                         const float *dy, const float *abc, float *dx, float *dr,
                         const mni_kern_ew *k);

/* --- relu.c: the two that norm carries out on its way, alone ------------------------ */
void mni_relu_forward(const float *x, float *y, size_t n);
void mni_relu_backward(float *dx, const float *dy, const float *x, size_t n);
void mni_residual_forward(const float *x, const float *r, float *y,
                          size_t n); /* y = x + r */
void mni_residual_backward(float *dx, float *dr, const float *dy, size_t n);

/* --- pooling.c ---------------------------------------------------------------------- */
void mni_maxpool_forward(const mni_layer *l, size_t n, const float *x, float *y);
/* The gradient goes to the first of the largest (row by row), found again from x. */
void mni_maxpool_backward(const mni_layer *l, size_t n, const float *x, const float *dy,
                          float *dx);
void mni_avgpool_forward(const mni_layer *l, size_t n, const float *x, float *y);
void mni_avgpool_backward(const mni_layer *l, size_t n, const float *dy, float *dx);

/* --- linear.c: y = x w^T + b; w is c_out x c_in ------------------------------------- */
size_t mni_linear_scratch(const mni_layer *l, size_t n);
void mni_linear_forward(const mni_layer *l, size_t n, const float *x, const float *w,
                        const float *b, float *y, float *scratch);
void mni_linear_backward(const mni_layer *l, size_t n, const float *x, const float *w,
                         const float *dy, float *dx, float *dw, float *db,
                         float *scratch);

/* --- unit.c: y = x / max(|x|, 1e-12), per image ------------------------------------- */
void mni_unit_forward(const mni_layer *l, size_t n, const float *x, float *y);
void mni_unit_backward(const mni_layer *l, size_t n, const float *x, const float *y,
                       const float *dy, float *dx);

#endif
