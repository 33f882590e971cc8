/* model_parts.h - the inside of a model, for model.c and model_precision.c alone.
 * SPDX-License-Identifier: MIT */
#ifndef MNI_NN_MODEL_PARTS_H
#define MNI_NN_MODEL_PARTS_H

#include "nn/infer.h"
#include "nn/model.h"

enum { MNI_MODEL_NAME_BYTES = 64, MNI_MODEL_ATTACHMENTS = 16 };

typedef struct mni_attachment {
    char tag[4];
    uint8_t *bytes;
    size_t n_bytes;
} mni_attachment;

struct mann_model {
    char architecture[MNI_MODEL_NAME_BYTES];
    uint32_t dim, input_size, input_channels;
    mni_attachment attached[MNI_MODEL_ATTACHMENTS];
    uint32_t n_attached;

    int is_resnet;              /* what follows is for these alone */
    mni_resnet_config config;
    size_t n_params, n_stats;
    float *params, *stats;
    mni_infer infer;
    mni_low *low;               /* NULL: f32 */
    mni_dtype store;            /* of WGHT: MNI_F32 or MNI_F16 */
    uint64_t weights_hash;
};

/* Ranges that were right before weights were rounded are right after it. */
void mni_model_keep_ranges(mni_model *m);
/* Back to f32, without touching the attachments. */
void mni_model_drop_low(mni_model *m);

#endif
