/* jpeg.c - our JPEG decoder beside libjpeg-turbo (its TurboJPEG interface, default
 * settings, RGB out), in turn, over the photos of bench/photos.h. Built and run by
 * bench/peers/run.sh where turbojpeg.h is installed. SPDX-License-Identifier: MIT */
#include <turbojpeg.h>

#include "image/image.h"
#include "photos.h"
#include "rounds.h"

typedef struct job {
    bench_photos photos;
    tjhandle turbo;
} job;

static void ours(void *ctx)
{
    const job *j = ctx;
    for (size_t i = 0; i < j->photos.n; i++) {
        const mni_decode_opts opts = { .ignore_orientation = 1 };
        const bench_file *f = &j->photos.files[i];
        mann_error err;
        mann_image im;
        bench_must(mni_image_decode(&im, f->bytes, f->n_bytes, &opts, &err), &err);
        mann_image_clear(&im);
    }
}

/* Storage of its own for each photo, as ours. */
static void theirs(void *ctx)
{
    const job *j = ctx;
    for (size_t i = 0; i < j->photos.n; i++) {
        const bench_file *f = &j->photos.files[i];
        const unsigned long n_bytes = (unsigned long)f->n_bytes;
        int width, height, sampling, colours;
        if (tjDecompressHeader3(j->turbo, f->bytes, n_bytes, &width, &height, &sampling,
                                &colours) != 0)
            exit(1);
        unsigned char *pixels = malloc((size_t)width * (size_t)height * 3);
        if (!pixels || tjDecompress2(j->turbo, f->bytes, n_bytes, pixels, width, 0,
                                     height, TJPF_RGB, 0) != 0)
            exit(1);
        free(pixels);
    }
}

int main(void)
{
    static job j;
    static rounds r;
    char name[96];
    bench_photos_read(&j.photos);
    if (!j.photos.n) {
        fprintf(stderr, "jpeg: no photos; bench/photos.h says where they may be\n");
        return 77;
    }
    j.turbo = tjInitDecompress();
    if (!j.turbo) return 1;
    rounds_run(&r, ours, theirs, &j);
    snprintf(name, sizeof name, "image.jpeg_read photos=%zu Mpx=%.2f", j.photos.n,
             j.photos.megapixels);
    rounds_print(&r, "libjpeg-turbo", name, j.photos.megapixels, "Mpx/s");
    tjDestroy(j.turbo);
    bench_photos_free(&j.photos);
    return 0;
}
