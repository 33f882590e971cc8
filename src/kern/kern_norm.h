/* kern_norm.h - batch norm, ReLU and the residual's add on channel-blocked maps
 * (kern_conv.h), each pass over memory doing all there is to do there.
 *
 * Every entry works on one block of 16 channels of one image: `places` times 16 floats.
 * What belongs to a channel is an array of 16. Like kern_ew.h, one body of plain C is
 * compiled for each level, nothing is contracted to FMA, sums run in fixed strips: all
 * levels give the same bits. SPDX-License-Identifier: MIT */
#ifndef MNI_KERN_KERN_NORM_H
#define MNI_KERN_KERN_NORM_H

#include <stddef.h>

#include "kern/kern_conv.h"

/* y = max(0, z * scale + shift + r), where r is nothing (r NULL), r itself (r_scale
 * NULL), or r * r_scale + r_shift. y may be z. NaN becomes 0. */
typedef struct mni_norm_act {
    const float *z, *scale, *shift, *r, *r_scale, *r_shift;
    float *y;
} mni_norm_act;

/* d = dy where y > 0, else 0. sum += sum d, dot += sum d (z - mean), and, z2 not being
 * NULL, dot2 += sum d (z2 - mean2). d may be dy. */
typedef struct mni_norm_mask {
    const float *dy, *y, *z, *mean, *z2, *mean2;
    float *d;
    double *sum, *dot, *dot2;           /* 16 each */
} mni_norm_mask;

typedef struct mni_kern_norm {
    const char *name;
    /* Per channel the mean of z and the sum of squares around it. */
    void (*stats)(const float *z, size_t places, double *mean, double *squares);
    void (*act)(const mni_norm_act *a, size_t places);
    void (*mask)(const mni_norm_mask *m, size_t places);
    /* dz = a d + b z + c */
    void (*grad)(const float *d, const float *z, const float *a, const float *b,
                 const float *c, size_t places, float *dz);
} mni_kern_norm;

void mni_kern_norm_build(mni_kern_norm *k, unsigned cpu);       /* pure */
const mni_kern_norm *mni_kern_norm_best(void);

#endif
