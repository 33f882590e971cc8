/* test_bmp.c - BMP and PNM from hand-made files, and the dispatch by magic bytes.
 * SPDX-License-Identifier: MIT */
#include <stdio.h>
#include <string.h>

#include "base/bytes.h"
#include "base/mem.h"
#include "decode_help.h"
#include "harness.h"

/* --- building ----------------------------------------------------------------------- */

/* A Windows 3 header of 40 bytes, `extra` (masks or palette) and the pixels. */
static void make_bmp(mni_buf *b, int32_t w, int32_t h, unsigned bits, unsigned packing,
                     const void *extra, size_t n_extra, const void *pixels,
                     size_t n_pixels)
{
    mni_buf_add(b, "BM", 2);
    mni_buf_u32(b, 0);
    mni_buf_u32(b, 0);
    mni_buf_u32(b, (uint32_t)(54 + n_extra));
    mni_buf_u32(b, 40);
    mni_buf_u32(b, (uint32_t)w);
    mni_buf_u32(b, (uint32_t)h);
    mni_buf_u16(b, 1);
    mni_buf_u16(b, (uint16_t)bits);
    mni_buf_u32(b, packing);
    for (int i = 0; i < 5; i++) mni_buf_u32(b, 0);
    if (n_extra) mni_buf_add(b, extra, n_extra);
    mni_buf_add(b, pixels, n_pixels);
}

/* Decodes and compares with a drawing: one letter per pixel, rows one after the other. */
static void shows(const mni_buf *file, uint32_t w, uint32_t h, const char *drawing)
{
    static const struct { char name; uint8_t rgb[3]; } colours[] = {
        { 'r', { 255, 0, 0 } }, { 'g', { 0, 255, 0 } }, { 'b', { 0, 0, 255 } },
        { 'k', { 0, 0, 0 } }, { 'w', { 255, 255, 255 } }, { 'h', { 128, 128, 128 } },
    };
    mann_image im;
    CHECK_IS(help_decode(&im, file->bytes, file->n_bytes, NULL), MANN_OK);
    CHECK(im.width == w && im.height == h && im.channels == 3);
    for (uint32_t i = 0; i < w * h; i++) {
        char found = '?';
        for (size_t k = 0; k < sizeof colours / sizeof colours[0]; k++)
            if (memcmp(colours[k].rgb, im.pixels + 3 * (size_t)i, 3) == 0)
                found = colours[k].name;
        if (found != drawing[i])
            test_fail(__FILE__, __LINE__, "pixel %u of \"%s\" is '%c' (%d %d %d)",
                      (unsigned)i, drawing, found, im.pixels[3 * i], im.pixels[3 * i + 1],
                      im.pixels[3 * i + 2]);
    }
    mann_image_clear(&im);
}

static void bmp_shows(int32_t w, int32_t h, unsigned bits, unsigned packing,
                      const void *extra, size_t n_extra, const void *pixels,
                      size_t n_pixels, const char *drawing)
{
    mni_buf b = { 0 };
    make_bmp(&b, w, h, bits, packing, extra, n_extra, pixels, n_pixels);
    shows(&b, (uint32_t)w, (uint32_t)(h < 0 ? -h : h), drawing);
    help_flip(b.bytes, b.n_bytes, 1);
    help_truncate(b.bytes, b.n_bytes, 54 + n_extra);
    help_oom(b.bytes, b.n_bytes);
    mni_buf_fini(&b);
}

/* Palette: k r g b, as blue, green, red, 0. */
static const uint8_t krgb[16] = { 0, 0, 0, 0, 0, 0, 255, 0, 0, 255, 0, 0, 255, 0, 0, 0 };
#define PIXELS(...)                                                                      \
    (const uint8_t[]){ __VA_ARGS__ }, sizeof(const uint8_t[]) { __VA_ARGS__ }

static void bmp_palettes(void)
{
    bmp_shows(3, 2, 1, 0, krgb, 8, PIXELS(0xA0, 0, 0, 0, 0x40, 0, 0, 0), "krkrkr");
    bmp_shows(3, 2, 2, 0, krgb, 16, PIXELS(0x1B, 0, 0, 0, 0x6C, 0, 0, 0), "rgbkrg");
    bmp_shows(3, 2, 4, 0, krgb, 16, PIXELS(0x12, 0x30, 0, 0, 0x01, 0x20, 0, 0), "krgrgb");
    bmp_shows(3, -2, 8, 0, krgb, 16, PIXELS(1, 2, 3, 0, 0, 1, 200, 0), "rgbkrk");
}

static void bmp_direct(void)
{
    bmp_shows(2, 1, 24, 0, NULL, 0, PIXELS(0, 0, 255, 255, 0, 0, 0, 0), "rb");
    bmp_shows(2, 1, 16, 0, NULL, 0, PIXELS(0x00, 0x7C, 0xE0, 0x03), "rg");
    bmp_shows(2, 1, 32, 0, NULL, 0, PIXELS(0, 0, 255, 9, 255, 0, 0, 0), "rb");
    const uint8_t masks[12] = { 0, 0xF8, 0, 0, 0xE0, 0x07, 0, 0, 0x1F, 0, 0, 0 };
    bmp_shows(3, 1, 16, 3, masks, 12, PIXELS(0x00, 0xF8, 0xE0, 0x07, 0x1F, 0x00, 0, 0),
              "rgb");
    const uint8_t wide[12] = { 0, 0, 0xE0, 0xFF, 0, 0xFC, 0x1F, 0, 0xFF, 3, 0, 0 };
    bmp_shows(2, 1, 32, 3, wide, 12, PIXELS(0, 0, 0xE0, 0xFF, 0xFF, 3, 0, 0), "rb");
}

static void bmp_runs(void)
{
    /* RLE8: run, move, single pixels with padding, end of row and picture. */
    bmp_shows(4, 2, 8, 1, krgb, 16,
              PIXELS(2, 1, 0, 2, 1, 0, 1, 3, 0, 0, 0, 3, 1, 2, 3, 0, 0, 1), "rgbkrrkb");
    /* RLE4: two values in turn; an odd number of single pixels; no end mark at the very
     * end. */
    bmp_shows(5, 2, 4, 2, krgb, 16, PIXELS(5, 0x12, 0, 0, 0, 5, 0x12, 0x31, 0x20, 0),
              "rgbrgrgrgr");
    /* A run beyond the row is cut, the rest of the picture is colour 0. */
    bmp_shows(2, 2, 8, 1, krgb, 16, PIXELS(200, 3, 0, 1), "kkbb");
}

static void bmp_alpha(void)
{
    const uint8_t masks[16] = { 0, 0, 255, 0, 0, 255, 0, 0, 255, 0, 0, 0, 0, 0, 0, 255 };
    bmp_shows(2, 1, 32, 6, masks, 16, PIXELS(0, 0, 255, 255, 0, 0, 255, 0), "rw");
    bmp_shows(2, 1, 32, 6, masks, 16, PIXELS(0, 0, 255, 0, 255, 0, 0, 0),
              "rb"); /* empty field */
}

static void bmp_of_os2(void)
{
    static const uint8_t file[] = { 'B', 'M', 0,  0, 0,   0, 0,   0, 0,    0, 32, 0,
                                    0,   0,   12, 0, 0,   0, 2,   0, 1,    0, 1,  0,
                                    1,   0,   0,  0, 255, 0, 255, 0, 0x40, 0, 0,  0 };
    const mni_buf b = { (uint8_t *)(uintptr_t)file, sizeof file, 0, 0 };
    shows(&b, 2, 1, "rg");
}

static void refusals(void)
{
    mni_buf b = { 0 };
    mann_image im;
    make_bmp(&b, 2, 2, 8, 4, NULL, 0, "\0\0\0\0\0\0\0\0", 8);
    const mann_status packed = help_decode(&im, b.bytes, b.n_bytes, NULL);
    mni_buf_fini(&b);
    make_bmp(&b, 30000, 30000, 8, 1, NULL, 0, "\0\0\0\0\0\0\0\0", 8);
    const mann_status over = help_decode(&im, b.bytes, b.n_bytes, NULL);
    mni_buf_fini(&b);
    make_bmp(&b, 9000, 9000, 8, 1, NULL, 0, "\0\0\0\0\0\0\0\0", 8);
    const mann_status lies = help_decode(&im, b.bytes, b.n_bytes, NULL);
    mni_buf_fini(&b);
    CHECK_EQ(packed, MANN_E_UNSUPPORTED);
    CHECK_EQ(over, MANN_E_LIMIT);
    CHECK_EQ(lies, MANN_E_FORMAT);
}

/* --- PNM ---------------------------------------------------------------------------- */

static void pnm_shows(const void *bytes, size_t n, uint32_t w, uint32_t h,
                      const char *drawing)
{
    mni_buf b = { 0 };
    mni_buf_add(&b, bytes, n);
    shows(&b, w, h, drawing);
    help_flip(b.bytes, b.n_bytes, 1);
    help_truncate(b.bytes, b.n_bytes, b.n_bytes);
    help_oom(b.bytes, b.n_bytes);
    mni_buf_fini(&b);
}
#define TEXT(s) s, sizeof (s) - 1

static void pnm_kinds(void)
{
    pnm_shows(TEXT("P1 # a comment\n3 2\n1 0 1\n010"), 3, 2, "kwkwkw");
    pnm_shows(TEXT("P2\n3 1 2 0\t1 2"), 3, 1, "khw");
    pnm_shows(TEXT("P3 2 1\n#x\n9 9 0 0 0 0 9"), 2, 1, "rb");
    pnm_shows(TEXT("P4\n3 2\n\xA0\x40"), 3, 2, "kwkwkw");
    pnm_shows(TEXT("P5 3 1 255\n\x00\x80\xFF"), 3, 1, "khw");
    pnm_shows(TEXT("P5 3 1 65535\n\x00\x00\x80\x80\xFF\xFF"), 3, 1, "khw");
    pnm_shows(TEXT("P6 2 1 255\n\xFF\x00\x00\x00\x00\xFF"), 2, 1, "rb");
    pnm_shows(
        TEXT("P7\nWIDTH 2\nHEIGHT 1\nDEPTH 4\nMAXVAL 255\nTUPLTYPE RGB_ALPHA\nENDHDR\n"
             "\xFF\x00\x00\xFF\x00\x00\xFF\x00"),
        2, 1, "rw");
}

/* To nearest; of two that are as near the even one, as Pillow has it. */
static void pnm_rounding(void)
{
    static const uint8_t want[] = { 0, 42, 85, 128, 170, 212, 255, 255 };
    mann_image im;
    CHECK_IS(help_decode(&im, (const uint8_t *)"P5 8 1 6 \0\1\2\3\4\5\6\7", 17, NULL),
             MANN_OK);
    for (int i = 0; i < 8; i++) CHECK_EQ(im.pixels[3 * i], want[i]);
    mann_image_clear(&im);
}

static void pnm_refusals(void)
{
    static const char *const bad[] = {
        "P5 0 1 255\n ",           "P5 1 1 0\n ",  "P5 1 1 70000\n ", "P5 1 1 255",
        "P5 99999999999 1 255\n ", "P2 1 1 255 x", "P1 1 1 2",        "P7\nWIDTH 1\n",
        "P5 -1 1 255\n "
    };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        mann_image im;
        const mann_status s =
            help_decode(&im, (const uint8_t *)bad[i], strlen(bad[i]), NULL);
        if (s != MANN_E_FORMAT)
            test_fail(__FILE__, __LINE__, "\"%s\" is not refused", bad[i]);
    }
}

/* --- dispatch ----------------------------------------------------------------------- */

static void foreign_formats_are_named(void)
{
    static const struct {
        const char *bytes;
        size_t n;
        const char *name;
    } cases[] = {
        { TEXT("\xff\x0a......"), "jxl" },
        { TEXT("II*\0........"), "tiff" },
        { TEXT("\0\0\0\x18" "ftypheic...."), "heic" },
        { TEXT("\0\0\0\x18" "ftypavif...."), "avif" },
        { TEXT("\0\0\0\x18" "ftypmif1...."), "heic" },
        { TEXT("\0\0\0\x18" "ftypheix...."), "heic" },
        { TEXT("\0\0\0\x18" "ftypavis...."), "avif" },
        { TEXT("\0\0\0\x18" "ftypcrx ...."), "cr3" },
        { TEXT("\0\0\0\x14" "ftypqt  ...."), "mov" },
        { TEXT("MM\0*........"), "tiff" },
        { TEXT("II+\0........"), "tiff" },
        { TEXT("\xff\x4f\xff\x51...."), "jp2" },
        { TEXT("\0\0\1\0\1\0\x10\x10......"), "ico" },
        { TEXT("8BPS\0\1......"), "psd" },
        { TEXT("%PDF-1.4......"), "pdf" },
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        mann_image im;
        mann_error err = { MANN_OK, "" };
        CHECK_STR(mni_image_format(cases[i].bytes, cases[i].n), cases[i].name);
        CHECK_IS(mni_image_decode(&im, cases[i].bytes, cases[i].n, NULL, &err),
                 MANN_E_UNSUPPORTED);
        CHECK(strstr(err.text, cases[i].name) && strstr(err.text, "PNG or JPEG"));
    }
    mann_image im;
    CHECK_IS(help_decode(&im, NULL, 0, NULL), MANN_E_FORMAT);
    CHECK_IS(help_decode(&im, (const uint8_t *)"hello, world", 12, NULL), MANN_E_FORMAT);
    CHECK(!mni_image_format("P5x", 3) && !mni_image_format("", 0));
}

static void names(void)
{
    CHECK(mni_image_name("a.JPG") && mni_image_name("dir/b.jpeg") &&
          mni_image_name("c.png"));
    CHECK(mni_image_name("d.webp") && mni_image_name("e.Pgm"));
    CHECK(!mni_image_name("notes.txt") && !mni_image_name("png") && !mni_image_name(""));
}

static void limits_are_the_callers(void)
{
    const mni_decode_opts few = { .max_pixels = 5 }, narrow = { .max_side = 2 };
    mann_image im;
    const uint8_t *p = (const uint8_t *)"P4\n3 2\n\xA0\x40";
    CHECK_IS(help_decode(&im, p, 9, &few), MANN_E_LIMIT);
    CHECK_IS(help_decode(&im, p, 9, &narrow), MANN_E_LIMIT);
    CHECK_IS(help_decode(&im, p, 9, NULL), MANN_OK);
    mann_image_clear(&im);
}

const test_case bmp_tests[];
const test_case bmp_tests[] = {
    { "bmp_palettes", bmp_palettes, 0 },
    { "bmp_direct", bmp_direct, 0 },
    { "bmp_runs", bmp_runs, 0 },
    { "bmp_alpha", bmp_alpha, 0 },
    { "bmp_of_os2", bmp_of_os2, 0 },
    { "refusals", refusals, 0 },
    { "pnm_kinds", pnm_kinds, 0 },
    { "pnm_rounding", pnm_rounding, 0 },
    { "pnm_refusals", pnm_refusals, 0 },
    { "foreign_formats_are_named", foreign_formats_are_named, 0 },
    { "names", names, 0 },
    { "limits_are_the_callers", limits_are_the_callers, 0 },
    { 0 }
};
