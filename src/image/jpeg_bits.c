/* jpeg_bits.c - the bytes of a scan without their stuffing. kern/jpeg_bits.h has the why.
 *
 *      file    12 FF 00 34 56 FF 00 78 FF D9
 *      clean   12 FF 34 56 FF 78 | 00 00 00 ...        and the marker stays where it is
 *
 * SPDX-License-Identifier: MIT */
#include <string.h>

#include "image/jpeg.h"

void mni_jpeg_bits_init(mni_jpeg_bits *b, const uint8_t *from, const uint8_t *end)
{
    b->from = from;
    b->end = end;
    b->ended = 0;
    b->clean_end = b->clean;
    b->now = (mni_bits){ 0, 0, b->clean };
    mni_jpeg_bits_fetch(b);
}

/* At a 0xFF: the bytes that it takes in the file if it is data (0xFF may be repeated), or
 * 0 if it begins a marker or the file ends behind it. */
static size_t stuffed(const uint8_t *at, const uint8_t *end)
{
    size_t n = 1;
    while (at + n < end && at[n] == 0xFF) n++;
    return at + n < end && at[n] == 0 ? n + 1 : 0;
}

void mni_jpeg_bits_fetch(mni_jpeg_bits *b)
{
    const size_t left = (size_t)(b->clean_end - b->now.at);
    uint8_t *to = b->clean, *const full = b->clean + MNI_JPEG_CLEAN;
    memmove(to, b->now.at, left);
    b->now.at = to;
    to += left;
    while (!b->ended && to < full) {
        const size_t room = (size_t)(full - to), have = (size_t)(b->end - b->from);
        const size_t n = room < have ? room : have;
        const uint8_t *mark = n ? memchr(b->from, 0xFF, n) : NULL;
        const size_t plain = mark ? (size_t)(mark - b->from) : n;
        if (plain) memcpy(to, b->from, plain);
        to += plain;
        b->from += plain;
        if (mark) {
            const size_t used = stuffed(mark, b->end);
            if (used) *to++ = 0xFF;
            else b->ended = 1;
            b->from += used;
        } else if (n == have) {
            b->ended = 1;
        }
    }
    b->clean_end = to;
    b->safe = b->ended ? to + 8 : to - MNI_JPEG_BLOCK_BYTES - 8;
    if (b->ended) memset(to, 0, MNI_JPEG_AFTER);
}
