/* code8.c - see code8.h. SPDX-License-Identifier: MIT */
#include "index/code8.h"

#include <float.h>
#include <math.h>
#include <string.h>

enum { ZERO = 128, MOST = 127 };

void mni_code8_clear(uint8_t *block, uint32_t dim)
{
    memset(block, ZERO, mni_code8_block_bytes(dim));
}

/* Rounds to the nearest whole number, ties to even, for |v| < 2^22: adding 1.5 * 2^23
 * leaves no room for a fraction. Compilers put it on many lanes, unlike lrintf. */
static inline float whole(float v)
{
    const float magic = 12582912.0f;
    return (v + magic) - magic;
}

static inline float within(float v, float most)
{
    v = v < most ? v : most;            /* NaN becomes most */
    return v > -most ? v : -most;
}

double mni_code8_put(uint8_t *block, unsigned slot, const float *r, uint32_t dim,
                     float scale)
{
    enum { RUN = 256 };         /* values at a time: a multiple of 8 */
    const mni_kern_i8 *k = mni_kern_i8_best();
    double lane[8] = { 0 };
    uint8_t code[RUN], *to = block + slot * 4;
    for (uint32_t at = 0; at < dim; at += RUN) {
        const uint32_t n = dim - at < RUN ? dim - at : RUN;
        k->round(r + at, n, scale, code, lane);
        for (uint32_t i = 0; i + 4 <= n; i += 4, to += MNI_I8_GROUP_BYTES)
            memcpy(to, code + i, 4);
        memcpy(to, code + n / 4 * 4, n % 4);
    }
    const double error = ((lane[0] + lane[4]) + (lane[2] + lane[6])) +
                         ((lane[1] + lane[5]) + (lane[3] + lane[7]));
    return error < INFINITY ? error : INFINITY;
}

/* Floats without their sign sort as the whole numbers that their bits are, and compilers
 * look for the largest of those on many lanes. NaN counts for nothing. */
float mni_code8_scale(const float *values, size_t n)
{
    const int32_t infinite = 0x7f800000;
    int32_t most = 0;
    float largest;
    for (size_t i = 0; i < n; i++) {
        int32_t bits;
        memcpy(&bits, values + i, sizeof bits);
        bits &= 0x7fffffff;
        bits = bits > infinite ? 0 : bits;
        most = bits > most ? bits : most;
    }
    memcpy(&largest, &most, sizeof largest);
    return largest / MOST;
}

void mni_query8_make(const mni_kern_i8 *k, const float *v, uint32_t dim, int8_t *codes,
                     mni_query8 *out)
{
    const uint32_t groups = mni_code8_groups(dim);
    const uint32_t room = (uint32_t)(INT32_MAX / (255 * 4)) / (groups ? groups : 1);
    const float q_max = room < (uint32_t)k->q_max ? (float)room : (float)k->q_max;
    const float most = mni_code8_scale(v, dim) * MOST, scale = most / q_max;
    const float by = scale > 0.0f ? 1.0f / scale : 0.0f;
    double size = 0, error = 0;
    int32_t sum = 0;
    for (uint32_t i = 0; i < dim; i++) {
        const float c = whole(within(v[i] * by, q_max));
        const double e = (double)v[i] - (double)scale * c;
        size += (double)v[i] * v[i];
        error += e * e;
        sum += (int32_t)c;
        codes[i] = (int8_t)c;
    }
    for (uint32_t i = dim; i < groups * 4; i++) codes[i] = 0;
    *out = (mni_query8){ scale, ZERO * sum, sqrt(size), sqrt(error) };
}

/* The slack has two parts: what rounding to bytes hides, and what floats round: those of
 * the exact kernel (dim + 8 of them at worst, kern_dist.h) for the row and for the
 * centre, and a handful here. */
mni_bound8 mni_bound8_of(const mni_query8 *q, const mni_around8 *list, mann_metric metric,
                         uint32_t dim, float to_centre)
{
    const int inner = metric == MANN_INNER;
    const double two = inner ? 1.0 : 2.0, eps = FLT_EPSILON, base = to_centre;
    const double factor = two * q->scale * list->scale;
    const double rounded = (q->size + q->error) * list->error + q->error * list->reach;
    const double away = inner ? q->size : sqrt(base > 0 ? base : 0) + list->reach;
    const double along = inner ? list->centre + list->reach : away;
    const double terms = (2.0 * dim + 64) * away * along +
                         16 * q->size * (list->reach + away) +
                         factor * 4 * 255.0 * MOST * 4 * mni_code8_groups(dim);
    return (mni_bound8){ (float)factor, base + factor * q->offset,
                         two * rounded + eps * terms };
}
