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
    /* Drawn apart from those above, so that 0 here leaves their pictures as they were: */
    float crop;       /* probability that only a part is seen: half to nine tenths */
    float shade;      /* light falls off across the picture, by up to this share */
    float noise;      /* grain: most standard deviation, in grey levels of 0..1 */
    float jpeg;       /* probability of a trip through a JPEG of quality 15..75 */
} mni_augment;

/* A preset of metricann.h: MANN_AUGMENT_NONE, _GLYPH (geometry only: a mirrored letter
 * is another letter), _PHOTO (and flip, light, blur, erase), _ALL (and backgrounds),
 * _STRONG (and parts, shade, grain, JPEG). */
mni_augment mni_augment_preset(uint32_t kind);
/* Of MANN_CHANGE_*: all of them are _STRONG; fewer: each of these in every picture (a
 * mirror image in every second). strength 0..1 scales what has a size. */
mni_augment mni_augment_changes(uint32_t changes, float strength);

/* The pixels of a picture: 3 channels, or 4 with colour premultiplied. background: of
 * what is seen through alpha where it is not replaced. */
typedef struct mni_scene {
    const uint8_t *pixels;
    uint32_t width, height, channels;
    const uint8_t *background;
} mni_scene;

/* out: three planes of width x height floats, 0..255. turn: 0..3 quarter turns to the
 * left, 4 more: the mirror image of that; exact, before anything else; 0 where the
 * picture is not square. room: width * height * 3 bytes. MANN_E_NOMEM with jpeg alone:
 * the rest takes no memory. */
mann_status mni_augment_planes(const mni_augment *a, const mni_scene *in, uint32_t turn,
                               mni_rng r, uint8_t *room, float *out, mann_error *err);
/* The same for the network: a square, (pixel / 255 - mean) / std. */
mann_status mni_augment_run(const mni_augment *a, const mni_picture *p,
                            const mni_recipe *recipe, uint32_t turn, mni_rng r,
                            uint8_t *room, float *out, mann_error *err);
/* A photo (RGB or RGBA) of any size, changed: `out` is RGB of the same size, owned
 * (mann_image_clear). */
mann_status mni_augment_image(const mni_augment *a, const mann_image *in, mni_rng r,
                              mann_image *out, mann_error *err);

/* --- augment_lens.c: what happens between the thing and the file -------------------- */
void mni_augment_light(const mni_augment *a, mni_rng *r, size_t n, float *planes);
void mni_augment_blur(uint32_t width, uint32_t height, float *planes);
void mni_augment_erase(mni_rng *r, uint32_t width, uint32_t height, float *planes);
/* share: of light that the darkest corner lacks and the brightest gains; its direction is
 * drawn. */
void mni_augment_shade(float share, mni_rng *r, uint32_t width, uint32_t height,
                    float *planes);
void mni_augment_noise(float deviation, mni_rng *r, size_t n, float *planes);
mann_status mni_augment_jpeg(int quality, uint32_t width, uint32_t height, uint8_t *rgb,
                          float *planes, mann_error *err);

#endif
