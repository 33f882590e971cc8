/* inflate.h - the decompressor behind PNG: zlib streams (RFC 1950) of deflate blocks
 * (RFC 1951). SPDX-License-Identifier: MIT */
#ifndef MNI_IMAGE_INFLATE_H
#define MNI_IMAGE_INFLATE_H

#include "base/status.h"

enum {
    /* No deflate stream gives more than this many bytes per byte: two bits copy 258. */
    MNI_INFLATE_MAX_RATIO = 1032,
    MNI_INFLATE_WINDOW = 32768,     /* a copy reaches back no farther */
    MNI_INFLATE_SLACK = 320         /* bytes behind the wanted end that may be written */
};

/* In pieces: the caller owns the output and keeps at least the last 32 KiB of it in front
 * of where the next piece goes. */
typedef struct mni_inflater mni_inflater;

/* in[0..n_in) is borrowed until the end. Checks the two bytes of the zlib header.
 * MANN_E_FORMAT, MANN_E_NOMEM. Released by mni_inflate_free, which accepts NULL. */
mann_status mni_inflate_new(mni_inflater **out, const uint8_t *in, size_t n_in,
                            mann_error *err);
void mni_inflate_free(mni_inflater *z);

/* Writes from `at` until at least `end`, or until the stream ends; gives where it came to
 * in *now: at most MNI_INFLATE_SLACK bytes behind `end`. Copies may reach back to
 * `start`. MANN_E_FORMAT with a sentence that says what is wrong and where. */
mann_status mni_inflate_more(mni_inflater *z, uint8_t **now, const uint8_t *start,
                             uint8_t *at, uint8_t *end, mann_error *err);
/* Has the stream come to its end? Then the checksum behind it is compared with `adler`
 * (of all that was written): MANN_E_FORMAT. Before the end: MANN_OK, nothing is done. */
mann_status mni_inflate_check(mni_inflater *z, uint32_t adler, mann_error *err);

/* All in one call: fills out[0..n_out). A stream that ends early is MANN_E_FORMAT; one
 * that goes on after n_out bytes is cut there and not refused (some writers pad the last
 * row); the Adler-32 checksum is compared where the stream ends as it should. Time and
 * memory are bounded by n_in + n_out. Errors: MANN_E_FORMAT, MANN_E_NOMEM. */
mann_status mni_zlib_inflate(uint8_t *out, size_t n_out, const uint8_t *in, size_t n_in,
                             mann_error *err);

uint32_t mni_adler32(const uint8_t *bytes, size_t n_bytes);

#endif
