/* watch.h - two ways in which a training dies, seen while it happens.
 *
 * Collapse: all pictures move to one point of the sphere. Every distance is about 0, so
 * every triplet costs exactly the margin, and the gradient of "nearest negative" has no
 * direction any more: the loss stands at the margin for ever (Hermans et al. 2017,
 * section 3.3 call it "the loss gets stuck").
 *
 * But small is not dead. The hardest negatives draw everything into a ball first, and
 * within it friends may come nearer than strangers, step by step, until the ball opens by
 * itself. What tells them apart is the gap between both as a share of the distance:
 *
 *     step                       50    250    450    650   1000   1300
 *     strangers are apart by    .17    .044   .029   .028   .050   1.00
 *     of it, beyond friends     5 %   19 %   25 %   41 %   52 %   57 %   opens at 1200
 *     a rate ten times too high 7 %    9 %    9 %                         leads nowhere
 *
 * Not a number: a rate that is too high, a weight that overflowed. Every later step
 * would be lost. SPDX-License-Identifier: MIT */
#ifndef MNI_TRAIN_WATCH_H
#define MNI_TRAIN_WATCH_H

#include "nn/loss.h"

enum {
    MNI_WATCH_STEPS = 40,       /* in a row on one point: a collapse */
    MNI_WATCH_FLAT = 300        /* in a small ball, while the gap's share does not grow */
};

typedef enum mni_watch_verdict {
    MNI_WATCH_FINE,
    MNI_WATCH_COLLAPSED,
    MNI_WATCH_NOT_A_NUMBER
} mni_watch_verdict;

typedef struct mni_watch {
    uint32_t n_stuck, n_flat;
    double gap, best_gap;       /* share of the distance: running mean, and its record */
} mni_watch; /* zeroed at the start; in checkpoints */

/* After the loss and the step of every batch; norm: of the gradient. */
mni_watch_verdict mni_watch_step(mni_watch *w, const mni_loss_config *c,
                                 const mni_loss_result *r, double norm);

#endif
