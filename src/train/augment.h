/* augment.h - the same thing seen differently: seeded changes that do not change the
 * class.
 *
 * A network that is to recognise a thing from one photo must learn what does not
 * matter: where it lies, how it is turned, the light, what stands behind it. Nothing
 * here uses libm, and the numbers come from an address (base/rng.h): the picture of
 * (seed, step, slot) is the same on every machine and thread.
 * SPDX-License-Identifier: MIT */
#ifndef MNI_TRAIN_AUGMENT_H
#define MNI_TRAIN_AUGMENT_H

#include "base/rng.h"
#include "train/cache.h"

/* "+-x": uniform in -x..x. All 0: the picture as inference sees it. */
typedef struct mni_augment {
    float rotate;     /* +- radians, at most 1 */
    float scale;      /* sides +- this share */
    float shift;      /* +- this share of a side, each way */
    float stretch;    /* one side against the other +- this share */
    float flip;       /* probability of a mirror image, left to right */
    float contrast;   /* distance from mid-grey +- this share */
    float brightness; /* +- grey levels of 0..1, all channels alike */
    float colour;     /* +- grey levels of 0..1, each channel alone */
    float blur;       /* probability */
    float erase;      /* probability that a rectangle is hidden */
    float background; /* probability that something else shows through alpha */
} mni_augment;

/* A preset of metricann.h: MANN_AUGMENT_NONE, _GLYPH (geometry only: a mirrored letter
 * is another letter), _PHOTO (and flip, light, blur, erase), _ALL (and backgrounds). */
mni_augment mni_augment_preset(uint32_t kind);

/* out: three planes of size x size floats, (pixel / 255 - mean) / std. turn: quarter
 * turns to the left, exact, before anything else. room: size * size * 3 bytes. */
void mni_augment_run(const mni_augment *a, const mni_picture *p, const mni_recipe *recipe,
                     uint32_t turn, mni_rng r, uint8_t *room, float *out);

#endif
