/* png.h - what the two halves of the PNG reader share: png_read.c walks the file,
 * png_rows.c makes pixels of it. SPDX-License-Identifier: MIT */
#ifndef MNI_IMAGE_PNG_H
#define MNI_IMAGE_PNG_H

#include "image/decoders.h"
#include "kern/kern_png.h"

/* IHDR colour types. */
enum { MNI_PNG_GREY = 0, MNI_PNG_RGB = 2, MNI_PNG_PALETTE = 3, MNI_PNG_GREY_ALPHA = 4,
       MNI_PNG_RGB_ALPHA = 6 };

typedef struct mni_png {
    const mni_source *in;
    const mni_kern_png *kern;
    uint32_t width, height;
    unsigned depth, colour, interlaced;
    unsigned n_samples;             /* per pixel in the file: 1, 2, 3, 4 */
    unsigned channels;              /* per pixel in the result: 3, with alpha 4 */
    uint8_t palette[256][4];        /* RGBA; places beyond the end are opaque black */
    unsigned n_palette;
    int has_key;                    /* one colour, in the file's depth, is transparent */
    uint16_t key[3];
    size_t first_idat, n_idats, n_idat_bytes;
    int orientation;
    uint32_t gamma;                 /* gAMA: times 100,000; sRGB: 45,455; 0: not said */
} mni_png;

/* Bytes of all rows of the file with their filter bytes. */
uint64_t mni_png_filtered_bytes(const mni_png *p);
/* Pixels out of the zlib stream; `out` has its size. Scratch comes from the arena. */
mann_status mni_png_rows(const mni_png *p, const uint8_t *stream, size_t n_stream,
                         mann_image *out, mann_error *err);

#endif
