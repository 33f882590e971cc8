/* flat_crowd.h - Flat for hundreds of queries at a time. SPDX-License-Identifier: MIT */
#ifndef MNI_INDEX_FLAT_CROWD_H
#define MNI_INDEX_FLAT_CROWD_H

#include "index/kinds.h"

/* As search of kinds.h, for up to MNI_ANN_CROWD queries. */
mann_status mni_flat_crowd(const mni_rows *rows, const float *queries, size_t n_queries,
                           const mni_ann_params *p, mni_scratch *scratch, mni_topk *best,
                           mann_error *err);

#endif
