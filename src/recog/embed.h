/* embed.h - photos to vectors. SPDX-License-Identifier: MIT */
#ifndef MNI_RECOG_EMBED_H
#define MNI_RECOG_EMBED_H

#include "recog/gallery.h"

size_t mni_input_floats(const mni_model *m);
/* What the model carries as "PREP", if it makes what the network takes. */
mann_status mni_model_recipe(const mni_model *m, mni_recipe *out, mann_error *err);
/* out: n x mni_views_dim. The bits of a vector depend on its image, the model and the
 * views (MANN_VIEW_*) alone. */
mann_status mni_embed_images(const mni_model *m, const mni_recipe *recipe,
                             uint32_t views, const mann_image *images, size_t n,
                             mni_pool *pool, float *out, mann_error *err);
/* The gallery's model (borrowed), or MANN_E_MISMATCH saying why there is none. */
mann_status mni_gallery_model(mni_gallery *g, const mni_model **m, mann_error *err);

/* A photo file, decoded as mni_embed_photos does for the gallery's model: embedding it
 * gives the very bits that a row of it has. */
mann_status mni_gallery_photo(mni_gallery *g, const char *path, mann_image *out,
                              mann_error *err);

/* --- many photo files, in groups ---------------------------------------------------- */

typedef enum mni_photo_result {
    MNI_PHOTO_OK = 0, MNI_PHOTO_BAD, MNI_PHOTO_KNOWN
} mni_photo_result;
typedef struct mni_photo {
    mni_photo_result result;
    uint64_t content_hash, mtime;
    mann_error error;                   /* of a bad one */
    float decode_seconds;
    const float *vector;   /* of an OK one: borrowed for the call of the group function */
    mni_buf thumb;              /* if wanted: likewise; may be empty */
} mni_photo;

/* Photos [first, first + n) are read, decoded, prepared and embedded; called in order, on
 * the caller's thread. */
typedef mann_status (*mni_group_fn)(void *ctx, uint64_t first, size_t n,
                                    const mni_photo *photos, mann_error *err);
/* Asked before decoding, from many threads: nonzero skips the photo (MNI_PHOTO_KNOWN);
 * MNI_KNOWN_BARE: not before its thumbnail was made. May be NULL. */
enum { MNI_KNOWN_BARE = 2 };
typedef int (*mni_known_fn)(void *ctx, uint64_t i, uint64_t content_hash);

typedef struct mni_phase_seconds { double decode, embed; } mni_phase_seconds;

/* Unreadable photos do not stop the run; progress is told as `task`, and cancelling ends
 * between groups. */
mann_status mni_embed_photos(const mni_model *m, const mni_recipe *recipe, uint32_t views,
                             const mni_photos *set, const char *task, mni_known_fn known,
                             mni_group_fn group, void *ctx, mni_pool *pool,
                             const mann_hooks *h, mni_phase_seconds *seconds,
                             mann_error *err);

/* Folds the tail into the file when it has grown large enough to pay (enrol.c). */
mann_status mni_gallery_fold_if_due(mni_gallery *g, mni_pool *pool, const mann_hooks *h,
                                    mann_error *err);
/* Tells of a photo that was skipped, and why. */
void mni_note_skipped(const mann_hooks *h, const char *path, const mni_photo *p);

#endif
