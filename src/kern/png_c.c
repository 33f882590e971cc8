/* png_c.c - the loops of PNG in plain C: to be read, and the judge of the others.
 * SPDX-License-Identifier: MIT */
#include "kern/kern_png.h"

#include <string.h>

#include "kern/level.h"
#include "os/thread.h"

/* --- CRC-32 ------------------------------------------------------------------------- */

/* Table k gives the effect of a byte that has k more bytes behind it: eight bytes cost
 * eight looks that do not wait for each other ("slicing by eight": Kounavis and Berry,
 * 2005). As kern/crc32c.c, with PNG's polynomial. */
static mni_once once = MNI_ONCE_INIT;
static uint32_t table[8][256];

static void make_table(void)
{
    for (uint32_t i = 0; i < 256; i++) {
        uint32_t c = i;
        for (int bit = 0; bit < 8; bit++) c = c & 1 ? 0xEDB88320u ^ c >> 1 : c >> 1;
        table[0][i] = c;
    }
    for (int k = 1; k < 8; k++)
        for (uint32_t i = 0; i < 256; i++)
            table[k][i] = table[0][table[k - 1][i] & 0xFF] ^ table[k - 1][i] >> 8;
}

uint32_t mni_png_crc32_c(uint32_t crc, const uint8_t *p, size_t n)
{
    mni_once_run(&once, make_table);
    uint32_t c = ~crc;
    for (; n >= 8; n -= 8, p += 8) {
        const uint32_t low = c ^ ((uint32_t)p[0] | (uint32_t)p[1] << 8 |
                                  (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24);
        c = table[7][low & 0xFF] ^ table[6][low >> 8 & 0xFF] ^
            table[5][low >> 16 & 0xFF] ^ table[4][low >> 24] ^ table[3][p[4]] ^
            table[2][p[5]] ^ table[1][p[6]] ^ table[0][p[7]];
    }
    while (n--) c = table[0][(c ^ *p++) & 0xFF] ^ c >> 8;
    return ~c;
}

/* --- Adler-32 ----------------------------------------------------------------------- */

uint32_t mni_png_adler32_c(uint32_t sum, const uint8_t *bytes, size_t n)
{
    /* Two sums modulo 65521. Sixteen bytes at a time with their weights: no chain from
     * byte to byte, so the compiler may use the vector unit. 5,552 bytes cannot overflow
     * 32 bits (RFC 1950 9). */
    enum { MOD = 65521, RUN = 5552, STEP = 16 };
    uint32_t a = sum & 0xFFFF, b = sum >> 16;
    while (n) {
        size_t run = n < RUN ? n : RUN;
        n -= run;
        for (; run >= STEP; run -= STEP, bytes += STEP) {
            uint32_t plain = 0, weighted = 0;
            for (unsigned i = 0; i < STEP; i++) {
                plain += bytes[i];
                weighted += (STEP - i) * bytes[i];
            }
            b += STEP * a + weighted;
            a += plain;
        }
        while (run--) {
            a += *bytes++;
            b += a;
        }
        a %= MOD;
        b %= MOD;
    }
    return b << 16 | a;
}

/* --- filters ------------------------------------------------------------------------ */

/* PNG stores bytes as differences from a guess; here the guess is added.
 *
 *      c b      a: the same byte of the pixel to the left, b: of the row above,
 *      a x      c: above left
 *
 *      None: 0   Sub: a   Up: b   Average: (a + b) / 2   Paeth: see below
 *
 * PNG specification (third edition) 9.2-9.4. All sums are modulo 256. Outside the picture
 * there are zeros. */
static int distance(int a, int b) { return a < b ? b - a : a - b; }

/* Whichever of a, b, c is nearest to a + b - c: the plane through the three. Ties: a,
 * then b. */
static MNI_INLINE int paeth(int a, int b, int c)
{
    const int guess = a + b - c;
    const int to_a = distance(guess, a), to_b = distance(guess, b),
              to_c = distance(guess, c);
    if (to_a <= to_b && to_a <= to_c) return a;
    return to_b <= to_c ? b : c;
}

/* `step` is a constant at each place of use below: the compiler makes one loop for each
 * pixel size and keeps the left pixel in registers. */
static MNI_INLINE void unfilter(int filter, uint8_t *to, const uint8_t *from,
                                const uint8_t *above, size_t n, const size_t step)
{
    const size_t first = n < step ? n : step;
    switch (filter) {
    case MNI_PNG_SUB:
        for (size_t i = 0; i < first; i++) to[i] = from[i];
        for (size_t i = step; i < n; i++) to[i] = (uint8_t)(from[i] + to[i - step]);
        break;
    case MNI_PNG_UP:
        for (size_t i = 0; i < n; i++) to[i] = (uint8_t)(from[i] + above[i]);
        break;
    case MNI_PNG_AVERAGE:
        for (size_t i = 0; i < first; i++) to[i] = (uint8_t)(from[i] + above[i] / 2);
        for (size_t i = step; i < n; i++)
            to[i] = (uint8_t)(from[i] + (to[i - step] + above[i]) / 2);
        break;
    case MNI_PNG_PAETH:
        for (size_t i = 0; i < first; i++) to[i] = (uint8_t)(from[i] + above[i]);
        for (size_t i = step; i < n; i++)
            to[i] = (uint8_t)(from[i] + paeth(to[i - step], above[i], above[i - step]));
        break;
    default:
        if (n && to != from) memcpy(to, from, n);
        break;
    }
}

void mni_png_unfilter_c(int filter, uint8_t *to, const uint8_t *from,
                        const uint8_t *above, size_t n, size_t step)
{
    switch (step) {
    case 1: unfilter(filter, to, from, above, n, 1); break;
    case 3: unfilter(filter, to, from, above, n, 3); break;
    case 4: unfilter(filter, to, from, above, n, 4); break;
    default: unfilter(filter, to, from, above, n, step); break;
    }
}

static void unfilter_two(const int filter[2], uint8_t *const to[2],
                         const uint8_t *const from[2], const uint8_t *above, size_t n,
                         size_t step)
{
    mni_png_unfilter_c(filter[0], to[0], from[0], above, n, step);
    mni_png_unfilter_c(filter[1], to[1], from[1], to[0], n, step);
}

/* --- the shared bodies -------------------------------------------------------------- */

#define LEVEL
#define NAME(x) x##_c
#include "kern/symbols_body.h"
#include "kern/png_filter_body.h"
#undef LEVEL
#undef NAME

void mni_png_kern_c(mni_kern_png *k)
{
    *k = (mni_kern_png){ "scalar", mni_png_adler32_c, mni_png_crc32_c,
                         mni_png_unfilter_c, unfilter_two, filter_c, symbols_c };
}
