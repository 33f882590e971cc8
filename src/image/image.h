/* image.h - bytes -> pixels: what the rest of the house needs of the decoders.
 *
 * A decoder trusts nothing: sizes are checked against the limits before anything is
 * allocated, and every failure says what was wrong and at which byte.
 * SPDX-License-Identifier: MIT */
#ifndef MNI_IMAGE_IMAGE_H
#define MNI_IMAGE_IMAGE_H

#include "base/status.h"

typedef struct mni_decode_opts {
    uint64_t max_pixels;        /* 0: 100 million; of the picture as it comes */
    uint32_t max_side;          /* 0: 65,535 */
    uint64_t max_memory;        /* 0: 1 GiB; bytes of pixels and scratch together */
    uint32_t max_per_byte;      /* 0: 10,000; pixels per byte of the file, beyond the
                                   first 16 million pixels, which are free */
    int keep_alpha;             /* 1: RGBA where the file has alpha; 0: composited, RGB */
    uint8_t background[3];      /* for compositing */
    int ignore_orientation;     /* 1: leave EXIF orientation alone */
    /* JPEG: */
    uint32_t min_side;          /* not 0: this many pixels a side are enough; the picture
                                   may come 2, 4 or 8 times smaller (its ceilings), but
                                   neither side below this. 0: full size */
    uint32_t max_scans;         /* 0: 100. Work: at most 8 * max_scans blocks a byte */
    int partial;                /* 1: of a damaged file what came before the damage, the
                                   rest grey */
    int *cut;                   /* told whether that was so; may be NULL */
} mni_decode_opts;

/* Defaults: white background, RGB, upright. */
void mni_decode_opts_fill(mni_decode_opts *o);

/* By content (magic bytes), not by name. opts NULL: defaults. Known but unsupported
 * formats (HEIC, AVIF, TIFF, JPEG XL, lossless JPEG and more) are MANN_E_UNSUPPORTED with
 * the cure in the sentence. Of a moving picture the first frame. What a file costs is
 * bounded by the limits before anything is allocated: MANN_E_LIMIT. *out is zeroed on
 * failure. Any number of threads at once. */
mann_status mni_image_decode(mann_image *out, const void *bytes, size_t n_bytes,
                             const mni_decode_opts *opts, mann_error *err);

/* "png", "jpeg", "webp", "gif", ... by magic bytes; NULL if it is none that we know. */
const char *mni_image_format(const void *bytes, size_t n_bytes);
/* Would the name's ending make it an image file? Used to choose files in folders. */
int mni_image_name(const char *name);

/* Zeroed pixels of w * h * channels bytes; MANN_E_NOMEM. Released by mann_image_clear. */
mann_status mni_image_new(mann_image *out, uint32_t width, uint32_t height,
                          uint32_t channels, mann_error *err);
/* The eight EXIF orientations (1..8), in place (the pixel block may be replaced). */
mann_status mni_image_orient(mann_image *im, int orientation, mann_error *err);
/* RGBA -> RGB over a colour, in place; RGB is left alone. */
void mni_image_composite(mann_image *im, const uint8_t background[3]);

#endif
