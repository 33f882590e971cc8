/* photos.c - see photos.h. SPDX-License-Identifier: MIT */
#include "photos.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "bench.h"
#include "image/image.h"
#include "image/png_write.h"
#include "os/vfs.h"

enum { PATH_BYTES = 2048, FILE_BYTES_MAX = 64 << 20 };

void bench_must(mann_status s, const mann_error *err)
{
    if (s == MANN_OK) return;
    fprintf(stderr, "bench: %s\n", err->text);
    exit(1);
}

mann_image bench_draw(uint64_t klass, uint64_t view, uint32_t size)
{
    mann_image im;
    mann_error err;
    mann_synth_config c;
    mann_synth_config_fill(&c, sizeof c);
    c.size = size;
    c.strength = 0.5f;                  /* hard enough for errors, not for guessing */
    c.seed = BENCH_SEED;
    bench_must(mann_synth_draw(&im, &c, klass, view, &err), &err);
    return im;
}

static void take_file(bench_photos *out, const char *path)
{
    bench_file f;
    mann_image im;
    if (mni_read_file(mni_vfs_posix(), path, FILE_BYTES_MAX, &f.bytes, &f.n_bytes,
                      NULL) != MANN_OK)
        return;
    const char *format = mni_image_format(f.bytes, f.n_bytes);
    if (format && strcmp(format, "jpeg") == 0 &&
        mann_image_decode(&im, f.bytes, f.n_bytes, NULL) == MANN_OK) {
        out->megapixels += 1e-6 * (double)im.width * (double)im.height;
        out->files[out->n++] = f;
        mann_image_clear(&im);
    } else {
        mni_free(f.bytes);
    }
}

static void take_folder(bench_photos *out, const char *folder)
{
    mann_dataset *set;
    if (mann_dataset_open(&set, folder, NULL, NULL) != MANN_OK) return;
    const uint64_t n = mann_dataset_n_images(set);
    for (uint64_t i = 0; i < n && out->n < BENCH_PHOTOS_MAX; i++) {
        char path[PATH_BYTES];
        const int used = snprintf(path, sizeof path, "%s/%s", folder,
                                  mann_dataset_path(set, i, NULL));
        if (used > 0 && used < PATH_BYTES) take_file(out, path);
    }
    mann_dataset_free(set);
}

void bench_photos_read(bench_photos *out)
{
    const char *data = getenv("METRICANN_DATA"), *cache = getenv("METRICANN_CACHE");
    const char *tmp = getenv("TMPDIR");
    char root[PATH_BYTES / 2], folder[PATH_BYTES];
    if (!data || !*data) data = "../shared/data";
    if (cache && *cache) snprintf(root, sizeof root, "%s", cache);
    else snprintf(root, sizeof root, "%s/metricann-data", tmp && *tmp ? tmp : "/tmp");
    *out = (bench_photos){ .n = 0 };
    snprintf(folder, sizeof folder, "%s/decode/photos", data);
    take_folder(out, folder);
    if (out->n) return;
    snprintf(folder, sizeof folder, "%s/photos", root);
    take_folder(out, folder);
    if (out->n) return;
    snprintf(folder, sizeof folder, "%s/decode/photos/photos", root);
    take_folder(out, folder);
}

void bench_photos_draw(bench_photos *out, size_t n, uint64_t view, uint32_t size)
{
    *out = (bench_photos){ .n = n < BENCH_PHOTOS_MAX ? n : BENCH_PHOTOS_MAX };
    for (size_t i = 0; i < out->n; i++) {
        mann_error err;
        mni_buf b = { 0 };
        mann_image im = bench_draw(i, view, size);
        bench_must(mni_png_encode(&b, &im, &err), &err);
        out->files[i] = (bench_file){ b.bytes, b.n_bytes };
        out->megapixels += 1e-6 * (double)im.width * (double)im.height;
        mann_image_clear(&im);
    }
}

void bench_photos_free(bench_photos *p)
{
    for (size_t i = 0; i < p->n; i++) mni_free(p->files[i].bytes);
    *p = (bench_photos){ .n = 0 };
}
