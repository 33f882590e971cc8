/* split.h - which classes teach and which examine: no class does both.
 *
 * What is wanted is a network that knows apart classes it never saw. So it is examined
 * on classes it never saw: holding out images of trained classes would measure memory.
 * SPDX-License-Identifier: MIT */
#ifndef MNI_TRAIN_SPLIT_H
#define MNI_TRAIN_SPLIT_H

#include "train/cache.h"
#include "train/sampler.h"

/* How many of n classes to hold out: the share, at least 8 (calibration needs them), at
 * most half; 0 when there are fewer than 4. */
uint32_t mni_split_size(uint32_t n_classes, double share);

/* Classes of `c`, good images only; classes without any are left out, as are images
 * without a class. Of the classes with at least two images (the others cannot examine),
 * `n_out` drawn by seed go to `out`, all others to `in`. n_out 0 or out NULL: all to
 * `in`. Both are zeroed before, owned after: mni_class_list_fini. MANN_E_ARG if fewer
 * than 2 classes are left to `in`. */
mann_status mni_split(const mni_cache *c, double share, uint64_t seed, mni_class_list *in,
                      mni_class_list *out, mann_error *err);
/* For a set that only examines: classes of two images and more, at most `most` images
 * in all (the first of each class, as many from every class). */
mann_status mni_examiners(const mni_cache *c, uint64_t most, mni_class_list *out,
                          mann_error *err);
/* The same thinning for a list that there is. */
void mni_class_list_thin(mni_class_list *l, uint64_t most);
void mni_class_list_fini(mni_class_list *l);
static inline uint64_t mni_class_list_images(const mni_class_list *l)
{
    return l->n_classes ? l->first[l->n_classes] : 0;
}

#endif
