/* large.h - pictures of 12 megapixels, as telephones make them: photos side by side, cut
 * at the edges. SPDX-License-Identifier: MIT */
#ifndef BENCH_PEERS_LARGE_H
#define BENCH_PEERS_LARGE_H

#include <string.h>

#include "image/image.h"
#include "photos.h"

enum { LARGE_W = 4000, LARGE_H = 3000, LARGE_ROW = 400 };

/* Photos from `first` on. Free with mann_image_clear. */
static inline mann_image large_of(const bench_photos *photos, size_t first)
{
    const mni_decode_opts opts = { .ignore_orientation = 1 };
    mann_error err;
    mann_image all;
    size_t at = first;
    bench_must(mni_image_new(&all, LARGE_W, LARGE_H, 3, &err), &err);
    memset(all.pixels, 0, (size_t)LARGE_W * LARGE_H * 3);
    for (uint32_t y = 0, row = 0; y < LARGE_H; y += row)
        for (uint32_t x = 0, w = 0; x < LARGE_W; x += w) {
            const bench_file *f = &photos->files[at++ % photos->n];
            mann_image im;
            bench_must(mni_image_decode(&im, f->bytes, f->n_bytes, &opts, &err), &err);
            w = x + im.width < LARGE_W ? im.width : LARGE_W - x;
            if (x == 0) row = im.height < LARGE_ROW ? im.height : LARGE_ROW;
            for (uint32_t k = 0; k < row && k < im.height && y + k < LARGE_H; k++)
                memcpy(all.pixels + 3 * ((size_t)(y + k) * LARGE_W + x),
                       im.pixels + 3 * (size_t)k * im.width, 3 * (size_t)w);
            mann_image_clear(&im);
        }
    return all;
}

#endif
