/* prep.h - pixels -> network input: the recipe that a model carries, and its execution.
 *
 * The recipe is part of the model file (attachment "PREP"): a photo is prepared the same
 * way at training, at enrolment and at query, or the fingerprint does not match.
 * SPDX-License-Identifier: MIT */
#ifndef MNI_IMAGE_PREP_H
#define MNI_IMAGE_PREP_H

#include "base/status.h"
#include "image/image.h"

typedef enum mni_fit {
    MNI_FIT_STRETCH = 0, MNI_FIT_CROP = 1, MNI_FIT_LETTERBOX = 2
} mni_fit;

typedef struct mni_recipe {
    uint32_t size;              /* input is size x size, 3 channels */
    mni_fit fit;                /* how a photo that is not square becomes square */
    uint8_t background[3];      /* under alpha, and the bars of LETTERBOX */
    float mean[3], std[3];      /* of pixels scaled to 0..1 */
} mni_recipe;

enum { MNI_RECIPE_BYTES = 64 };
#define MNI_RECIPE_TAG "PREP"

void mni_recipe_fill(mni_recipe *r, uint32_t size);    /* stretch, white, mean 0, std 1 */
void mni_recipe_encode(const mni_recipe *r, uint8_t out[MNI_RECIPE_BYTES]);
mann_status mni_recipe_decode(mni_recipe *r, const void *bytes, size_t n_bytes,
                              mann_error *err);
/* Does the recipe make what a network of this input takes? A file may say otherwise:
 * MANN_E_MISMATCH. */
mann_status mni_recipe_fits(const mni_recipe *r, uint32_t channels, uint32_t size,
                            mann_error *err);

/* How to decode a photo for this recipe: alpha on its background, and no larger than it
 * needs (mni_decode_opts.min_side): a JPEG whose shorter side stays at least `size` at
 * 1/2, 1/4 or 1/8 is decoded so. */
void mni_recipe_decode_opts(const mni_recipe *r, mni_decode_opts *out);

/* out: 3 planes (R, G, B) of size * size floats, (pixel / 255 - mean) / std. */
mann_status mni_prep_run(const mni_recipe *r, const mann_image *im, float *out,
                         mann_error *err);

#endif
