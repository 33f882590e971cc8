/* triplet.c - the triplet loss and the three ways to choose triplets.
 *
 *          anchor
 *         /      \            loss = max(0, dp - dn + margin)
 *     dp /        \ dn        pull the positive in, push the negative out,
 *       /          \          until it is farther by the margin
 *   positive     negative
 *
 * Which triplets? Most of a batch's n^3 are solved already and teach nothing. Hard: the
 * worst of each anchor; quick where it works, but where classes look alike at first the
 * cheapest answer is to put all points on one spot (dp = dn = 0, loss = margin for ever:
 * the collapse). Semi-hard: for each pair the nearest negative that is still farther than
 * the positive; its gradient never rewards the collapse. SPDX-License-Identifier: MIT */
#include "nn/loss_table.h"

#include <math.h>

#include "base/rng.h"

enum { NONE = -1 };

typedef struct tally { double loss; uint64_t n_terms, n_active; } tally;

/* One triplet: its loss, and the pulls of its two sides (not yet divided by the number of
 * triplets). */
static void one(const mni_loss_config *c, mni_loss_table *t, size_t a, size_t p, size_t n,
                tally *sum)
{
    const double gap = t->d[a * t->n + p] - t->d[a * t->n + n];
    double slope = 1;                                   /* d loss / d gap */
    sum->n_terms++;
    if (c->soft) {
        /* log(1 + e^gap) without overflow. Every triplet pulls a little; "active" are the
         * unsolved. */
        sum->loss += gap > 0 ? gap + log1p(exp(-gap)) : log1p(exp(gap));
        slope = 1 / (1 + exp(-gap));
        sum->n_active += gap > -(double)c->margin;
    } else {
        if (!(gap + c->margin > 0)) return;
        sum->loss += gap + c->margin;
        sum->n_active++;
    }
    mni_pull_distance(t, a, p, slope);
    mni_pull_distance(t, a, n, -slope);
}

/* Ties everywhere go to the lower number. */
static long farthest_positive(const mni_loss_table *t, size_t a)
{
    long best = NONE;
    for (size_t b = 0; b < t->n; b++)
        if (b != a && mni_same(t, a, b) &&
            (best == NONE || t->d[a * t->n + b] > t->d[a * t->n + (size_t)best]))
            best = (long)b;
    return best;
}

/* The nearest negative of a beyond distance `beyond`. */
static long nearest_negative(const mni_loss_table *t, size_t a, double beyond)
{
    long best = NONE;
    for (size_t b = 0; b < t->n; b++) {
        const double d = t->d[a * t->n + b];
        if (!mni_same(t, a, b) && d > beyond &&
            (best == NONE || d < t->d[a * t->n + (size_t)best]))
            best = (long)b;
    }
    return best;
}

static long farthest_negative(const mni_loss_table *t, size_t a)
{
    long best = NONE;
    for (size_t b = 0; b < t->n; b++)
        if (!mni_same(t, a, b) &&
            (best == NONE || t->d[a * t->n + b] > t->d[a * t->n + (size_t)best]))
            best = (long)b;
    return best;
}

/* The number of a pair is its place in the table: the choice depends on nothing else. */
static long random_negative(const mni_loss_config *c, const mni_loss_table *t, size_t a,
                            size_t p)
{
    uint32_t n_others = 0;
    for (size_t b = 0; b < t->n; b++) n_others += !mni_same(t, a, b);
    if (n_others == 0) return NONE;
    mni_rng r = mni_rng_at(c->seed, MNI_FOR_MINER, 0, c->step, a * t->n + p);
    uint32_t left = mni_rng_below(&r, n_others);
    for (size_t b = 0; b < t->n; b++)
        if (!mni_same(t, a, b) && left-- == 0) return (long)b;
    return NONE;
}

static void mine_hard(const mni_loss_config *c, mni_loss_table *t, tally *sum)
{
    for (size_t a = 0; a < t->n; a++) {
        const long p = farthest_positive(t, a), n = nearest_negative(t, a, -1);
        if (p != NONE && n != NONE) one(c, t, a, (size_t)p, (size_t)n, sum);
    }
}

static void mine_pairs(const mni_loss_config *c, mni_loss_table *t, tally *sum)
{
    for (size_t a = 0; a < t->n; a++)
        for (size_t p = 0; p < t->n; p++) {
            if (p == a || !mni_same(t, a, p)) continue;
            long n;
            if (c->miner == MNI_MINE_RANDOM) {
                n = random_negative(c, t, a, p);
            } else {
                n = nearest_negative(t, a, t->d[a * t->n + p]);
                if (n == NONE) n = farthest_negative(t, a);
            }
            if (n != NONE) one(c, t, a, p, (size_t)n, sum);
        }
}

void mni_triplet_fill(const mni_loss_config *c, mni_loss_table *t, mni_loss_result *out)
{
    tally sum = { 0, 0, 0 };
    if (c->miner == MNI_MINE_HARD) mine_hard(c, t, &sum);
    else mine_pairs(c, t, &sum);
    out->n_terms = sum.n_terms;
    if (sum.n_terms == 0) return;
    out->loss = sum.loss / (double)sum.n_terms;
    out->active = (double)sum.n_active / (double)sum.n_terms;
    for (size_t i = 0; i < t->n * t->n; i++) t->pull[i] /= (double)sum.n_terms;
}
