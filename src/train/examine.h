/* examine.h - how good is a model on classes it never saw? Recall@1 leave-one-out, and
 * the loss. SPDX-License-Identifier: MIT */
#ifndef MNI_TRAIN_EXAMINE_H
#define MNI_TRAIN_EXAMINE_H

#include "nn/loss.h"
#include "nn/model.h"
#include "train/cache.h"
#include "train/sampler.h"

typedef struct mni_exam {   /* fini in any case; zeroed: no validation */
    const mni_cache *cache; /* borrowed */
    mni_class_list list;    /* taken */
    uint32_t dim;
    float *rows; /* of the model examined last: images of the list in order x dim */
    uint32_t *labels;
} mni_exam;

typedef struct mni_grade {
    double recall; /* share of images whose nearest other image is of their class */
    double loss;   /* mean over batches of classes x images, without augmentation */
} mni_grade;

mann_status mni_exam_init(mni_exam *x, const mni_cache *cache, mni_class_list *list,
                          uint32_t dim, mann_error *err);
void mni_exam_fini(mni_exam *x);
/* Same bits for any pool. classes x images: of the batches for the loss, at most what
 * there is. */
mann_status mni_exam_run(mni_exam *x, const mni_model *m, const mni_loss_config *loss,
                         uint32_t classes, uint32_t images, mni_pool *pool,
                         mni_grade *out, mann_error *err);

/* Ranges for int8 (mni_model_measure) from some of the images, evenly over the list. */
mann_status mni_exam_measure(const mni_exam *x, mni_model *m, mann_error *err);

#endif
