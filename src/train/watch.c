/* watch.c - see watch.h. SPDX-License-Identifier: MIT */
#include "train/watch.h"

#include <math.h>

/* Unlike images this near (of at most 2) are on one point: random directions are 1.41
 * apart, an untrained network's images 0.2 to 0.5. */
static const double one_point = 0.05;
/* Or near, and no nearer to their own than to others, with the loss at the margin. */
static const double small_ball = 0.15, no_gap = 0.01, at_margin = 0.05;

static int stuck(const mni_loss_config *c, const mni_loss_result *r)
{
    if (r->n_terms == 0) return 0;
    if (r->mean_negative < one_point) return 1;
    return c->kind == MNI_LOSS_TRIPLET && !c->soft && r->mean_negative < small_ball &&
           r->mean_negative - r->mean_positive < no_gap &&
           fabs(r->loss - c->margin) < at_margin * c->margin;
}

mni_watch_verdict mni_watch_step(mni_watch *w, const mni_loss_config *c,
                                 const mni_loss_result *r, double norm)
{
    if (!isfinite(r->loss) || !isfinite(norm)) return MNI_WATCH_NOT_A_NUMBER;
    w->n_stuck = stuck(c, r) ? w->n_stuck + 1 : 0;
    if (w->n_stuck < MNI_WATCH_STEPS) return MNI_WATCH_FINE;
    w->n_stuck = 0;
    return MNI_WATCH_COLLAPSED;
}
