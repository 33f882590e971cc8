/* png_unfilter.c - PNG stores bytes as differences from a guess; here the guess is added.
 *
 *      c b      a: the same byte of the pixel to the left, b: of the row above,
 *      a x      c: above left
 *
 *      None: 0   Sub: a   Up: b   Average: (a + b) / 2   Paeth: see below
 *
 * PNG specification (third edition) 9.2-9.4. All sums are modulo 256. Outside the picture
 * there are zeros. SPDX-License-Identifier: MIT */
#include "image/png_unfilter.h"

static int distance(int a, int b) { return a < b ? b - a : a - b; }

/* Whichever of a, b, c is nearest to a + b - c: the plane through the three. Ties: a,
 * then b. */
static inline int paeth(int a, int b, int c)
{
    const int guess = a + b - c;
    const int to_a = distance(guess, a), to_b = distance(guess, b),
              to_c = distance(guess, c);
    if (to_a <= to_b && to_a <= to_c) return a;
    return to_b <= to_c ? b : c;
}

/* `step` is a constant at each place of use below: the compiler makes one loop for each
 * pixel size and keeps the left pixel in registers. */
static inline void unfilter(int filter, uint8_t *row, const uint8_t *above, size_t n,
                            size_t step)
{
    const size_t first = n < step ? n : step;
    switch (filter) {
    case MNI_PNG_SUB:
        for (size_t i = step; i < n; i++) row[i] = (uint8_t)(row[i] + row[i - step]);
        break;
    case MNI_PNG_UP:
        for (size_t i = 0; i < n; i++) row[i] = (uint8_t)(row[i] + above[i]);
        break;
    case MNI_PNG_AVERAGE:
        for (size_t i = 0; i < first; i++) row[i] = (uint8_t)(row[i] + above[i] / 2);
        for (size_t i = step; i < n; i++)
            row[i] = (uint8_t)(row[i] + (row[i - step] + above[i]) / 2);
        break;
    case MNI_PNG_PAETH:
        for (size_t i = 0; i < first; i++) row[i] = (uint8_t)(row[i] + above[i]);
        for (size_t i = step; i < n; i++)
            row[i] = (uint8_t)(row[i] + paeth(row[i - step], above[i], above[i - step]));
        break;
    default: break;
    }
}

void mni_png_unfilter(int filter, uint8_t *row, const uint8_t *above, size_t n,
                      size_t step)
{
    switch (step) {
    case 1: unfilter(filter, row, above, n, 1); break;
    case 3: unfilter(filter, row, above, n, 3); break;
    case 4: unfilter(filter, row, above, n, 4); break;
    default: unfilter(filter, row, above, n, step); break;
    }
}
