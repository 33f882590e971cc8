/* decode.c - which decoder, how large, which way up: the way in for every picture.
 *
 * The name of a file says nothing reliable (phones write .jpg around HEIC); its first
 * bytes do. SPDX-License-Identifier: MIT */
#include <string.h>

#include "base/mem.h"
#include "base/text.h"
#include "image/decoders.h"

enum { DEFAULT_MAX_SIDE = 65535, DEFAULT_MAX_PER_BYTE = 10000, FREE_PIXELS = 1 << 24,
       DEFAULT_MAX_SCANS = 100 };
#define DEFAULT_MAX_PIXELS 100000000u
#define DEFAULT_MAX_MEMORY ((uint64_t)1 << 30)

/* --- formats ------------------------------------------------------------------------ */

typedef enum kind {
    KIND_PNG, KIND_JPEG, KIND_BMP, KIND_PNM, KIND_GIF, KIND_WEBP, KIND_TGA, KIND_QOI,
    KIND_FOREIGN
} kind;

typedef struct known {
    const char *name;
    kind what;
    size_t at;                  /* where the magic bytes stand */
    const char *magic;
    size_t n_magic;
} known;

/* The first row that fits counts. FOREIGN: known well enough to be refused by name. */
static const known formats[] = {
    { "png",  KIND_PNG,     0, "\x89PNG\r\n\x1a\n", 8 },
    { "jpeg", KIND_JPEG,    0, "\xff\xd8\xff", 3 },
    { "bmp",  KIND_BMP,     0, "BM", 2 },
    { "gif",  KIND_GIF,     0, "GIF87a", 6 },
    { "gif",  KIND_GIF,     0, "GIF89a", 6 },
    { "webp", KIND_WEBP,    8, "WEBP", 4 },
    { "qoi",  KIND_QOI,     0, "qoif", 4 },
    { "tiff", KIND_FOREIGN, 0, "II*\0", 4 },
    { "tiff", KIND_FOREIGN, 0, "MM\0*", 4 },
    { "tiff", KIND_FOREIGN, 0, "II+\0", 4 },            /* BigTIFF */
    { "tiff", KIND_FOREIGN, 0, "MM\0+", 4 },
    { "avif", KIND_FOREIGN, 4, "ftypavif", 8 },
    { "avif", KIND_FOREIGN, 4, "ftypavis", 8 },
    { "heic", KIND_FOREIGN, 4, "ftyphei", 7 },
    { "heic", KIND_FOREIGN, 4, "ftyphev", 7 },
    { "heic", KIND_FOREIGN, 4, "ftypmif1", 8 },
    { "heic", KIND_FOREIGN, 4, "ftypmsf1", 8 },
    { "jxl",  KIND_FOREIGN, 0, "\xff\x0a", 2 },
    { "jxl",  KIND_FOREIGN, 4, "JXL \r\n\x87\n", 8 },
    { "jp2",  KIND_FOREIGN, 4, "jP  \r\n\x87\n", 8 },
    { "jp2",  KIND_FOREIGN, 0, "\xff\x4f\xff\x51", 4 },
    { "psd",  KIND_FOREIGN, 0, "8BPS", 4 },
    { "cr3",  KIND_FOREIGN, 4, "ftypcrx ", 8 },         /* Canon's raw photos */
    { "mov",  KIND_FOREIGN, 4, "ftypqt  ", 8 },         /* phones write them beside */
    { "mp4",  KIND_FOREIGN, 4, "ftypisom", 8 },
    { "mp4",  KIND_FOREIGN, 4, "ftypmp4", 7 },
    { "ico",  KIND_FOREIGN, 0, "\0\0\1\0", 4 },
    { "pdf",  KIND_FOREIGN, 0, "%PDF-", 5 },
};
static const known pnm = { "pnm", KIND_PNM, 0, "P", 1 };
static const known tga = { "tga", KIND_TGA, 0, "", 0 };

static const known *format_of(const uint8_t *bytes, size_t n_bytes)
{
    for (size_t i = 0; i < sizeof formats / sizeof formats[0]; i++) {
        const known *f = &formats[i];
        if (n_bytes >= f->at + f->n_magic &&
            memcmp(bytes + f->at, f->magic, f->n_magic) == 0)
            return f;
    }
    /* "P" and a digit could begin any text: the white space behind it is part of the
     * magic. */
    if (n_bytes >= 3 && bytes[0] == 'P' && bytes[1] >= '1' && bytes[1] <= '7' &&
        (bytes[2] == ' ' || bytes[2] == '#' || (bytes[2] >= '\t' && bytes[2] <= '\r')))
        return &pnm;
    return mni_tga_is(bytes, n_bytes) ? &tga : NULL;
}

const char *mni_image_format(const void *bytes, size_t n_bytes)
{
    const known *f = format_of(bytes, n_bytes);
    return f ? f->name : NULL;
}

int mni_image_name(const char *name)
{
    /* Formats that we refuse are listed too: such a file is then reported with its cure
     * instead of being passed over in silence. */
    static const char *const endings[] = {
        ".png", ".jpg",  ".jpeg", ".jpe",  ".jfif", ".bmp", ".dib",
        ".pbm", ".pgm",  ".ppm",  ".pnm",  ".pam",  ".gif", ".webp",
        ".tga", ".qoi",  ".tif",  ".tiff", ".heic", ".heif", ".avif", ".jxl", ".jp2",
    };
    for (size_t i = 0; i < sizeof endings / sizeof endings[0]; i++)
        if (mni_text_ends(name, endings[i])) return 1;
    return 0;
}

/* --- limits ------------------------------------------------------------------------- */

mann_status mni_source_sides(const mni_source *in, const char *format, uint64_t width,
                             uint64_t height, mann_error *err)
{
    const unsigned long long w = width, h = height;
    if (width == 0 || height == 0)
        return mni_fail(err, MANN_E_FORMAT,
                        "%s: the size is %llu x %llu, wanted at least 1 x 1", format, w,
                        h);
    if (width > in->max_side || height > in->max_side)
        return mni_fail(err, MANN_E_LIMIT,
                        "%s: the size is %llu x %llu, the limit is %lu a side", format, w,
                        h, (unsigned long)in->max_side);
    return MANN_OK;
}

mann_status mni_source_size(const mni_source *in, const char *format, uint64_t width,
                            uint64_t height, mann_error *err)
{
    const unsigned long long w = width, h = height;
    MNI_TRY(mni_source_sides(in, format, width, height, err));
    if (width > in->max_pixels / height)
        return mni_fail(err, MANN_E_LIMIT,
                        "%s: %llu x %llu pixels, the limit is %llu in all", format, w, h,
                        (unsigned long long)in->max_pixels);
    const uint64_t bytes = 4 * width * height;
    if (bytes >= in->max_memory)
        return mni_fail(err, MANN_E_LIMIT,
                        "%s: %llu x %llu pixels are more than the %llu bytes of memory "
                        "allowed", format, w, h, (unsigned long long)in->max_memory);
    const uint64_t left = in->max_memory - bytes;
    in->arena->limit_bytes = left < SIZE_MAX ? (size_t)left : SIZE_MAX;
    return MANN_OK;
}

mann_status mni_source_work(const mni_source *in, const char *format, uint64_t pixels,
                            mann_error *err)
{
    if (pixels <= FREE_PIXELS || (pixels - FREE_PIXELS) / in->max_per_byte < in->n_bytes)
        return MANN_OK;
    return mni_fail(err, MANN_E_LIMIT,
                    "%s: %llu pixels in a file of %llu bytes, the limit is %llu a byte",
                    format, (unsigned long long)pixels, (unsigned long long)in->n_bytes,
                    (unsigned long long)in->max_per_byte);
}

mann_status mni_source_holds(const char *format, uint64_t have, uint64_t least,
                             mann_error *err)
{
    if (have >= least) return MANN_OK;
    return mni_fail(
        err, MANN_E_FORMAT,
        "%s: cut short or false size: %llu bytes of pixel data, a picture of this size "
        "needs at least %llu",
        format, (unsigned long long)have, (unsigned long long)least);
}

mann_status mni_source_memory(const mni_source *in, const char *format, uint64_t n_bytes,
                              mann_error *err)
{
    if (n_bytes <= in->max_memory) return MANN_OK;
    return mni_fail(err, MANN_E_LIMIT, "%s: decoding takes %llu bytes, the limit is %llu",
                    format, (unsigned long long)n_bytes,
                    (unsigned long long)in->max_memory);
}

/* --- the way in --------------------------------------------------------------------- */

void mni_decode_opts_fill(mni_decode_opts *o)
{
    *o = (mni_decode_opts){ .max_pixels = DEFAULT_MAX_PIXELS,
                            .max_side = DEFAULT_MAX_SIDE,
                            .max_memory = DEFAULT_MAX_MEMORY,
                            .max_per_byte = DEFAULT_MAX_PER_BYTE,
                            .max_scans = DEFAULT_MAX_SCANS,
                            .background = { 255, 255, 255 } };
}

static mann_status read_any(mann_image *out, int *orientation, const mni_source *in,
                            mann_error *err)
{
    if (in->n_bytes == 0) return mni_fail(err, MANN_E_FORMAT, "image: the file is empty");
    const known *f = format_of(in->bytes, in->n_bytes);
    if (!f)
        return mni_fail(
            err, MANN_E_FORMAT,
            "image: the first bytes belong to no format we know; wanted PNG, JPEG, WebP, "
            "GIF, BMP, PNM, TGA or QOI");
    switch (f->what) {
    case KIND_PNG:  return mni_png_read(out, orientation, in, err);
    case KIND_JPEG: return mni_jpeg_read(out, orientation, in, err);
    case KIND_BMP:  return mni_bmp_read(out, in, err);
    case KIND_PNM:  return mni_pnm_read(out, in, err);
    case KIND_GIF:  return mni_gif_read(out, in, err);
    case KIND_TGA:  return mni_tga_read(out, in, err);
    case KIND_QOI:  return mni_qoi_read(out, in, err);
    case KIND_WEBP: return mni_webp_read(out, orientation, in, err);
    case KIND_FOREIGN: break;
    }
    return mni_fail(err, MANN_E_UNSUPPORTED,
                    "image: this is a %s file, which is not supported; "
                    "convert it to PNG or JPEG",
                    f->name);
}

mann_status mni_image_decode(mann_image *out, const void *bytes, size_t n_bytes,
                             const mni_decode_opts *opts, mann_error *err)
{
    mni_decode_opts o;
    mni_decode_opts_fill(&o);
    *out = (mann_image){ 0 };
    if (opts) {
        const mni_decode_opts defaults = o;
        o = *opts;
        if (o.max_pixels == 0) o.max_pixels = defaults.max_pixels;
        if (o.max_side == 0) o.max_side = defaults.max_side;
        if (o.max_memory == 0) o.max_memory = defaults.max_memory;
        if (o.max_per_byte == 0) o.max_per_byte = defaults.max_per_byte;
        if (o.max_scans == 0) o.max_scans = defaults.max_scans;
    }
    if (o.cut) *o.cut = 0;
    mni_arena scratch;
    mni_arena_init(&scratch, 0);
    const mni_source in = { .bytes = bytes, .n_bytes = n_bytes,
        .max_pixels = o.max_pixels, .max_memory = o.max_memory,
        .max_per_byte = o.max_per_byte, .max_side = o.max_side,
        .max_scans = o.max_scans, .min_side = o.min_side,
        .partial = o.partial, .cut = o.cut, .arena = &scratch };
    mann_image im = { 0 };
    int orientation = 1;
    mann_status s = read_any(&im, &orientation, &in, err);
    if (s == MANN_E_UNSUPPORTED) s = mni_stb_read(&im, &in, err);
    mni_arena_fini(&scratch);
    if (s != MANN_OK) return s;
    if (!o.keep_alpha) mni_image_composite(&im, o.background);
    if (!o.ignore_orientation) s = mni_image_orient(&im, orientation, err);
    if (s != MANN_OK) {
        mann_image_clear(&im);
        return s;
    }
    *out = im;
    return MANN_OK;
}
