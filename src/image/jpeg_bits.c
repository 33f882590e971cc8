/* jpeg_bits.c - the bytes of a scan without their stuffing. kern/jpeg_bits.h has the why.
 *
 *      file    12 FF 00 34 56 FF 00 78 FF D9
 *      clean   12 FF 34 56 FF 78 | 00 00 00 ...        and the marker stays where it is
 *
 * SPDX-License-Identifier: MIT */
#include <string.h>

#include "image/jpeg.h"

void mni_jpeg_bits_init(mni_jpeg_bits *b, mni_unstuff_fn unstuff, const uint8_t *from,
                        const uint8_t *end)
{
    b->unstuff = unstuff;
    b->from = from;
    b->end = end;
    b->ended = 0;
    b->clean_end = b->clean;
    b->now = (mni_bits){ 0, 0, b->clean };
    mni_jpeg_bits_fetch(b);
}

void mni_jpeg_bits_fetch(mni_jpeg_bits *b)
{
    const size_t left = (size_t)(b->clean_end - b->now.at);
    memmove(b->clean, b->now.at, left);
    b->now.at = b->clean;
    const size_t room = MNI_JPEG_CLEAN - left;
    size_t used;
    uint8_t *to = b->clean + left;
    to += b->unstuff(to, room, b->from, (size_t)(b->end - b->from), &used);
    b->from += used;
    b->ended = to < b->clean + MNI_JPEG_CLEAN;
    b->clean_end = to;
    b->safe = b->ended ? to + 8 : to - MNI_JPEG_BLOCK_BYTES - 8;
    if (b->ended) memset(to, 0, MNI_JPEG_AFTER);
}
