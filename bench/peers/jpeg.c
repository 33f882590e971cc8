/* jpeg.c - our JPEG decoder beside libjpeg-turbo (its TurboJPEG interface, default
 * settings, RGB out), in turn, one thread:
 *
 *     photos     the files of bench/photos.h as they are
 *     12 Mpx     4000 x 3000, made of them here: side by side, written by libjpeg-turbo
 *                with quality 90 and 4:2:0, as telephones do
 *     full       full size
 *     >=48       the smallest scale (1/2, 1/4, 1/8) with 48 pixels on both sides; both
 *                sides of the race make the same size
 *     1/8        the same for 1/8, and so on
 *
 * Before a race the pixels of both are compared; the largest difference stands in the
 * line. Built and run by bench/peers/run.sh where turbojpeg.h is installed.
 * SPDX-License-Identifier: MIT */
#include <string.h>
#include <turbojpeg.h>

#include "image/image.h"
#include "large.h"
#include "rounds.h"

enum { LARGE = 3, QUALITY = 90 };

typedef struct job {
    const bench_file *files;
    size_t n;
    double megapixels;
    uint32_t min_side;
    tjhandle turbo;
} job;

static mann_image ours_one(const job *j, const bench_file *f)
{
    const mni_decode_opts opts = { .ignore_orientation = 1, .min_side = j->min_side };
    mann_error err;
    mann_image im;
    bench_must(mni_image_decode(&im, f->bytes, f->n_bytes, &opts, &err), &err);
    return im;
}

/* Storage of its own for each photo, as ours. */
static mann_image theirs_one(const job *j, const bench_file *f)
{
    const unsigned long n_bytes = (unsigned long)f->n_bytes;
    int w, h, sampling, colours, scale = j->min_side ? 8 : 1;
    if (tjDecompressHeader3(j->turbo, f->bytes, n_bytes, &w, &h, &sampling, &colours) !=
        0)
        exit(1);
    while (scale > 1 && (uint32_t)((w < h ? w : h) / scale) < j->min_side) scale /= 2;
    w = (w + scale - 1) / scale;
    h = (h + scale - 1) / scale;
    unsigned char *pixels = malloc((size_t)w * (size_t)h * 3);
    if (!pixels ||
        tjDecompress2(j->turbo, f->bytes, n_bytes, pixels, w, 0, h, TJPF_RGB, 0) != 0)
        exit(1);
    return (mann_image){ (uint32_t)w, (uint32_t)h, 3, pixels };
}

static void ours(void *ctx)
{
    const job *j = ctx;
    for (size_t i = 0; i < j->n; i++) {
        mann_image im = ours_one(j, &j->files[i]);
        mann_image_clear(&im);
    }
}

static void theirs(void *ctx)
{
    const job *j = ctx;
    for (size_t i = 0; i < j->n; i++) free(theirs_one(j, &j->files[i]).pixels);
}

static int largest_difference(const job *j)
{
    int most = 0;
    for (size_t i = 0; i < j->n; i++) {
        mann_image a = ours_one(j, &j->files[i]), b = theirs_one(j, &j->files[i]);
        if (a.width != b.width || a.height != b.height) return 255;
        for (size_t k = 0; k < (size_t)a.width * a.height * 3; k++) {
            const int d = abs(a.pixels[k] - b.pixels[k]);
            if (d > most) most = d;
        }
        mann_image_clear(&a);
        free(b.pixels);
    }
    return most;
}

static void race(job *j, const char *set, const char *how, uint32_t min_side)
{
    static rounds r;
    char name[96];
    j->min_side = min_side;
    const int differs = largest_difference(j);
    rounds_run(&r, ours, theirs, j);
    snprintf(name, sizeof name, "image.jpeg_read %s=%zu %s Mpx=%.2f differs=%d", set,
             j->n, how, j->megapixels, differs);
    rounds_print(&r, "libjpeg-turbo", name, j->megapixels, "Mpx/s");
}

static bench_file make_large(const bench_photos *photos, size_t first)
{
    unsigned char *jpeg = NULL;
    unsigned long n_bytes = 0;
    mann_image im = large_of(photos, first);
    tjhandle writer = tjInitCompress();
    if (!writer || tjCompress2(writer, im.pixels, LARGE_W, 0, LARGE_H, TJPF_RGB, &jpeg,
                               &n_bytes, TJSAMP_420, QUALITY, 0) != 0)
        exit(1);
    tjDestroy(writer);
    mann_image_clear(&im);
    return (bench_file){ jpeg, n_bytes };
}

int main(void)
{
    static bench_photos photos;
    bench_file large[LARGE];
    job j = { .turbo = tjInitDecompress() };
    bench_photos_read(&photos);
    if (!photos.n) {
        fprintf(stderr, "jpeg: no photos; bench/photos.h says where they may be\n");
        return 77;
    }
    if (!j.turbo) return 1;
    j.files = photos.files;
    j.n = photos.n;
    j.megapixels = photos.megapixels;
    race(&j, "photos", "full", 0);
    race(&j, "photos", ">=48", 48);
    for (size_t i = 0; i < LARGE; i++) large[i] = make_large(&photos, 29 * i);
    j.files = large;
    j.n = LARGE;
    j.megapixels = 1e-6 * LARGE * LARGE_W * LARGE_H;
    race(&j, "large", "full", 0);
    race(&j, "large", "1/2", LARGE_H / 2);
    race(&j, "large", "1/4", LARGE_H / 4);
    race(&j, "large", ">=224 (1/8)", 224);
    for (size_t i = 0; i < LARGE; i++) tjFree(large[i].bytes);
    tjDestroy(j.turbo);
    bench_photos_free(&photos);
    return 0;
}
