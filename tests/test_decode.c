/* test_decode.c - real pictures against other decoders.
 *
 * What they make of each picture is prepared by tests/unpack_data.sh and
 * tests/oracle_images.py in a cache folder: $METRICANN_CACHE, default
 * ${TMPDIR:-/tmp}/metricann-data. Without it these tests say "skipped". Where stb_image.h
 * is installed it is asked too. SPDX-License-Identifier: MIT */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "decode_help.h"
#include "harness.h"

#ifdef __has_include
#if __has_include(<stb/stb_image.h>)
#define HAVE_STB 1
#define STB_IMAGE_IMPLEMENTATION
#define STB_IMAGE_STATIC
#define STBI_NO_STDIO
#define STBI_NO_HDR
#define STBI_NO_LINEAR
/* Zeroed: it reads code tables that a file did not bring. */
#define STBI_MALLOC(n) calloc(1, (n))
#define STBI_REALLOC(p, n) realloc((p), (n))
#define STBI_FREE(p) free(p)
#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC optimize("O1")      /* its code is long, and nothing here waits for it */
#endif
#if defined(__GNUC__)
#pragma GCC diagnostic ignored "-Wall"
#pragma GCC diagnostic ignored "-Wextra"
#pragma GCC diagnostic ignored "-Wshadow"
#pragma GCC diagnostic ignored "-Wundef"
#pragma GCC diagnostic ignored "-Wunused-function"
#pragma GCC diagnostic ignored "-Wsign-compare"
#pragma GCC diagnostic ignored "-Wmissing-prototypes"
#endif
#include <stb/stb_image.h>
#endif
#endif

static const char *cache_path(const char *relative)
{
    static char path[4096];
    const char *root = getenv("METRICANN_CACHE"), *tmp = getenv("TMPDIR");
    if (root && *root) snprintf(path, sizeof path, "%s/%s", root, relative);
    else
        snprintf(path, sizeof path, "%s/metricann-data/%s", tmp && *tmp ? tmp : "/tmp",
                 relative);
    return path;
}

/* The whole file, owned (mni_free); NULL if it is not there. */
static uint8_t *read_file(const char *relative, size_t *n_bytes)
{
    FILE *f = fopen(cache_path(relative), "rb");
    if (!f) return NULL;
    uint8_t *bytes = NULL;
    size_t n = 0, cap = 0;
    while (mni_grow((void **)&bytes, &cap, n + 65536, 1)) {
        const size_t got = fread(bytes + n, 1, cap - n, f);
        if (got == 0) break;
        n += got;
    }
    fclose(f);
    *n_bytes = n;
    return bytes;
}

typedef struct line { int tolerance; char picture[1024], want[256]; } line;

/* Calls `each` for every line of the manifest. */
static void walk_manifest(void (*each)(void *ctx, const line *l), void *ctx)
{
    FILE *f = fopen(cache_path("oracle/manifest.tsv"), "r");
    if (!f) test_skip("no %s: run tests/unpack_data.sh and tests/oracle_images.py",
                      cache_path("oracle/manifest.tsv"));
    line l;
    while (fscanf(f, "%d\t%1023[^\t]\t%255[^\n]\n", &l.tolerance, l.picture, l.want) == 3)
        each(ctx, &l);
    fclose(f);
}

/* --- against the oracle ------------------------------------------------------------- */

typedef struct tally { int equal, close, refused, survived, wrong; int largest; } tally;

static int largest_difference(const mann_image *a, const mann_image *b)
{
    int most = 0;
    for (size_t i = 0; i < (size_t)a->width * a->height * 3; i++) {
        const int d = abs(a->pixels[i] - b->pixels[i]);
        if (d > most) most = d;
    }
    return most;
}

static const char *compare(tally *t, const line *l, const mann_image *im)
{
    size_t n = 0;
    uint8_t *bytes = read_file(l->want, &n);
    mann_image want = { 0 };
    const mann_status s =
        bytes ? mni_image_decode(&want, bytes, n, NULL, NULL) : MANN_E_IO;
    const char *wrong = NULL;
    if (s != MANN_OK) wrong = "the oracle's file cannot be read";
    else if (im->width != want.width || im->height != want.height) wrong = "another size";
    else {
        const int d = largest_difference(im, &want);
        if (d > l->tolerance) wrong = "other pixels";
        else if (d) t->close++;
        else t->equal++;
        if (d > t->largest) t->largest = d;
    }
    mann_image_clear(&want);
    mni_free(bytes);
    return wrong;
}

static void check_line(void *ctx, const line *l)
{
    tally *t = ctx;
    size_t n = 0;
    uint8_t *bytes = read_file(l->picture, &n);
    mann_image im = { 0 };
    mann_error err = { MANN_OK, "" };
    const mann_status s = bytes ? mni_image_decode(&im, bytes, n, NULL, &err) : MANN_E_IO;
    const char *wrong = NULL;
    if (strcmp(l->want, "any") == 0) t->survived++;
    else if (strcmp(l->want, "refuse") == 0) {
        t->refused++;
#ifndef MNI_STB     /* which decodes some of them */
        if (s == MANN_OK) wrong = "accepted";
#endif
    } else if (s != MANN_OK) wrong = err.text;
    else wrong = compare(t, l, &im);
    if (s != MANN_OK && !err.text[0]) wrong = "refused without a sentence";
    if (wrong) {
        t->wrong++;
        printf("        %s: %s\n", l->picture, wrong);
    }
    mann_image_clear(&im);
    mni_free(bytes);
}

static void equals_the_oracle(void)
{
    tally t = { 0, 0, 0, 0, 0, 0 };
    walk_manifest(check_line, &t);
    printf("        %d pictures equal, %d within tolerance (largest difference %d), %d "
           "rightly refused, %d survived\n",
           t.equal, t.close, t.largest, t.refused, t.survived);
    CHECK(t.equal > 100);
    CHECK_EQ(t.wrong, 0);
}

/* --- against stb_image -------------------------------------------------------------- */

#ifdef HAVE_STB
/* Where stb_image 2.27 stands alone against libjpeg, Pillow and us. */
static int is_known(const char *picture)
{
    static const char *const names[] = {
        "/Core_1_Bit.bmp", "/pal8os2sp.bmp",            /* palettes of OS/2 headers */
        "_h12.bmp",
        "/made/p1_", "/made/p3_",                       /* PNM's largest value */
        "/jpg-size-3x3.jpg", "/jpg-size-4x4.jpg",       /* doubles 2 samples smoothly */
        "/progressive-missing-dc.jpg",
        /* GIF: what lies outside of the first frame */
        "/border_touching_layers.gif", "/issue_1455_undersized.gif",
        "/large-gif-anim-combine.gif",
    };
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        if (strstr(picture, names[i])) return 1;
    return 0;
}

static void check_stb(void *ctx, const line *l)
{
    tally *t = ctx;
    size_t n = 0;
    uint8_t *bytes = read_file(l->picture, &n);
    const mni_decode_opts as_stored = { .keep_alpha = 1, .ignore_orientation = 1 };
    mann_image im = { 0 };
    if (bytes && strncmp(l->want, "oracle", 6) == 0 && !is_known(l->picture) &&
        mni_image_decode(&im, bytes, n, &as_stored, NULL) == MANN_OK) {
        int w = 0, h = 0, c = 0;
        uint8_t *other =
            stbi_load_from_memory(bytes, (int)n, &w, &h, &c, (int)im.channels);
        if (other) {
            /* stb rounds elsewhere (transform, 16 bits, 5-bit fields): take the mean. */
            double sum = 0;
            const size_t m = (size_t)im.width * im.height * im.channels;
            const int same = (uint32_t)w == im.width && (uint32_t)h == im.height;
            for (size_t i = 0; same && i < m; i++) sum += abs(im.pixels[i] - other[i]);
            t->equal += sum == 0;
            t->close += sum > 0;
            if (!same || sum / (double)m > 1.5) {
                t->wrong++;
                printf("        %s: stb_image differs by %.2f\n", l->picture,
                       sum / (double)m);
            }
        }
        stbi_image_free(other);
    }
    mann_image_clear(&im);
    mni_free(bytes);
}

static void agrees_with_stb(void)
{
    tally t = { 0, 0, 0, 0, 0, 0 };
    walk_manifest(check_stb, &t);
    printf("        stb_image: %d pictures equal, %d close\n", t.equal, t.close);
    CHECK(t.equal + t.close > 100);
    CHECK_EQ(t.wrong, 0);
}
#else
static void agrees_with_stb(void)
{
    test_skip("stb_image.h is not installed (libstb-dev)");
}
#endif

const test_case decode_tests[];
const test_case decode_tests[] = {
    { "equals_the_oracle", equals_the_oracle, 1 },
    { "agrees_with_stb", agrees_with_stb, 1 },
    { 0 }
};
