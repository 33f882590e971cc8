/* pictures.h - pictures of a cache, as inference would see them -> vectors: for the
 * examination and for the search for look-alikes. SPDX-License-Identifier: MIT */
#ifndef MNI_TRAIN_PICTURES_H
#define MNI_TRAIN_PICTURES_H

#include "nn/model.h"
#include "train/cache.h"
#include "train/sampler.h"

enum { MNI_PICTURES_AT_ONCE = 64 };

/* rows: n x dim of the model, unit length. Picks' turns are made, nothing else is. Same
 * bits for any pool. */
mann_status mni_pictures_embed(const mni_cache *c, const mni_pick *picks, size_t n,
                               const mni_model *m, mni_pool *pool, float *rows,
                               mann_error *err);

#endif
