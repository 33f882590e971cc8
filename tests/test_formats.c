/* test_formats.c - small pictures of every format (tests/fuzz/corpus, drawn by us): the
 * same pixels for ever, every truncation, every flipped bit, every allocation, and what
 * they may cost. Run from the top folder. SPDX-License-Identifier: MIT */
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/bytes.h"
#include "base/mem.h"
#include "decode_help.h"
#include "harness.h"
#include "os/vfs.h"

/* What mni_hash_bytes makes of size, channels and pixels, alpha kept, as stored. All but
 * those marked were equal to Pillow 9.4's pixels when they were written down: Pillow
 * keeps the high byte of 16 bits, reads no QOI or PAM, and moves the pen of RLE
 * wrongly. */
typedef struct golden { const char *name; uint64_t hash; } golden;
static const golden goldens[] = {
#include "formats_golden.h"
};
enum { N_GOLDENS = sizeof goldens / sizeof goldens[0] };

typedef struct file { uint8_t *bytes; size_t n_bytes; } file;

static file read_corpus(const char *name)
{
    char path[256];
    mann_error e;
    file f;
    snprintf(path, sizeof path, "tests/fuzz/corpus/%s", name);
    CHECK_FINE(mni_read_file(mni_vfs_posix(), path, 1 << 20, &f.bytes, &f.n_bytes, &e),
               e);
    return f;
}

static uint64_t hash_of(const mann_image *im)
{
    const uint32_t head[3] = { im->width, im->height, im->channels };
    return mni_hash_bytes(im->pixels, (size_t)im->width * im->height * im->channels,
                          mni_hash_bytes(head, sizeof head, 0));
}

static void same_pixels(void)
{
    const mni_decode_opts stored = { .keep_alpha = 1, .ignore_orientation = 1 };
    int n_wrong = 0;
    for (size_t i = 0; i < N_GOLDENS; i++) {
        mann_image im;
        mann_error e = { MANN_OK, "" };
        const file f = read_corpus(goldens[i].name);
        CHECK_FINE(mni_image_decode(&im, f.bytes, f.n_bytes, &stored, &e), e);
        const uint64_t hash = hash_of(&im);
        if (hash != goldens[i].hash) {
            printf("    { \"%s\", 0x%016llx },\n", goldens[i].name,
                   (unsigned long long)hash);
            n_wrong++;
        }
        mann_image_clear(&im);
        mni_free(f.bytes);
    }
    CHECK_EQ(n_wrong, 0);
}

/* --- damage ------------------------------------------------------------------------- */

static int is_small(const file *f) { return f->n_bytes < 800; }

static void truncations(void)
{
    int n = 0;
    for (size_t i = 0; i < N_GOLDENS; i++) {
        const file f = read_corpus(goldens[i].name);
        if (is_small(&f)) {
            help_truncate(f.bytes, f.n_bytes, f.n_bytes / 3);
            n++;
        }
        mni_free(f.bytes);
    }
    CHECK(n >= 10);
}

static void flips(void)
{
    for (size_t i = 0; i < N_GOLDENS; i++) {
        const file f = read_corpus(goldens[i].name);
        help_flip(f.bytes, f.n_bytes, f.n_bytes < 200 ? 1 : 7);
        mni_free(f.bytes);
    }
}

static void memory_may_end(void)
{
    for (size_t i = 0; i < N_GOLDENS; i++) {
        const file f = read_corpus(goldens[i].name);
        help_oom(f.bytes, f.n_bytes);
        mni_free(f.bytes);
    }
}

/* --- costs -------------------------------------------------------------------------- */

/* The bound of src/image/README.md: 16 bytes a pixel, 4 KiB a byte of the file, and 1
 * MiB; half a second (for the slowest of checkers) and 20 microseconds a byte, of the
 * processor and not of the clock on the wall: others may be at work. */
static double seconds_used(void) { return (double)clock() / CLOCKS_PER_SEC; }

static void check_costs(const file *f, const char *name)
{
    mann_image im;
    mann_error e = { MANN_OK, "" };
    const double most = 0.5 + 20e-6 * (double)f->n_bytes, start = seconds_used();
    const mann_status s = mni_image_decode(&im, f->bytes, f->n_bytes, NULL, &e);
    if (seconds_used() - start > most)
        test_fail(__FILE__, __LINE__, "%s took more than %.2f s", name, most);
    const uint64_t n_pixels = (uint64_t)im.width * im.height;
    mann_image_clear(&im);
    if (s != MANN_OK) return;           /* some of the corpus is damaged */
    const mni_decode_opts tight = {
        .max_pixels = n_pixels,
        .max_memory = 16 * n_pixels + 4096 * (uint64_t)f->n_bytes + (1 << 20)
    };
    CHECK_FINE(mni_image_decode(&im, f->bytes, f->n_bytes, &tight, &e), e);
    mann_image_clear(&im);
    const mni_decode_opts none = { .max_memory = 4 * n_pixels };
    CHECK_IS(mni_image_decode(&im, f->bytes, f->n_bytes, &none, &e), MANN_E_LIMIT);
}

typedef struct folder { const char *format; int n; } folder;

static int cost_of_one(void *ctx, const char *name)
{
    folder *in = ctx;
    char both[128];
    snprintf(both, sizeof both, "%s/%s", in->format, name);
    const file f = read_corpus(both);
    check_costs(&f, both);
    mni_free(f.bytes);
    in->n++;
    return 0;
}

static void costs_are_bounded(void)
{
    static const char *const formats[] = { "bmp", "gif", "jpeg", "png",
                                           "pnm", "qoi", "tga",  "webp" };
    for (size_t i = 0; i < sizeof formats / sizeof formats[0]; i++) {
        folder in = { formats[i], 0 };
        char path[128];
        mann_error e;
        snprintf(path, sizeof path, "tests/fuzz/corpus/%s", formats[i]);
        CHECK_FINE(mni_vfs_posix()->ops->list(mni_vfs_posix(), path, cost_of_one, &in,
                                              &e), e);
        CHECK(in.n > 1);
    }
}

/* VP8L with five codes of one symbol each: a pixel costs no bits at all. */
static size_t one_colour(uint8_t *b, uint32_t width, uint32_t height)
{
    static const uint8_t codes[] = { 0x88, 0x88, 0x08, 0, 0, 0 };   /* 3 bits, 5 x 0001 */
    memcpy(b, "RIFF\x1a\0\0\0WEBPVP8L\x0b\0\0\0\x2f", 21);
    mni_put32(b + 21, (width - 1) | (height - 1) << 14);
    memcpy(b + 25, codes, sizeof codes);
    return 25 + sizeof codes;
}

static void much_from_little(void)
{
    uint8_t b[40];
    mann_image im;
    mann_error e = { MANN_OK, "" };
    CHECK_FINE(mni_image_decode(&im, b, one_colour(b, 1000, 600), NULL, &e), e);
    CHECK(im.width == 1000 && im.height == 600 && im.pixels[0] == im.pixels[1799999]);
    mann_image_clear(&im);
    CHECK_IS(mni_image_decode(&im, b, one_colour(b, 9000, 9000), NULL, &e), MANN_E_LIMIT);
    CHECK(strstr(e.text, "a byte"));
    CHECK_IS(mni_image_decode(&im, b, one_colour(b, 16384, 16384), NULL, &e),
             MANN_E_LIMIT);
    CHECK(strstr(e.text, "in all"));
}

/* --- orientation in WebP (PNG's: test_png.c, JPEG's: test_decode.c) ----------------- */

static void all_orientations(void)
{
    const mni_decode_opts stored = { .ignore_orientation = 1 };
    file f = read_corpus("webp/turned");
    size_t at = 0;
    for (size_t i = 0; i + 20 <= f.n_bytes; i++)
        if (memcmp(f.bytes + i, "MM\0*", 4) == 0) at = i + 19;
    CHECK(at && f.bytes[at] == 8);
    for (int how = 1; how <= 8; how++) {
        mann_image up, want;
        mann_error e;
        f.bytes[at] = (uint8_t)how;
        CHECK_FINE(mni_image_decode(&up, f.bytes, f.n_bytes, NULL, &e), e);
        CHECK_FINE(mni_image_decode(&want, f.bytes, f.n_bytes, &stored, &e), e);
        CHECK_FINE(mni_image_orient(&want, how, &e), e);
        CHECK(up.width == want.width && up.height == want.height &&
              up.width == (how > 4 ? 10u : 20u));
        CHECK(memcmp(up.pixels, want.pixels, (size_t)up.width * up.height * 3) == 0);
        mann_image_clear(&up);
        mann_image_clear(&want);
    }
    mni_free(f.bytes);
}

const test_case formats_tests[];
const test_case formats_tests[] = {
    { "same_pixels", same_pixels, 0 },
    { "truncations", truncations, 0 },
    { "flips", flips, 0 },
    { "memory_may_end", memory_may_end, 0 },
    { "costs_are_bounded", costs_are_bounded, 0 },
    { "much_from_little", much_from_little, 0 },
    { "all_orientations", all_orientations, 0 },
    { 0 }
};
