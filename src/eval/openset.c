/* openset.c - see openset.h. The curve is a walk down the strangers' sorted scores:
 * accepting a share f of n strangers means a threshold at their f*n-th best score.
 * SPDX-License-Identifier: MIT */
#include "eval/openset.h"

#include <math.h>
#include <stdlib.h>

static int descending(const void *a, const void *b)
{
    float x = *(const float *)a, y = *(const float *)b;
    return (x < y) - (x > y);
}

/* How many of a descending list are >= t, and anything at all. */
static size_t n_reaching(const float *sorted, size_t n, float t)
{
    size_t low = 0, high = n;
    while (low < high) {
        size_t mid = low + (high - low) / 2;
        if (sorted[mid] >= t && sorted[mid] > -INFINITY) low = mid + 1;
        else high = mid;
    }
    return low;
}

mni_open_point mni_open_at(const float *strangers, size_t n_strangers,
                           const float *members, size_t n_members, size_t n_wrong,
                           float threshold)
{
    mni_open_point p = { threshold, (double)NAN, (double)NAN };
    size_t all = n_members + n_wrong;
    if (n_strangers)
        p.fpir = (double)n_reaching(strangers, n_strangers, threshold) /
                 (double)n_strangers;
    if (all)
        p.fnir = 1.0 - (double)n_reaching(members, n_members, threshold) / (double)all;
    return p;
}

void mni_open_curve(float *strangers, size_t n_strangers, float *members,
                    size_t n_members, size_t n_wrong, mni_open_point *out,
                    size_t n_points)
{
    qsort(strangers, n_strangers, sizeof *strangers, descending);
    qsort(members, n_members, sizeof *members, descending);
    for (size_t i = 0; i < n_points; i++) {
        /* n^(1 - i / (n_points - 1)) strangers are let in: n, ..., 1 */
        double share = 1.0 - (double)i / (double)(n_points - 1);
        double let_in = n_strangers ? pow((double)n_strangers, share) : 1.0;
        size_t at = let_in < 1.5 ? 1 : (size_t)(let_in + 0.5);
        float t = n_strangers ? strangers[at - 1] : INFINITY;
        out[i] = mni_open_at(strangers, n_strangers, members, n_members, n_wrong, t);
    }
}
