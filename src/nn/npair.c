/* npair.c - the N-pair loss: one friend against one stranger of every other class, all at
 * once.
 *
 *                 column 0   column 1   column 2
 *     class A        a0         a1         a2        anchor a0, positive a1:
 *     class B        b0         b1         b2        negatives b1, c1
 *     class C        c0         c1         c2
 *
 *     loss(a, p) = log(1 + sum over negatives n of exp((s(a, n) - s(a, p)) / heat))
 *
 * which is cross entropy of choosing p among one picture of each class. Sohn (NIPS 2016,
 * eq. 6 and section 3.2) has two pictures of a class: one anchor, one positive, and as
 * negatives the *positives of the others*. With more, every ordered pair of columns is
 * such a batch; a class of fewer pictures repeats them. Differs from supcon in that an
 * anchor's other positives do not compete with p. Vectors are of unit length here, so the
 * temperature (heat) stands where the paper punishes long ones.
 * SPDX-License-Identifier: MIT */
#include "nn/loss_table.h"

#include <math.h>

/* Column of b: how many of its class come before it. */
static void fill_columns(mni_loss_table *t)
{
    for (size_t b = 0; b < t->n; b++) {
        t->column[b] = t->n_alike[b] = 0;
        for (size_t i = 0; i < t->n; i++)
            if (mni_same(t, i, b)) {
                t->column[b] += i < b;
                t->n_alike[b]++;
            }
    }
}

/* Is b the stranger that its class sends against the pair (a, p)? */
static int stands_against(const mni_loss_table *t, size_t a, size_t p, size_t b)
{
    return !mni_same(t, a, b) && t->column[p] % t->n_alike[b] == t->column[b];
}

/* One pair: adds its loss and pulls; 0 if nobody stands against it. */
static int pair(const mni_loss_config *c, mni_loss_table *t, size_t a, size_t p,
                double *loss, uint64_t *n_active)
{
    const double *s = t->s + a * t->n, heat = c->temperature;
    double *pull = t->pull + a * t->n, nearest = -INFINITY;
    for (size_t b = 0; b < t->n; b++)
        if (s[b] > nearest && stands_against(t, a, p, b)) nearest = s[b];
    if (nearest == -INFINITY) return 0;
    const double top = nearest > s[p] ? nearest : s[p];
    double sum = exp((s[p] - top) / heat);
    for (size_t b = 0; b < t->n; b++)
        if (stands_against(t, a, p, b)) sum += exp((s[b] - top) / heat);
    for (size_t b = 0; b < t->n; b++)
        if (stands_against(t, a, p, b)) pull[b] += exp((s[b] - top) / heat) / sum / heat;
    pull[p] += (exp((s[p] - top) / heat) / sum - 1) / heat;
    *loss += log(sum) - (s[p] - top) / heat;
    *n_active += nearest > s[p] - heat;
    return 1;
}

void mni_npair_fill(const mni_loss_config *c, mni_loss_table *t, mni_loss_result *out)
{
    double loss = 0;
    uint64_t n_pairs = 0, n_active = 0;
    fill_columns(t);
    for (size_t a = 0; a < t->n; a++)
        for (size_t p = 0; p < t->n; p++)
            if (p != a && mni_same(t, a, p))
                n_pairs += (uint64_t)pair(c, t, a, p, &loss, &n_active);
    out->n_terms = n_pairs;
    if (n_pairs == 0) return;
    out->loss = loss / (double)n_pairs;
    out->active = (double)n_active / (double)n_pairs;
    for (size_t i = 0; i < t->n * t->n; i++) t->pull[i] /= (double)n_pairs;
}
