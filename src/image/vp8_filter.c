/* vp8_filter.c - VP8: the borders between blocks, smoothed where the step is small enough
 * to be an artefact.
 *
 *      p3 p2 p1 p0 | q0 q1 q2 q3       eight pixels across a border
 *
 * All macroblocks are done in their order, each: left border, inner vertical ones, upper
 * border, inner horizontal ones. RFC 6386, 15. SPDX-License-Identifier: MIT */
#include <stdlib.h>

#include "image/vp8.h"

static int signed_of(uint8_t v) { return (int)v - 128; }
static int clamp(int v) { return v < -128 ? -128 : v > 127 ? 127 : v; }
static uint8_t pixel_of(int v) { return (uint8_t)(clamp(v) + 128); }

/* Moves p0 and q0 towards each other; outer: p1 and q1 have a say. Gives by how much. */
static int adjust(uint8_t *q, ptrdiff_t s, int outer)
{
    const int p1 = signed_of(q[-2 * s]), p0 = signed_of(q[-s]), q0 = signed_of(q[0]),
              q1 = signed_of(q[s]);
    const int a = clamp((outer ? clamp(p1 - q1) : 0) + 3 * (q0 - p0));
    const int down = clamp(a + 4) >> 3, up = clamp(a + 3) >> 3;
    q[0] = pixel_of(q0 - down);
    q[-s] = pixel_of(p0 + up);
    return down;
}

static int step_is_small(const uint8_t *q, ptrdiff_t s, int edge)
{
    return 2 * abs(q[-s] - q[0]) + (abs(q[-2 * s] - q[s]) >> 1) <= edge;
}

static int sides_are_flat(const uint8_t *q, ptrdiff_t s, int limit)
{
    return abs(q[-4 * s] - q[-3 * s]) <= limit && abs(q[-3 * s] - q[-2 * s]) <= limit &&
           abs(q[-2 * s] - q[-s]) <= limit && abs(q[3 * s] - q[2 * s]) <= limit &&
           abs(q[2 * s] - q[s]) <= limit && abs(q[s] - q[0]) <= limit;
}

static int is_rough(const uint8_t *q, ptrdiff_t s, int most)
{
    return abs(q[-2 * s] - q[-s]) > most || abs(q[s] - q[0]) > most;
}

/* Between macroblocks: three pixels on each side move. */
static void smooth_wide(uint8_t *q, ptrdiff_t s)
{
    const int p1 = signed_of(q[-2 * s]), p0 = signed_of(q[-s]), q0 = signed_of(q[0]),
              q1 = signed_of(q[s]);
    const int w = clamp(clamp(p1 - q1) + 3 * (q0 - p0));
    for (int i = 0; i < 3; i++) {
        const int a = ((27 - 9 * i) * w + 63) >> 7;
        q[i * s] = pixel_of(signed_of(q[i * s]) - a);
        q[-(i + 1) * s] = pixel_of(signed_of(q[-(i + 1) * s]) + a);
    }
}

/* Inside of a macroblock: one, and half as much the next. */
static void smooth_narrow(uint8_t *q, ptrdiff_t s)
{
    const int a = (adjust(q, s, 0) + 1) >> 1;
    q[s] = pixel_of(signed_of(q[s]) - a);
    q[-2 * s] = pixel_of(signed_of(q[-2 * s]) + a);
}

typedef struct border { int edge, limit, rough, is_outer, is_simple; } border;

/* n places along a border; `across` leads over it, `along` beside it. */
static void smooth_border(uint8_t *q, ptrdiff_t across, ptrdiff_t along, int n, border b)
{
    for (int i = 0; i < n; i++, q += along) {
        if (!step_is_small(q, across, b.edge)) continue;
        if (b.is_simple) {
            (void)adjust(q, across, 1);
            continue;
        }
        if (!sides_are_flat(q, across, b.limit)) continue;
        if (is_rough(q, across, b.rough)) (void)adjust(q, across, 1);
        else if (b.is_outer) smooth_wide(q, across);
        else smooth_narrow(q, across);
    }
}

/* One plane of one macroblock: n x n pixels. */
static void smooth_plane(uint8_t *at, ptrdiff_t stride, int n, const mni_vp8_smooth *s,
                         int has_left, int has_above, int is_simple)
{
    const int rough = s->level >= 40 ? 2 : s->level >= 15 ? 1 : 0;
    const border outer = { s->edge + 4, s->limit, rough, 1, is_simple },
                 inner = { s->edge, s->limit, rough, 0, is_simple };
    if (has_left) smooth_border(at, 1, stride, n, outer);
    for (int i = 4; s->inside && i < n; i += 4)
        smooth_border(at + i, 1, stride, n, inner);
    if (has_above) smooth_border(at, stride, 1, n, outer);
    for (int i = 4; s->inside && i < n; i += 4)
        smooth_border(at + i * stride, stride, 1, n, inner);
}

void mni_vp8_smooth_all(const mni_vp8_plane planes[3], const mni_vp8_smooth *s,
                        uint32_t wide, uint32_t high, int is_simple)
{
    for (uint32_t y = 0; y < high; y++)
        for (uint32_t x = 0; x < wide; x++, s++) {
            if (!s->level) continue;
            for (int k = 0; k < (is_simple ? 1 : 3); k++) {
                const int n = k ? 8 : 16;
                const ptrdiff_t stride = planes[k].stride;
                uint8_t *at = planes[k].at + (ptrdiff_t)y * n * stride + (ptrdiff_t)x * n;
                smooth_plane(at, stride, n, s, x > 0, y > 0, is_simple);
            }
        }
}
