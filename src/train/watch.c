/* watch.c - see watch.h. SPDX-License-Identifier: MIT */
#include "train/watch.h"

#include <math.h>

/* Distances between unlike images (of at most 2): random directions are 1.41 apart, an
 * untrained network's images 0.2 to 0.5. Below `nothing` rounding begins. */
static const double one_point = 0.05, small_ball = 0.15, nothing = 1e-3;
static const double no_gap = 0.02, at_margin = 0.05;
static const double newest = 1.0 / 32, growth = 1.25;   /* of the gap's running mean */

/* Only a triplet with a margin can stand at it: any other loss has a direction as long as
 * points differ. */
static int has_margin(const mni_loss_config *c)
{
    return c->kind == MNI_LOSS_TRIPLET && !c->soft;
}

static double gap_share(const mni_loss_result *r)
{
    if (!(r->mean_negative > 0)) return 0;
    return (r->mean_negative - r->mean_positive) / r->mean_negative;
}

static int on_one_point(const mni_loss_config *c, const mni_loss_result *r)
{
    if (r->n_terms == 0) return 0;
    if (!has_margin(c)) return r->mean_negative < one_point;
    return r->mean_negative < nothing ||
           (r->mean_negative < small_ball && gap_share(r) < no_gap);
}

/* In the ball at the margin, and friends do not come nearer than strangers. */
static int leads_nowhere(mni_watch *w, const mni_loss_config *c, const mni_loss_result *r)
{
    if (r->n_terms == 0) return 0;
    if (!has_margin(c) || r->mean_negative >= small_ball ||
        fabs(r->loss - c->margin) >= at_margin * c->margin) {
        w->n_flat = 0;
        w->gap = w->best_gap = 0;
        return 0;
    }
    w->gap += (gap_share(r) - w->gap) * (w->best_gap > 0 ? newest : 1);
    if (w->best_gap > 0 && w->gap < growth * w->best_gap)
        return ++w->n_flat >= MNI_WATCH_FLAT;
    w->best_gap = w->gap > 0 ? w->gap : 1e-9;
    w->n_flat = 0;
    return 0;
}

mni_watch_verdict mni_watch_step(mni_watch *w, const mni_loss_config *c,
                                 const mni_loss_result *r, double norm)
{
    if (!isfinite(r->loss) || !isfinite(norm)) return MNI_WATCH_NOT_A_NUMBER;
    w->n_stuck = on_one_point(c, r) ? w->n_stuck + 1 : 0;
    if (!leads_nowhere(w, c, r) && w->n_stuck < MNI_WATCH_STEPS) return MNI_WATCH_FINE;
    *w = (mni_watch){ 0 };
    return MNI_WATCH_COLLAPSED;
}
