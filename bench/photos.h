/* photos.h - photo files as bench input: real ones where they are, drawn ones where not.
 * SPDX-License-Identifier: MIT */
#ifndef BENCH_PHOTOS_H
#define BENCH_PHOTOS_H

#include "metricann.h"

enum { BENCH_PHOTOS_MAX = 128 };

typedef struct bench_file { uint8_t *bytes; size_t n_bytes; } bench_file;
typedef struct bench_photos {
    bench_file files[BENCH_PHOTOS_MAX];
    size_t n;
    double megapixels;                  /* of all together, decoded */
} bench_photos;

/* JPEG files of the first folder that is there, of
 *
 *     $METRICANN_DATA/decode/photos       (METRICANN_DATA: default ../shared/data)
 *     $METRICANN_CACHE/photos
 *     $METRICANN_CACHE/decode/photos/photos
 *                              (METRICANN_CACHE: default ${TMPDIR:-/tmp}/metricann-data,
 *                              where tests/unpack_data.sh unpacks)
 *
 * in the order of their names, at most BENCH_PHOTOS_MAX, without those that cannot be
 * decoded. n is 0 if there are none. Free with bench_photos_free. */
void bench_photos_read(bench_photos *out);
/* PNG files of n drawn pictures: the view of classes 0..n-1. */
void bench_photos_draw(bench_photos *out, size_t n, uint64_t view, uint32_t size);
void bench_photos_free(bench_photos *p);

/* View of a class, `size` a side, or exits: what all benches draw. */
mann_image bench_draw(uint64_t klass, uint64_t view, uint32_t size);
/* What must not fail in a bench: says the sentence and exits. */
void bench_must(mann_status s, const mann_error *err);

#endif
