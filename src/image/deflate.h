/* deflate.h - compression as PNG wants it: deflate (RFC 1951) in a zlib wrapper (RFC
 * 1950). SPDX-License-Identifier: MIT */
#ifndef MNI_IMAGE_DEFLATE_H
#define MNI_IMAGE_DEFLATE_H

#include "base/bytes.h"
#include "base/status.h"

/* Appends one whole zlib stream of the n bytes (may be 0) to `out`. Deterministic. At
 * most 2^31 bytes (MANN_E_LIMIT). After a failure the content of `out` behind its old end
 * is undefined. */
mann_status mni_deflate_zlib(mni_buf *out, const void *bytes, size_t n_bytes,
                             mann_error *err);

#endif
