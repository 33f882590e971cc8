/* calib_scale.h - the scale on which tails of scores are straight lines; inside of eval
 * only. SPDX-License-Identifier: MIT */
#ifndef MNI_EVAL_CALIB_SCALE_H
#define MNI_EVAL_CALIB_SCALE_H

#include <math.h>

#include "eval/calib.h"

/* Distances below this count as this: two pictures of different classes that are the same
 * to the last bit must not make minus infinity. Cosine: half of what f32 tells from 1. */
static inline double mni_y_floor(mann_metric metric)
{
    return metric == MANN_COSINE ? 0x1p-25 : 0x1p-120;
}

/* And this is as far as far goes: the table holds finite numbers only. */
#define MNI_Y_FAR 1e38f

static inline float mni_y_of(mann_metric metric, float distance)
{
    if (distance > MNI_Y_FAR) distance = MNI_Y_FAR;
    if (metric == MANN_INNER) return distance > -MNI_Y_FAR ? distance : -MNI_Y_FAR;
    double floor = mni_y_floor(metric), d = distance > floor ? distance : floor;
    return (float)log(d);
}

static inline float mni_score_of_y(mann_metric metric, double y)
{
    if (metric == MANN_INNER) return (float)-y;
    if (metric == MANN_L2) return (float)-exp(y);
    double s = 1.0 - exp(y);
    return s < -1.0 ? -1.0f : (float)s;
}

static inline double mni_y_of_score(mann_metric metric, float score)
{
    if (metric == MANN_INNER) return -(double)score;
    double floor = mni_y_floor(metric),
           d = metric == MANN_L2 ? -(double)score : 1.0 - (double)score;
    return log(d > floor ? d : floor);
}

/* How many classes row s of the table was measured with. */
static inline uint32_t mni_calib_size(const mni_calib *c, uint32_t s)
{
    return s + 1 < c->n_sizes ? 1u << s : c->n_classes - 1;
}

#endif
