/* bench_image.c - photos in, pictures out: decoding, PNG writing, shrinking, drawing, on
 * one thread. The pictures are photos where there are some (photos.h), else drawn ones,
 * which PNG packs better; the name of the line says which. libjpeg-turbo and Pillow are
 * in bench/peers. SPDX-License-Identifier: MIT */
#include "bench.h"

#include <stdio.h>

#include "base/mem.h"
#include "image/image.h"
#include "image/png_write.h"
#include "image/resize.h"
#include "photos.h"

enum { PICTURES = 16, DRAWN_SIDE = 448, RESIZES = 16, DRAWINGS = 32 };

typedef struct pictures {
    bench_photos files;                 /* as they came: JPEG, or PNG when drawn */
    bench_photos png;                   /* the first PICTURES of them as PNG */
    mann_image images[PICTURES];
    size_t n;
    const char *kind;                   /* "photos" or "drawn" */
} pictures;

static void decode(void *ctx)
{
    const bench_photos *p = ctx;
    for (size_t i = 0; i < p->n; i++) {
        const bench_file *f = &p->files[i];
        mann_error err;
        mann_image im;
        bench_must(mni_image_decode(&im, f->bytes, f->n_bytes, NULL, &err), &err);
        bench_use(im.pixels);
        mann_image_clear(&im);
    }
}

static void encode(void *ctx)
{
    const pictures *p = ctx;
    for (size_t i = 0; i < p->n; i++) {
        mann_error err;
        mni_buf b = { 0 };
        bench_must(mni_png_encode(&b, &p->images[i], &err), &err);
        bench_use(b.bytes);
        mni_buf_fini(&b);
    }
}

static void shrink(void *ctx)
{
    const mann_image *in = ctx;
    for (int i = 0; i < RESIZES; i++) {
        mann_error err;
        mann_image small;
        bench_must(mni_image_resize(&small, in, 224, 224, &err), &err);
        bench_use(small.pixels);
        mann_image_clear(&small);
    }
}

static void draw(void *ctx)
{
    const uint32_t *size = ctx;
    for (uint64_t i = 0; i < DRAWINGS; i++) {
        mann_image im = bench_draw(i, 1, *size);
        bench_use(im.pixels);
        mann_image_clear(&im);
    }
}

/* Reads or draws the input; the PNG files are made here by our own writer. */
static void pictures_init(pictures *p)
{
    *p = (pictures){ .kind = "photos" };
    bench_photos_read(&p->files);
    if (!p->files.n) {
        p->kind = "drawn";
        bench_photos_draw(&p->files, PICTURES, 0, DRAWN_SIDE);
    }
    p->n = p->files.n < PICTURES ? p->files.n : PICTURES;
    p->png.n = p->n;
    for (size_t i = 0; i < p->n; i++) {
        mann_error err;
        mni_buf b = { 0 };
        const bench_file *f = &p->files.files[i];
        mann_image *im = &p->images[i];
        bench_must(mni_image_decode(im, f->bytes, f->n_bytes, NULL, &err), &err);
        bench_must(mni_png_encode(&b, im, &err), &err);
        p->png.files[i] = (bench_file){ b.bytes, b.n_bytes };
        p->png.megapixels += 1e-6 * (double)im->width * (double)im->height;
    }
}

static void pictures_fini(pictures *p)
{
    for (size_t i = 0; i < p->n; i++) mann_image_clear(&p->images[i]);
    bench_photos_free(&p->png);
    bench_photos_free(&p->files);
}

/* Megapixels a second of n pictures, with ms a picture to be had from seconds / n. */
static void line(const char *what, const char *kind, size_t n, double megapixels,
                 bench_time t)
{
    char name[96];
    snprintf(name, sizeof name, "%s %s=%zu Mpx=%.2f", what, kind, n, megapixels);
    BENCH_LINE(name, "scalar", 1, t, megapixels / t.median, "Mpx/s", BENCH_NO_SHARE);
}

void bench_image_decode(void)
{
    pictures *p = bench_memory(sizeof *p);
    pictures_init(p);
    if (p->kind[0] == 'p')
        line("image.jpeg_read", p->kind, p->files.n, p->files.megapixels,
             bench_run(decode, &p->files, 1.0));
    line("image.png_read", p->kind, p->n, p->png.megapixels,
         bench_run(decode, &p->png, 1.0));
    line("image.png_write", p->kind, p->n, p->png.megapixels, bench_run(encode, p, 1.0));
    pictures_fini(p);
    mni_free(p);
}

void bench_image_resize(void)
{
    mann_error err;
    mann_image square = bench_draw(1, 1, 500), in;
    bench_must(mni_image_resize(&in, &square, 500, 375, &err), &err);
    const bench_time t = bench_run(shrink, &in, 0.5);
    BENCH_LINE("image.resize 500x375->224x224", "scalar", 1, t, RESIZES / t.median,
               "image/s", BENCH_NO_SHARE);
    mann_image_clear(&in);
    mann_image_clear(&square);
}

void bench_image_synth(void)
{
    static uint32_t sizes[] = { 64, 96, 224 };
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        char name[64];
        const bench_time t = bench_run(draw, &sizes[i], 0.3);
        snprintf(name, sizeof name, "image.synth size=%u", (unsigned)sizes[i]);
        BENCH_LINE(name, "scalar", 1, t, DRAWINGS / t.median, "image/s", BENCH_NO_SHARE);
    }
}
