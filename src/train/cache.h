/* cache.h - the training set as small squares of 8-bit pixels: decoded and resized
 * once, not every time.
 *
 * Decoding and resizing a photo costs a hundred times what augmenting a small square
 * costs. All images are decoded once at the start, which also finds the bad ones; as
 * many as the budget allows stay in memory, the rest is decoded again when it is asked
 * for. Alpha is kept, so that augmentation can put the thing on another background.
 * SPDX-License-Identifier: MIT */
#ifndef MNI_TRAIN_CACHE_H
#define MNI_TRAIN_CACHE_H

#include "image/prep.h"
#include "os/pool.h"
#include "train/dataset.h"

/* size x size pixels, rows packed. 4 channels: colour already multiplied by alpha
 * ("premultiplied"), which is what resizing needs: the colour of what cannot be seen
 * must not bleed into what can. */
typedef struct mni_picture {
    const uint8_t *pixels;
    uint32_t channels;
} mni_picture;

typedef struct mni_cache {
    const mni_dataset *set;
    mni_recipe recipe;
    size_t n_images, n_bad;
    uint64_t kept_bytes;
    uint8_t **kept;    /* per image: pixels, or NULL */
    uint8_t *channels; /* per image: 3 or 4; 0: cannot be decoded */
} mni_cache;

/* set is borrowed. Bad images are told by a note each; the progress task is "decode".
 * fini in any case. */
mann_status mni_cache_init(mni_cache *c, const mni_dataset *set, const mni_recipe *recipe,
                           uint64_t budget_bytes, mni_pool *pool, const mann_hooks *h,
                           mann_error *err);
void mni_cache_fini(mni_cache *c);
static inline size_t mni_cache_room(const mni_cache *c)
{
    return (size_t)c->recipe.size * c->recipe.size * 4;
}
/* One image, as the cache keeps it, into `out` (mni_cache_room bytes); set and recipe of
 * `c` are looked at, nothing else. */
mann_status mni_cache_decode(const mni_cache *c, uint64_t image, uint8_t *out,
                             uint8_t *channels, mann_error *err);
/* The picture of a good image: borrowed from the cache, or decoded into `room`
 * (mni_cache_room bytes). Thread-safe. */
mann_status mni_cache_get(const mni_cache *c, uint64_t image, uint8_t *room,
                          mni_picture *out, mann_error *err);

#endif
