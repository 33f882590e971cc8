/* nn_oracle.h - every layer again, in double and in the plainest words: what the gradient
 * checks take differences of. Shares nothing with src/nn but the description of a layer.
 * SPDX-License-Identifier: MIT */
#ifndef TESTS_NN_ORACLE_H
#define TESTS_NN_ORACLE_H

#include "nn/resnet.h"

/* One layer in training mode. x, r (may be NULL), weight, bias (may be NULL) and y as in
 * nn/layers.h; a norm computes its own mean and var. */
void oracle_layer(const mni_layer *l, size_t n, const double *x, const double *r,
                  const double *weight, const double *bias, double *y);
/* The whole network in training mode: embeddings, n x dim. */
void oracle_network(const mni_resnet_config *c, size_t n, const double *input,
                    const double *params, double *embeddings);

/* Numbers in [-1, 1) that depend on (seed, i) alone. */
void oracle_fill(float *out, size_t n, uint64_t seed);
double *oracle_doubles(const float *x, size_t n);       /* a copy; mni_free */

#endif
