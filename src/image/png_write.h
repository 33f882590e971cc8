/* png_write.h - PNG files (ISO/IEC 15948) with our own deflate.
 * SPDX-License-Identifier: MIT */
#ifndef MNI_IMAGE_PNG_WRITE_H
#define MNI_IMAGE_PNG_WRITE_H

#include "base/bytes.h"
#include "base/status.h"

/* Appends a whole PNG file of `im` (1, 3 or 4 channels, 8 bit) to `out`.
 * Deterministic. */
mann_status mni_png_encode(mni_buf *out, const mann_image *im, mann_error *err);

#endif
