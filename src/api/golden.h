/* golden.h - golden vectors: what the network made of a few drawn pictures when it was
 * finished. They travel in the model file, so that any machine can ask itself whether it
 * still gets them: `metricann selftest MODEL`. SPDX-License-Identifier: MIT */
#ifndef MNI_API_GOLDEN_H
#define MNI_API_GOLDEN_H

#include "image/prep.h"
#include "nn/model.h"

#define MNI_GOLDEN_TAG "GOLD"

/* A toy as the network wants to see it: 3 x size x size floats. */
mann_status mni_toy_input(const mni_recipe *r, const mann_synth_config *c, uint64_t klass,
                          uint64_t view, float *out, mann_error *err);

/* Draws the pictures, asks the network in f32 and attaches its answers. After a failure,
 * and where an answer is no unit vector (a network with nothing alive), there are none
 * rather than those of other weights. The same bytes for any pool. */
mann_status mni_golden_attach(mni_model *m, mni_pool *pool, mann_error *err);
/* How many pictures; 0: the model carries none, or they cannot be read. */
uint32_t    mni_golden_count(const mni_model *m);
/* Draws them again and compares: in f32, and at the model's own precision if that is
 * another. MANN_E_MISMATCH names the first picture that is further away than it may be;
 * MANN_E_FORMAT: the attachment is damaged. A model without any is fine. */
mann_status mni_golden_check(const mni_model *m, const mann_hooks *h, mann_error *err);

#endif
