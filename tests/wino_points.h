/* wino_points.h - the matrices of kern_wino.h, written down a second time, in double, for
 * the bounds that the tests compute. SPDX-License-Identifier: MIT */
#ifndef TESTS_WINO_POINTS_H
#define TESTS_WINO_POINTS_H

#include <math.h>

#define A 0.70710678118654752440
#define B 1.41421356237309504880
static const double bt_2[36] = { 1, 0, -1, 0, 0, 1, 1, 0, 0, -1, 1, 0, 0, -1, 0, 1 };
static const double g_2[18] = { 1, 0, 0, .5, .5, .5, .5, -.5, .5, 0, 0, 1 };
static const double at_2[24] = { 1, 1, 1, 0, 0, 1, -1, 1 };
static const double bt_4[36] = { 1, 0, -2.5, 0, 1, 0,           0, -2 * A, -2, A, 1, 0,
                                 0, 2 * A, -2, -A, 1, 0,        0, -.5 * B, -.5, B, 1, 0,
                                 0, .5 * B, -.5, -B, 1, 0,      0, 1, 0, -2.5, 0, 1 };
static const double g_4[18] = { 1, 0, 0, -2. / 3, -2. / 3 * A, -1. / 3,
                                -2. / 3, 2. / 3 * A, -1. / 3, 1. / 6, B / 6, 1. / 3,
                                1. / 6, -B / 6, 1. / 3, 0, 0, 1 };
static const double at_4[24] = { 1, 1, 1, 1, 1, 0,              0, A, -A, B, -B, 0,
                                 0, .5, .5, 2, 2, 0, 0, A / 2, -A / 2, 2 * B, -2 * B, 1 };

/* out = L in L^T, or with absolute values of L; L is rows x cols (<= 6). */
static inline void both_sides(const double *matrix, int rows, int cols,
                              const double *in, int absolute, double *out)
{
    double l[36], half[36];
    for (int i = 0; i < rows * cols; i++) l[i] = absolute ? fabs(matrix[i]) : matrix[i];
    for (int i = 0; i < rows; i++)
        for (int j = 0; j < cols; j++) {
            half[i * cols + j] = 0;
            for (int k = 0; k < cols; k++)
                half[i * cols + j] += l[i * cols + k] * in[k * cols + j];
        }
    for (int i = 0; i < rows; i++)
        for (int j = 0; j < rows; j++) {
            out[i * rows + j] = 0;
            for (int k = 0; k < cols; k++)
                out[i * rows + j] += half[i * cols + k] * l[j * cols + k];
        }
}

#undef A
#undef B
#endif
