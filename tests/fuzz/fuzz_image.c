/* fuzz_image.c - bytes as a picture of one format (-DFUZZ_FORMAT: what mni_image_format
 * calls it), read with and without alpha.
 *
 * Checked: a sentence with every failure and nothing left alive; the limits hold; both
 * readings agree; and time: five seconds and 20 microseconds a byte, with the checkers
 * inside, are far more than any file may cost. PNG's chunks get sound checksums first:
 * else nothing would come through. SPDX-License-Identifier: MIT */
#include <string.h>
#include <time.h>

#include "base/bytes.h"
#include "base/mem.h"
#include "fuzz.h"
#include "image/image.h"
#include "kern/kern_png.h"

enum { MAX_PIXELS = 1 << 20, MAX_BYTES = 1 << 16 };

static void mend_png(uint8_t *b, size_t n)
{
    for (size_t at = 8; n - at >= 12 && at < n;) {
        const size_t size = mni_get32be(b + at);
        if (size > n - at - 12) return;
        uint8_t *const sum = b + at + 8 + size;
        mni_put32be(sum, mni_kern_png_best()->crc32(0, b + at + 4, size + 4));
        at += 12 + size;
    }
}

static void read_one(const uint8_t *bytes, size_t n_bytes)
{
    mni_decode_opts opts = { .max_pixels = MAX_PIXELS, .max_memory = 64 << 20 };
    mann_image plain, alpha;
    mann_error e = { MANN_OK, "" };
    mann_status s = mni_image_decode(&plain, bytes, n_bytes, &opts, &e);
    FUZZ_CHECK((s == MANN_OK) == (plain.pixels != NULL));
    FUZZ_CHECK(s == MANN_OK || (e.code == s && e.text[0]));
    FUZZ_CHECK(s != MANN_OK || ((uint64_t)plain.width * plain.height <= MAX_PIXELS &&
                                plain.channels == 3));
    /* The stated bound on memory (src/image/README.md) is enough for the second. */
    if (s == MANN_OK)
        opts.max_memory = 16 * (uint64_t)plain.width * plain.height +
                          4096 * (uint64_t)n_bytes + (1 << 20);
    opts.keep_alpha = 1;
    opts.ignore_orientation = 1;
    FUZZ_CHECK(mni_image_decode(&alpha, bytes, n_bytes, &opts, NULL) == s);
    if (s == MANN_OK)
        FUZZ_CHECK((uint64_t)plain.width * plain.height ==
                   (uint64_t)alpha.width * alpha.height);
    unsigned sum = 0;           /* every byte was written: what a memory checker sees */
    for (size_t i = 0; s == MANN_OK && i < (size_t)alpha.width * alpha.height; i++)
        sum += alpha.pixels[i * alpha.channels];
    if (sum == 1) FUZZ_CHECK(alpha.pixels != NULL);
    mann_image_clear(&plain);
    mann_image_clear(&alpha);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n_bytes)
{
    const char *format = mni_image_format(bytes, n_bytes);
    if (n_bytes > MAX_BYTES || !format || strcmp(format, FUZZ_FORMAT) != 0) return 0;
    const long live = mni_mem_live();
    const clock_t start = clock();
    uint8_t *copy = mni_memdup(bytes, n_bytes);
    FUZZ_CHECK(copy);
    if (strcmp(format, "png") == 0) mend_png(copy, n_bytes);
    read_one(copy, n_bytes);
    mni_free(copy);
    FUZZ_CHECK((double)(clock() - start) / CLOCKS_PER_SEC <
               5.0 + 20e-6 * (double)n_bytes);
    FUZZ_CHECK(mni_mem_live() == live);
    return 0;
}
