/* evaluate.h - how good is a gallery (or a model) on labelled photos?
 * SPDX-License-Identifier: MIT */
#ifndef MNI_RECOG_EVALUATE_H
#define MNI_RECOG_EVALUATE_H

#include "recog/gallery.h"

/* Photos of a labelled set; classes are numbered 0..n_classes-1 by the caller. */
typedef struct mni_labelled {
    mni_photos photos;
    const uint32_t *labels;             /* photos.n; MANN_NO_CLASS: no label */
    const char *const *names;           /* n_classes */
    uint32_t n_classes;
} mni_labelled;

mann_status mni_gallery_evaluate(mni_gallery *g, const mni_labelled *set,
                                 const mann_eval_config *c, const mann_search *s,
                                 mni_pool *pool, const mann_hooks *h, mann_scores *out,
                                 mann_error *err);
mann_status mni_gallery_episodes(mni_gallery *g, const mni_labelled *set,
                                 const mann_episodes_config *c, mni_pool *pool,
                                 const mann_hooks *h, mann_episodes_result *out,
                                 mann_error *err);

#endif
