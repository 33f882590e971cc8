/* decode_help.c - see decode_help.h. SPDX-License-Identifier: MIT */
#include "decode_help.h"

#include <string.h>

#include "base/mem.h"
#include "harness.h"

static void check_answer(mann_status s, const mann_image *out, const mann_error *err)
{
    if (s == MANN_OK) {
        CHECK(out->pixels && out->width && out->height);
        return;
    }
    CHECK(err->code == s && err->text[0]);
    CHECK(!out->pixels && out->width == 0);
}

mann_status help_decode(mann_image *out, const uint8_t *bytes, size_t n_bytes,
                        const mni_decode_opts *opts)
{
    mann_error err = { MANN_OK, "" };
    uint8_t *copy = test_fence(n_bytes, 0);
    if (n_bytes) memcpy(copy, bytes, n_bytes);
    const mann_status s = mni_image_decode(out, copy, n_bytes, opts, &err);
    test_fence_free(copy, n_bytes, 0);
    check_answer(s, out, &err);
    return s;
}

void help_truncate(const uint8_t *bytes, size_t n_bytes, size_t must)
{
    for (size_t n = 0; n < n_bytes; n++) {
        mann_image im;
        const mann_status s = help_decode(&im, bytes, n, NULL);
        mann_image_clear(&im);
        if (n < must && s == MANN_OK)
            test_fail(__FILE__, __LINE__, "accepted %zu of %zu bytes", n, n_bytes);
    }
}

void help_flip(const uint8_t *bytes, size_t n_bytes, size_t step)
{
    /* Small limits: a flipped size must not make the test slow. */
    const mni_decode_opts small = { .max_pixels = 1u << 16, .max_side = 4096 };
    uint8_t *copy = mni_memdup(bytes, n_bytes);
    CHECK(copy);
    for (size_t bit = 0; bit < n_bytes * 8; bit += step) {
        mann_image im;
        mann_error err = { MANN_OK, "" };
        copy[bit / 8] ^= (uint8_t)(1u << (bit & 7));
        const mann_status s = mni_image_decode(&im, copy, n_bytes, &small, &err);
        copy[bit / 8] ^= (uint8_t)(1u << (bit & 7));
        check_answer(s, &im, &err);
        mann_image_clear(&im);
    }
    mni_free(copy);
}

typedef struct file { const uint8_t *bytes; size_t n_bytes; } file;

static mann_status decode_once(void *ctx)
{
    const file *f = ctx;
    mann_image im;
    const mann_status s = mni_image_decode(&im, f->bytes, f->n_bytes, NULL, NULL);
    mann_image_clear(&im);
    return s;
}

void help_oom(const uint8_t *bytes, size_t n_bytes)
{
    file f = { bytes, n_bytes };
    test_oom(decode_once, &f, 0);
}
