/* openset.h - the open-set curve: what a threshold refuses, and whom.
 * SPDX-License-Identifier: MIT */
#ifndef MNI_EVAL_OPENSET_H
#define MNI_EVAL_OPENSET_H

#include <stddef.h>

/* One threshold t, the same for all queries; a query is accepted when its best score is
 * >= t. fpir: share of strangers accepted. fnir: share of members that are not answered
 * with their own class: refused, or their best class is a wrong one. NaN where there are
 * no strangers (members). A score of -infinity is refused at any threshold. */
typedef struct mni_open_point { float threshold; double fpir, fnir; } mni_open_point;

/* strangers: best score of each query whose class is not there. members: best score of
 * each query whose class is there and is the best one; `n_wrong` more members had a wrong
 * class first. Both arrays are sorted in place, descending. Writes n_points points,
 * evenly spaced in log(fpir) from 1 down to one stranger, strict last; n_points >= 2. */
void mni_open_curve(float *strangers, size_t n_strangers, float *members,
                    size_t n_members, size_t n_wrong, mni_open_point *out,
                    size_t n_points);

/* The point of one threshold. Arrays sorted as mni_open_curve leaves them. */
mni_open_point mni_open_at(const float *strangers, size_t n_strangers,
                           const float *members, size_t n_members, size_t n_wrong,
                           float threshold);

#endif
