/* views.h - one photo looked at several times: test-time views.
 *
 * A network that was taught to see mirrored and cropped photos alike does not do so
 * quite: the mean over a few views is nearer to what the photo shows than any one of
 * them. It costs an embedding each. Krizhevsky et al. (NIPS 2012, section 4.1) average
 * answers over ten crops; here vectors are averaged. SPDX-License-Identifier: MIT */
#ifndef MNI_RECOG_VIEWS_H
#define MNI_RECOG_VIEWS_H

#include "image/prep.h"

enum { MNI_MOST_VIEWS = 12, MNI_ALL_VIEWS = 7 };

/* How many there are of a mask of MANN_VIEW_*; 0 is the photo alone: 1. */
uint32_t mni_views_count(uint32_t views);
/* out: mni_views_count inputs of the network, one behind the other; the photo as it is
 * comes first. */
mann_status mni_views_prepare(const mni_recipe *r, uint32_t views, const mann_image *im,
                              float *out, mann_error *err);
/* Mean of n_views vectors, each taken at unit length, at unit length (cosine of it is
 * what counts; of one view: that vector, bit for bit). out may be the first of them. */
void mni_views_mean(const float *vectors, uint32_t n_views, uint32_t dim, float *out);

#endif
