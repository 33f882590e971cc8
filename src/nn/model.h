/* model.h - an embedding network with what it needs to travel: network input -> unit
 * vector.
 *
 * Knows nothing of images: the input is n x channels x size x size floats that somebody
 * prepared. What the model carries for others (preprocessing recipe "PREP", calibration
 * "CALB", validation "VALI", golden vectors "GOLD") are attachments: tagged bytes that
 * are saved and opened with it. SPDX-License-Identifier: MIT */
#ifndef MNI_NN_MODEL_H
#define MNI_NN_MODEL_H

#include "base/status.h"
#include "nn/low.h"
#include "nn/resnet.h"
#include "os/pool.h"
#include "store/container.h"

typedef struct mann_model mni_model;        /* the public object */

typedef struct mni_model_shape {
    const char *architecture;               /* borrowed from the model */
    uint32_t dim, input_size, input_channels;
    uint64_t n_parameters;
} mni_model_shape;

/* architecture: "pixels", or a preset of resnet.h, whose input size may be set by
 * "mini@32". dim 0: the architecture's own. Weights are drawn from the seed. */
mann_status mni_model_new(mni_model **out, const char *architecture, uint32_t dim,
                          uint64_t seed, mann_error *err);
/* From a description; `name` is what info prints (at most 63 bytes). Weights are drawn
 * from the seed. */
mann_status mni_model_new_resnet(mni_model **out, const char *name,
                                 const mni_resnet_config *c, uint64_t seed,
                                 mann_error *err);
void        mni_model_free(mni_model *m);
mni_model_shape mni_model_shape_of(const mni_model *m);

/* input: n x channels x size x size. out: n x dim, unit length. The bits of one vector do
 * not depend on n or on the pool. */
mann_status mni_model_forward(const mni_model *m, const float *input, size_t n,
                              mni_pool *pool, float *out, mann_error *err);

/* The same in f32, whatever the model's own precision is. */
mann_status mni_model_forward_f32(const mni_model *m, const float *input, size_t n,
                                  mni_pool *pool, float *out, mann_error *err);

/* What a ResNet takes, and beside it a forward in f32 of n images. */
size_t mni_model_bytes(const mni_model *m, size_t n, size_t threads);

/* Replaces the attachment `tag` (4 letters); n_bytes 0 removes it. Bytes are copied. */
mann_status mni_model_attach(mni_model *m, const char tag[4], const void *bytes,
                             size_t n_bytes, mann_error *err);
/* Borrowed until the next attach; NULL and 0 if there is none. */
const void *mni_model_attached(const mni_model *m, const char tag[4], size_t *n_bytes);

/* The description, or NULL for pixels. Borrowed. */
const mni_resnet_config *mni_model_resnet(const mni_model *m);
/* Blocks of mni_resnet_n_params and _n_stats floats: copied in; borrowed out. set folds
 * the norms anew. */
mann_status mni_model_set_weights(mni_model *m, const float *params, const float *stats,
                                  mann_error *err);
const float *mni_model_params(const mni_model *m);
const float *mni_model_stats(const mni_model *m);
/* How save writes the weights: MNI_F32 (default) or MNI_F16. F16 rounds the weights in
 * memory too, at once, so that the model in memory and the one opened from its file are
 * the same to the bit. */
mann_status mni_model_store_as(mni_model *m, mni_dtype dtype, mann_error *err);

/* --- precision (low.h) --- */
/* Which arithmetic forward uses. int8 wants ranges: measured before, by mni_model_measure
 * (they travel as the attachment "RANG"); MANN_E_ARG if there are none. Travels as
 * "PREC". New weights (set_weights) bring f32 back, and ranges measured with others
 * count no more. */
mann_status   mni_model_set_precision(mni_model *m, mni_precision p, mann_error *err);
mni_precision mni_model_precision(const mni_model *m);
/* Ranges from n inputs: replaced, not widened. Not on a model that is int8 now. */
mann_status   mni_model_measure(mni_model *m, const float *input, size_t n,
                                mann_error *err);
int           mni_model_measured(const mni_model *m);

/* Hash of architecture, weights and the attachment "PREP", and of the precision where it
 * is not f32 (of int8 the ranges too): two models of one fingerprint give the same
 * vector for the same photo. */
uint64_t    mni_model_fingerprint(const mni_model *m);

/* As sections of a container of kind MNI_FILE_MODEL. */
void        mni_model_write(const mni_model *m, mni_writer *w);
mann_status mni_model_read(mni_model **out, const mni_reader *r, mann_error *err);
mann_status mni_model_save(const mni_model *m, const mni_vfs *v, const char *path,
                           mann_error *err);
mann_status mni_model_open(mni_model **out, const mni_vfs *v, const char *path,
                           mann_error *err);

#endif
