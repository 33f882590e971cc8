/* jpeg_write.h - baseline JPEG files, for thumbnails and contact sheets of photos.
 * SPDX-License-Identifier: MIT */
#ifndef MNI_IMAGE_JPEG_WRITE_H
#define MNI_IMAGE_JPEG_WRITE_H

#include "base/bytes.h"
#include "base/status.h"

/* Appends a whole JPEG file of `im` (1, 3 or 4 channels, 8 bit; alpha over white) to
 * `out`. quality 1..100, as libjpeg's; below 90 colour is kept at half the size.
 * Deterministic. MANN_E_ARG for a size above 65,535 a side, MANN_E_NOMEM. */
mann_status mni_jpeg_encode(mni_buf *out, const mann_image *im, int quality,
                            mann_error *err);

#endif
