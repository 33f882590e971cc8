/* png.c - our PNG reader beside libpng, in turn, over the photos of bench/photos.h, which
 * libpng wrote as PNG (its defaults: level 6, filters chosen by the sum of magnitudes),
 * or over PNG files named on the command line. Both give rows of RGB (RGBA where the file
 * has alpha), both check CRC and Adler-32. The second pair of lines is the writers.
 * SPDX-License-Identifier: MIT */
#include <png.h>
#include <string.h>

#include "base/mem.h"
#include "image/image.h"
#include "image/png_write.h"
#include "os/vfs.h"
#include "photos.h"
#include "rounds.h"

enum { MOST = 300, WRITTEN = 16 };

typedef struct job {
    bench_file files[MOST];
    size_t n, n_images;
    double megapixels, written;
    mann_image images[WRITTEN];
    size_t our_bytes, their_bytes;
} job;

/* --- libpng over memory ------------------------------------------------------------- */

typedef struct reader { const uint8_t *at, *end; } reader;

static void take(png_structp p, png_bytep to, size_t n)
{
    reader *r = png_get_io_ptr(p);
    if ((size_t)(r->end - r->at) < n) png_error(p, "end of file");
    memcpy(to, r->at, n);
    r->at += n;
}

static void give(png_structp p, png_bytep from, size_t n)
{
    mni_buf_add(png_get_io_ptr(p), from, n);
}
static void done(png_structp p) { (void)p; }

static unsigned char *libpng_read(const bench_file *f)
{
    reader r = { f->bytes, f->bytes + f->n_bytes };
    png_structp p = png_create_read_struct(PNG_LIBPNG_VER_STRING, NULL, NULL, NULL);
    png_infop info = png_create_info_struct(p);
    if (setjmp(png_jmpbuf(p))) exit(1);
    png_set_read_fn(p, &r, take);
    png_read_info(p, info);
    png_set_expand(p);
    png_set_scale_16(p);
    png_set_gray_to_rgb(p);
    const int n_passes = png_set_interlace_handling(p);
    png_read_update_info(p, info);
    const size_t stride = png_get_rowbytes(p, info), h = png_get_image_height(p, info);
    unsigned char *pixels = malloc(stride * h);
    if (!pixels) exit(1);
    for (int k = 0; k < n_passes; k++)
        for (size_t y = 0; y < h; y++) png_read_row(p, pixels + y * stride, NULL);
    png_read_end(p, NULL);
    png_destroy_read_struct(&p, &info, NULL);
    return pixels;
}

static void libpng_write(mni_buf *b, const mann_image *im)
{
    png_structp p = png_create_write_struct(PNG_LIBPNG_VER_STRING, NULL, NULL, NULL);
    png_infop info = png_create_info_struct(p);
    if (setjmp(png_jmpbuf(p))) exit(1);
    png_set_write_fn(p, b, give, done);
    png_set_IHDR(p, info, im->width, im->height, 8, PNG_COLOR_TYPE_RGB,
                 PNG_INTERLACE_NONE, PNG_COMPRESSION_TYPE_DEFAULT,
                 PNG_FILTER_TYPE_DEFAULT);
    png_write_info(p, info);
    for (size_t y = 0; y < im->height; y++)
        png_write_row(p, im->pixels + y * im->width * 3);
    png_write_end(p, info);
    png_destroy_write_struct(&p, &info);
}

/* --- the four rivals ---------------------------------------------------------------- */

static void our_read(void *ctx)
{
    const job *j = ctx;
    const mni_decode_opts opts = { .keep_alpha = 1, .ignore_orientation = 1 };
    for (size_t i = 0; i < j->n; i++) {
        mann_error err;
        mann_image im;
        bench_must(mni_image_decode(&im, j->files[i].bytes, j->files[i].n_bytes, &opts,
                                    &err), &err);
        mann_image_clear(&im);
    }
}

static void their_read(void *ctx)
{
    const job *j = ctx;
    for (size_t i = 0; i < j->n; i++) free(libpng_read(&j->files[i]));
}

static void our_write(void *ctx)
{
    job *j = ctx;
    j->our_bytes = 0;
    for (size_t i = 0; i < j->n_images; i++) {
        mann_error err;
        mni_buf b = { 0 };
        bench_must(mni_png_encode(&b, &j->images[i], &err), &err);
        j->our_bytes += b.n_bytes;
        mni_buf_fini(&b);
    }
}

static void their_write(void *ctx)
{
    job *j = ctx;
    j->their_bytes = 0;
    for (size_t i = 0; i < j->n_images; i++) {
        mni_buf b = { 0 };
        libpng_write(&b, &j->images[i]);
        j->their_bytes += b.n_bytes;
        mni_buf_fini(&b);
    }
}

/* --- what to read ------------------------------------------------------------------- */

static void add_file(job *j, bench_file f, const mann_image *im)
{
    j->files[j->n++] = f;
    j->megapixels += 1e-6 * (double)im->width * (double)im->height;
}

static void take_photos(job *j)
{
    static bench_photos photos;
    bench_photos_read(&photos);
    for (size_t i = 0; i < photos.n && j->n < MOST; i += 5) {
        mann_image im;
        mni_buf b = { 0 };
        mann_error err;
        const bench_file *f = &photos.files[i];
        bench_must(mni_image_decode(&im, f->bytes, f->n_bytes, NULL, &err), &err);
        libpng_write(&b, &im);
        add_file(j, (bench_file){ b.bytes, b.n_bytes }, &im);
        if (j->n_images < WRITTEN) {
            j->written += 1e-6 * (double)im.width * (double)im.height;
            j->images[j->n_images++] = im;
        } else {
            mann_image_clear(&im);
        }
    }
    bench_photos_free(&photos);
}

static void take_named(job *j, int argc, char **argv)
{
    for (int i = 1; i < argc && j->n < MOST; i++) {
        bench_file f;
        mann_image im;
        mann_error err;
        bench_must(mni_read_file(mni_vfs_posix(), argv[i], 256 << 20, &f.bytes,
                                 &f.n_bytes, &err), &err);
        if (mni_image_decode(&im, f.bytes, f.n_bytes, NULL, &err) != MANN_OK) {
            mni_free(f.bytes);
            continue;
        }
        add_file(j, f, &im);
        mann_image_clear(&im);
    }
}

int main(int argc, char **argv)
{
    static job j;
    static rounds r;
    char name[96];
    if (argc > 1) take_named(&j, argc, argv);
    else take_photos(&j);
    if (!j.n) {
        fprintf(stderr, "png: no photos; bench/photos.h says where they may be\n");
        return 77;
    }
    rounds_run(&r, our_read, their_read, &j);
    snprintf(name, sizeof name, "image.png_read files=%zu Mpx=%.2f", j.n, j.megapixels);
    rounds_print(&r, "libpng", name, j.megapixels, "Mpx/s");
    if (j.n_images) {
        rounds_run(&r, our_write, their_write, &j);
        snprintf(name, sizeof name, "image.png_write photos=%zu Mpx=%.2f size=%.3f",
                 j.n_images, j.written, (double)j.our_bytes / (double)j.their_bytes);
        rounds_print(&r, "libpng", name, j.written, "Mpx/s");
    }
    for (size_t i = 0; i < j.n; i++) mni_free(j.files[i].bytes);
    for (size_t i = 0; i < j.n_images; i++) mann_image_clear(&j.images[i]);
    return 0;
}
