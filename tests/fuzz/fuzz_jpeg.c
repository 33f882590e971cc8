/* fuzz_jpeg.c - bytes as a JPEG file: whole, what there is of it, and smaller.
 *
 * With the first three bytes set, so that a fuzzer need not find them. Limits are small,
 * so that it meets them. All ways must agree on what is a picture and on its size (but a
 * smaller one may be within the limits where the whole is not); what is made of a damaged
 * file must be the same each time (no memory shows through).
 * SPDX-License-Identifier: MIT */
#include <string.h>

#include "base/bytes.h"
#include "base/mem.h"
#include "fuzz.h"
#include "image/image.h"

enum { SIDE = 2048, PIXELS = 1 << 20, MEMORY = 16 << 20, SCANS = 20 };

static mann_status decode(mann_image *im, const uint8_t *bytes, size_t n, int partial,
                          uint32_t min_side)
{
    mann_error e = { MANN_OK, "" };
    int cut = 0;
    const mni_decode_opts o = { .max_pixels = PIXELS, .max_side = SIDE,
        .max_memory = MEMORY, .max_scans = SCANS, .partial = partial,
        .min_side = min_side, .cut = &cut };
    const mann_status s = mni_image_decode(im, bytes, n, &o, &e);
    FUZZ_CHECK((s == MANN_OK) == (im->pixels != NULL));
    FUZZ_CHECK(s == MANN_OK || (e.text[0] && e.code == s));
    FUZZ_CHECK(partial || !cut);
    return s;
}

static uint64_t hash(const mann_image *im)
{
    return mni_hash_bytes(im->pixels, (size_t)im->width * im->height * im->channels, 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n_bytes)
{
    static const uint8_t magic[3] = { 0xFF, 0xD8, 0xFF };
    if (n_bytes < sizeof magic || n_bytes > 1 << 16) return 0;
    uint8_t *file = mni_memdup(bytes, n_bytes);
    FUZZ_CHECK(file);
    memcpy(file, magic, sizeof magic);
    mann_image whole, some, again, small;
    const mann_status s = decode(&whole, file, n_bytes, 0, 0);
    const mann_status s2 = decode(&some, file, n_bytes, 1, 0);
    const mann_status s3 = decode(&again, file, n_bytes, 1, 0);
    const mann_status s4 =
        decode(&small, file, n_bytes, 1, 1 + file[n_bytes - 1] % 64);
    FUZZ_CHECK(s != MANN_OK || s2 == MANN_OK);
    FUZZ_CHECK(s2 == s3);
    FUZZ_CHECK(s2 == s4 || s2 == MANN_E_LIMIT);         /* the smaller one may pass */
    if (s2 == MANN_OK) {
        FUZZ_CHECK(hash(&some) == hash(&again));
        FUZZ_CHECK(s != MANN_OK || hash(&some) == hash(&whole));
        FUZZ_CHECK(small.width <= some.width && small.height <= some.height);
    }
    mann_image_clear(&whole);
    mann_image_clear(&some);
    mann_image_clear(&again);
    mann_image_clear(&small);
    mni_free(file);
    return 0;
}
