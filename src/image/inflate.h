/* inflate.h - the decompressor behind PNG: zlib streams (RFC 1950) of deflate blocks
 * (RFC 1951). SPDX-License-Identifier: MIT */
#ifndef MNI_IMAGE_INFLATE_H
#define MNI_IMAGE_INFLATE_H

#include "base/status.h"

/* No deflate stream gives more than this many bytes per byte: two bits can copy 258. */
enum { MNI_INFLATE_MAX_RATIO = 1032 };

/* Fills out[0..n_out) from the zlib stream in[0..n_in). The caller knows the size of what
 * it wants, so all is done in one call and the output is its own 32 KiB window. A stream
 * that ends early is MANN_E_FORMAT; one that goes on after n_out bytes is cut there and
 * not refused (some writers pad the last row); the Adler-32 checksum is compared where
 * the stream ends as it should. Time and memory are bounded by n_in + n_out. Errors:
 * MANN_E_FORMAT, MANN_E_NOMEM. */
mann_status mni_zlib_inflate(uint8_t *out, size_t n_out, const uint8_t *in, size_t n_in,
                             mann_error *err);

uint32_t mni_adler32(const uint8_t *bytes, size_t n_bytes);

#endif
