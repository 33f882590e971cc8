/* png_unfilter.h - undoing PNG's row filters. SPDX-License-Identifier: MIT */
#ifndef MNI_IMAGE_PNG_UNFILTER_H
#define MNI_IMAGE_PNG_UNFILTER_H

#include <stddef.h>
#include <stdint.h>

enum {
    MNI_PNG_NONE,
    MNI_PNG_SUB,
    MNI_PNG_UP,
    MNI_PNG_AVERAGE,
    MNI_PNG_PAETH,
    MNI_PNG_N_FILTERS
};

/* Turns differences back into samples, in place. row: n bytes; above: the finished row
 * over it (zeros for the first); step: bytes per whole pixel, at least 1 (1, 2, 3, 4, 6
 * or 8). filter < MNI_PNG_N_FILTERS. */
void mni_png_unfilter(int filter, uint8_t *row, const uint8_t *above, size_t n,
                      size_t step);

#endif
