/* decoders.h - what the decoders share, inside this room only.
 *
 * image/decode.c looks at the first bytes, resolves the options into a source, calls one
 * reader and finishes the picture (orientation, alpha). A reader gives the pixels as the
 * file has them: RGB, or RGBA where the file carries alpha, not yet turned.
 *
 * All readers keep one promise: nothing is allocated from a size in the file before that
 * size was compared with the limits (mni_source_size) and, by the best compression the
 * format can reach, with the number of bytes that are there (mni_source_holds). So a file
 * of 100 bytes that claims 10,000 x 10,000 pixels costs nothing.
 * SPDX-License-Identifier: MIT */
#ifndef MNI_IMAGE_DECODERS_H
#define MNI_IMAGE_DECODERS_H

#include "base/arena.h"
#include "image/image.h"

typedef struct mni_source {
    const uint8_t *bytes;       /* borrowed: the whole file */
    size_t n_bytes;
    uint64_t max_pixels, max_memory, max_per_byte;      /* resolved: never 0 */
    uint32_t max_side;
    uint32_t max_scans;         /* of a progressive JPEG; resolved too */
    uint32_t min_side;          /* as in mni_decode_opts */
    int partial, *cut;
    mni_arena *arena;           /* scratch of this call, zeroed; ended by decode.c */
} mni_source;

/* Are width and height at least 1 and within the limit of sides? MANN_E_FORMAT,
 * MANN_E_LIMIT. */
mann_status mni_source_sides(const mni_source *in, const char *format, uint64_t width,
                             uint64_t height, mann_error *err);
/* And the pixels and their memory? Of a picture that is made smaller than the file has
 * it, the smaller one counts. The arena may then give what is left of the memory when the
 * pixels (4 bytes each) are counted. */
mann_status mni_source_size(const mni_source *in, const char *format, uint64_t width,
                            uint64_t height, mann_error *err);
/* For formats that can draw much with few bytes: are so many pixels (each time one is
 * touched counts) within what the file's length allows? MANN_E_LIMIT. */
mann_status mni_source_work(const mni_source *in, const char *format, uint64_t pixels,
                            mann_error *err);
/* Can `have` bytes hold what needs at least `least` bytes? MANN_E_FORMAT "cut short". */
mann_status mni_source_holds(const char *format, uint64_t have, uint64_t least,
                             mann_error *err);

/* Would so many bytes for a picture and its making be too many? MANN_E_LIMIT. */
mann_status mni_source_memory(const mni_source *in, const char *format, uint64_t n_bytes,
                              mann_error *err);

/* All: *out is set only on success; *orientation is 1..8 and is left alone where the file
 * does not say. Errors: MANN_E_FORMAT, MANN_E_LIMIT, MANN_E_UNSUPPORTED, MANN_E_NOMEM. */
mann_status mni_png_read(mann_image *out, int *orientation, const mni_source *in,
                         mann_error *err);
mann_status mni_jpeg_read(mann_image *out, int *orientation, const mni_source *in,
                          mann_error *err);
mann_status mni_bmp_read(mann_image *out, const mni_source *in, mann_error *err);
mann_status mni_pnm_read(mann_image *out, const mni_source *in, mann_error *err);
mann_status mni_gif_read(mann_image *out, const mni_source *in, mann_error *err);
mann_status mni_tga_read(mann_image *out, const mni_source *in, mann_error *err);
mann_status mni_qoi_read(mann_image *out, const mni_source *in, mann_error *err);
mann_status mni_webp_read(mann_image *out, int *orientation, const mni_source *in,
                          mann_error *err);
/* TGA has no magic bytes: do the fields of its header make sense? */
int mni_tga_is(const uint8_t *bytes, size_t n_bytes);

/* Orientation out of a TIFF block (what follows "Exif\0\0" in a JPEG, or a PNG's eXIf
 * chunk): 1..8; 1 where there is none or where the block makes no sense. */
int mni_exif_orientation(const uint8_t *tiff, size_t n_bytes);

/* With -DMNI_STB: asks stb_image. Without: always MANN_E_UNSUPPORTED, err untouched. */
mann_status mni_stb_read(mann_image *out, const mni_source *in, mann_error *err);

#endif
