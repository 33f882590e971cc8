/* font.h - the built-in letters: 5 x 9 dots in a cell of 6 x 12.
 * SPDX-License-Identifier: MIT */
#ifndef MNI_IMAGE_FONT_H
#define MNI_IMAGE_FONT_H

#include <stdint.h>

/* The dots of one row (0..11) of a code point's cell: bit 0 is the leftmost of 6. Code
 * points that the font lacks give a box; combining marks and control characters as
 * well. */
uint32_t mni_font_row(uint32_t code_point, int row);

#endif
