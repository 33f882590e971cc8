/* contrastive.c - two losses on pairs: the classic one, and the supervised one over a
 * softmax. SPDX-License-Identifier: MIT */
#include "nn/loss_table.h"

#include <math.h>

/* Positives: d^2. Negatives: max(0, margin - d)^2. Mean over each kind, then the mean of
 * the two, so that the many negatives of a batch do not drown its few positives. (Hadsell
 * et al. 2006, eq. 4) */
void mni_contrastive_fill(const mni_loss_config *c, mni_loss_table *t,
                          mni_loss_result *out)
{
    double loss[2] = { 0, 0 };
    uint64_t count[2] = { 0, 0 }, n_active = 0;
    for (size_t a = 0; a < t->n; a++)
        for (size_t b = a + 1; b < t->n; b++) count[mni_same(t, a, b)]++;
    for (size_t a = 0; a < t->n; a++)
        for (size_t b = a + 1; b < t->n; b++) {
            const int same = mni_same(t, a, b);
            const double d = t->d[a * t->n + b];
            const double miss = same ? d : c->margin - d;
            if (!(miss > 0)) continue;
            n_active++;
            loss[same] += miss * miss;
            mni_pull_distance(t, a, b, (same ? miss : -miss) / (double)count[same]);
        }
    out->n_terms = count[0] + count[1];
    if (out->n_terms == 0) return;
    out->active = (double)n_active / (double)out->n_terms;
    for (int same = 0; same < 2; same++)
        if (count[same]) out->loss += 0.5 * loss[same] / (double)count[same];
}

/* Anchor a, logits z_b = s(a, b) / temperature over all b != a. For each positive p the
 * loss is -log softmax(z)_p; mean over the positives of an anchor, mean over anchors that
 * have one.
 *
 *   d loss / d z_b = softmax(z)_b - [b is a positive] / n_positives
 *
 * Every negative is pushed by how close it is: all of the batch teaches, so there is
 * nothing to mine. (Khosla et al. 2020, eq. 2) */
void mni_supcon_fill(const mni_loss_config *c, mni_loss_table *t, mni_loss_result *out)
{
    const double heat = c->temperature;
    double loss = 0;
    uint64_t n_anchors = 0, n_active = 0;
    for (size_t a = 0; a < t->n; a++) {
        const double *s = t->s + a * t->n;
        size_t n_positives = 0, n_negatives = 0;
        double top = -INFINITY, sum = 0, worst = INFINITY, nearest = -INFINITY;
        for (size_t b = 0; b < t->n; b++) {
            if (b == a) continue;
            if (s[b] > top) top = s[b];
            if (mni_same(t, a, b)) { n_positives++; if (s[b] < worst) worst = s[b]; }
            else { n_negatives++; if (s[b] > nearest) nearest = s[b]; }
        }
        if (n_positives == 0 || n_negatives == 0) continue;
        n_anchors++;
        n_active += nearest >
                    worst - heat; /* a negative within reach of the worst positive */
        for (size_t b = 0; b < t->n; b++)
            if (b != a) sum += exp((s[b] - top) / heat);
        for (size_t b = 0; b < t->n; b++) {
            if (b == a) continue;
            double pull = exp((s[b] - top) / heat) / sum;
            if (mni_same(t, a, b)) {
                loss += (log(sum) - (s[b] - top) / heat) / (double)n_positives;
                pull -= 1.0 / (double)n_positives;
            }
            t->pull[a * t->n + b] += pull / heat;
        }
    }
    out->n_terms = n_anchors;
    if (n_anchors == 0) return;
    out->loss = loss / (double)n_anchors;
    out->active = (double)n_active / (double)n_anchors;
    for (size_t i = 0; i < t->n * t->n; i++) t->pull[i] /= (double)n_anchors;
}
