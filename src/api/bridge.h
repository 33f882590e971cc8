/* bridge.h - data sets (train/) as the photos that recog/ takes: the two rooms do not see
 * each other. SPDX-License-Identifier: MIT */
#ifndef MNI_API_BRIDGE_H
#define MNI_API_BRIDGE_H

#include "recog/evaluate.h"
#include "train/dataset.h"

mni_photos  mni_photos_of(const mann_dataset *set);
/* labels and names are owned: mni_labelled_fini. */
mann_status mni_labelled_of(mni_labelled *out, const mann_dataset *set, mann_error *err);
void        mni_labelled_fini(mni_labelled *l);

/* The caller's search options, checked; NULL gives the defaults. */
mann_status mni_check_recall(double recall, uint32_t k, const char *call,
                             mann_error *err);
mann_status mni_take_search(mann_search *mine, const mann_search *s, const char *call,
                            mann_error *err);

#endif
