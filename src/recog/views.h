/* views.h - one photo looked at several times: test-time views.
 *
 * A network that was taught to see mirrored and cropped photos alike does not do so
 * quite: the mean over a few views is nearer to what the photo shows than any one of
 * them. It costs an embedding each. Krizhevsky et al. (NIPS 2012, section 4.1) average
 * answers over ten crops; here vectors are averaged.
 *
 * A photo turned by a quarter is another matter. The network never saw a mug lie on its
 * side, or was taught that a turned letter is another one: its vector has little to do
 * with the upright one's, and a mean of both would be of neither. But what it says of
 * two photos that are turned alike is a second opinion about the same two things, by
 * weights that look at them afresh. So turned views stand behind one another in a vector
 * four times as long, and its cosine is the mean of four, the upright one counted twice:
 *
 *      vector = ( sqrt(2/5) up | sqrt(1/5) left | sqrt(1/5) down | sqrt(1/5) right )
 *      cos(p, q) = 2/5 cos(up, up) + 1/5 cos(left, left) + ...
 *
 * What it earned is measured in README.md. SPDX-License-Identifier: MIT */
#ifndef MNI_RECOG_VIEWS_H
#define MNI_RECOG_VIEWS_H

#include "image/prep.h"

enum { MNI_MOST_VIEWS = 48, MNI_ALL_VIEWS = 15 };

/* How many there are of a mask of MANN_VIEW_*; 0 is the photo alone: 1. */
uint32_t mni_views_count(uint32_t views);
/* Floats of the vector of a photo, where one look gives dim. */
uint32_t mni_views_dim(uint32_t views, uint32_t dim);
/* out: mni_views_count inputs of the network, one behind the other; the photo as it is
 * comes first, those of a quarter turn stand together. */
mann_status mni_views_prepare(const mni_recipe *r, uint32_t views, const mann_image *im,
                              float *out, mann_error *err);
/* The vector of a photo (mni_views_dim floats) of those of its views: of each turn the
 * mean of the vectors taken at unit length, at unit length. Of one view: that vector, bit
 * for bit. out may be where the first of them is. */
void mni_views_join(const float *vectors, uint32_t views, uint32_t dim, float *out);

#endif
