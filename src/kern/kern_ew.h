/* kern_ew.h - the elementwise loops of a network: norm, ReLU, residual add, bias, SGD,
 * sums.
 *
 * These loops have no clever version: they are limited by memory, and all a SIMD level
 * can give is wider registers. So there is one body of plain C (ew_body.h), compiled once
 * per level under its target attribute. Sums run in 16 fixed lanes that are added up in
 * order, whatever the register width, and nothing is contracted to FMA: every level gives
 * the same bits.
 *
 * Contract of every entry: no alignment asked, n == 0 legal, arrays do not overlap unless
 * said. SPDX-License-Identifier: MIT */
#ifndef MNI_KERN_KERN_EW_H
#define MNI_KERN_KERN_EW_H

#include <stddef.h>

typedef struct mni_kern_ew {
    const char *name;           /* level: "scalar", "avx2", "avx512", "neon" */
    /* mean of x and sum of squares around it; x is read twice and should fit a cache. n
     * >= 1. */
    void (*row_stats)(const float *x, size_t n, double *mean, double *squares);
    /* y = act(x * scale + shift + r); r may be NULL (0) and may be y; act is ReLU if
     * relu. y may be x. */
    void (*affine)(float *y, const float *x, const float *r, float scale, float shift,
                   int relu, size_t n);
    /* d = dy where y > 0 (y NULL: everywhere). *sum = sum d; *dot = sum d * (x -
     * mean). */
    void (*norm_sums)(const float *dy, const float *y, const float *x, float mean,
                      size_t n, double *sum, double *dot);
    /* d as above. dx = a * d + b * x + c; dr += d where dr is not NULL. Overwrites dx. */
    void (*norm_dx)(float *dx, float *dr, const float *dy, const float *y, const float *x,
                    float a, float b, float c, size_t n);
    void   (*add)(float *y, const float *x, size_t n);          /* y += x */
    double (*squares)(const float *x, size_t n); /* sum x^2: 16 lanes, emptied into double
                                                    every 1024 elements */
    /* g = scale * g + decay * w; v = momentum * v + g; w -= rate * (nesterov ? g +
     * momentum * v : v) */
    void (*sgd)(float *w, float *v, const float *g, float scale, float decay,
                float momentum, float rate, int nesterov, size_t n);
} mni_kern_ew;

/* Pure: the table for these bits (os/cpu.h). */
void mni_kern_ew_build(mni_kern_ew *k, unsigned cpu);
/* The table for this machine, capped by $METRICANN_SIMD; built once, thread-safe. */
const mni_kern_ew *mni_kern_ew_best(void);

#endif
