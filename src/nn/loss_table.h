/* loss_table.h - what the losses share: all pairs of a batch. For the files of loss.h
 * only.
 *
 * A loss fills `pull`: the derivative of the loss by each similarity s(a, b) = e_a . e_b,
 * used in one direction. The chain rule is then the same for all:
 *
 *   d e_a += pull[a][b] e_b      d e_b += pull[a][b] e_a
 *
 * SPDX-License-Identifier: MIT */
#ifndef MNI_NN_LOSS_TABLE_H
#define MNI_NN_LOSS_TABLE_H

#include <stddef.h>
#include <stdint.h>

#include "nn/loss.h"

#define MNI_DISTANCE_FLOOR 1e-12            /* of the squared distance */

typedef struct mni_loss_table {
    size_t n;
    const uint32_t *labels;
    double *s;                  /* n x n similarities */
    double *d;                  /* n x n distances */
    double *pull;               /* n x n, zero at first */
    size_t *column, *n_alike;   /* n each, for npair.c; not filled before */
} mni_loss_table;

static inline int mni_same(const mni_loss_table *t, size_t a, size_t b)
{
    return t->labels[a] == t->labels[b];
}

/* The loss grows by `slope` per unit of distance between a and b: what that is per unit
 * of s. d = sqrt(2 - 2 s), so dd/ds = -1 / d; at the floor there is no direction, and so
 * no pull. */
static inline void mni_pull_distance(mni_loss_table *t, size_t a, size_t b, double slope)
{
    const double d = t->d[a * t->n + b];
    if (d * d > MNI_DISTANCE_FLOOR * 1.000001) t->pull[a * t->n + b] -= slope / d;
}

void mni_triplet_fill(const mni_loss_config *c, mni_loss_table *t, mni_loss_result *out);
void mni_contrastive_fill(const mni_loss_config *c, mni_loss_table *t,
                          mni_loss_result *out);
void mni_supcon_fill(const mni_loss_config *c, mni_loss_table *t, mni_loss_result *out);
void mni_npair_fill(const mni_loss_config *c, mni_loss_table *t, mni_loss_result *out);

#endif
