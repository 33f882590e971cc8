/* input.c - from a photo's file to the input of a network, 224 x 224, beside Pillow's, in
 * turn:
 *
 *     ours       decoded (no larger than is needed), resized, floats of three planes
 *     theirs     Image.open, RGB, resize BILINEAR: bytes; "draft" lets libjpeg, too,
 *                decode no larger than is needed
 *
 *     input PYTHON SCRIPT         the script is input_pillow.py
 *
 * The photos of bench/photos.h, and pictures of 12 megapixels made of them (quality 85,
 * colour at half the size). SPDX-License-Identifier: MIT */
#define _POSIX_C_SOURCE 200809L
#include "image/jpeg_write.h"
#include "image/prep.h"
#include "large.h"
#include "pipe.h"

enum { SIDE = 224, LARGE = 3, QUALITY = 85 };

static float input[3 * SIDE * SIDE];

typedef struct job { const bench_file *files; size_t n; } job;

static void ours(void *ctx)
{
    const job *j = ctx;
    mni_recipe recipe;
    mni_decode_opts opts;
    mann_error err;
    mni_recipe_fill(&recipe, SIDE);
    mni_recipe_decode_opts(&recipe, &opts);
    for (size_t i = 0; i < j->n; i++) {
        mann_image im;
        const bench_file *f = &j->files[i];
        bench_must(mni_image_decode(&im, f->bytes, f->n_bytes, &opts, &err), &err);
        bench_must(mni_prep_run(&recipe, &im, input, &err), &err);
        mann_image_clear(&im);
    }
}

/* Returns 0 if the rival has gone. */
static int race(const bench_file *files, size_t n, char **argv, const char *what,
                const char *line)
{
    static rounds r;
    rival them;
    if (!rival_start(&them, argv[1], argv[2], NULL)) return 0;
    fprintf(them.to, "%zu\n", n);
    for (size_t i = 0; i < n; i++) {
        fprintf(them.to, "%zu\n", files[i].n_bytes);
        fwrite(files[i].bytes, 1, files[i].n_bytes, them.to);
    }
    job j = { files, n };
    ours(&j);
    const int there =
        rival_timed(&them, line) >= 0 && rival_rounds(&r, &them, line, ours, &j);
    rival_end(&them);
    if (there) rounds_print(&r, "pillow", what, (double)n, "image/s");
    return there;
}

int main(int argc, char **argv)
{
    static bench_photos photos;
    bench_file large[LARGE];
    if (argc != 3) return 2;
    bench_photos_read(&photos);
    if (!photos.n) {
        fprintf(stderr, "input: no photos; bench/photos.h says where they may be\n");
        return 77;
    }
    int there = race(photos.files, photos.n, argv, "image.input photos", "plain\n") &&
                race(photos.files, photos.n, argv, "image.input photos draft", "draft\n");
    mni_buf files[LARGE] = { { 0 } };
    for (size_t i = 0; i < LARGE; i++) {
        mann_error err;
        mann_image im = large_of(&photos, 29 * i);
        bench_must(mni_jpeg_encode(&files[i], &im, QUALITY, &err), &err);
        mann_image_clear(&im);
        large[i] = (bench_file){ files[i].bytes, files[i].n_bytes };
    }
    there = there && race(large, LARGE, argv, "image.input 12 Mpx", "plain\n") &&
            race(large, LARGE, argv, "image.input 12 Mpx draft", "draft\n");
    for (size_t i = 0; i < LARGE; i++) mni_buf_fini(&files[i]);
    bench_photos_free(&photos);
    return there ? 0 : 77;
}
