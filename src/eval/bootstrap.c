/* bootstrap.c - see bootstrap.h. SPDX-License-Identifier: MIT */
#include "eval/bootstrap.h"

#include <math.h>
#include <stdlib.h>

#include "base/rng.h"

enum { DRAWS = 1000 };

static int ascending(const void *a, const void *b)
{
    const double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* A drawn cluster that does not count is drawn again: those that count are enough, or
 * there is nothing to be said. */
static double draw(const double *hit, const double *n, size_t n_clusters,
                   size_t n_counting, mni_rng *r)
{
    double sum = 0, all = 0;
    for (size_t i = 0; i < n_counting;) {
        const uint32_t c = mni_rng_below(r, (uint32_t)n_clusters);
        if (!(n[c] > 0)) continue;
        sum += hit[c];
        all += n[c];
        i++;
    }
    return sum / all;
}

void mni_bootstrap(const double *hit, const double *n, size_t n_clusters, uint64_t seed,
                   uint64_t number, double *low, double *high)
{
    double share[DRAWS];
    size_t counting = 0;
    for (size_t i = 0; i < n_clusters; i++) counting += n[i] > 0;
    *low = *high = NAN;
    if (counting == 0 || n_clusters > UINT32_MAX) return;
    for (size_t b = 0; b < DRAWS; b++) {
        mni_rng r = mni_rng_at(seed, MNI_FOR_BOOTSTRAP, number, b, 0);
        share[b] = draw(hit, n, n_clusters, counting, &r);
    }
    qsort(share, DRAWS, sizeof *share, ascending);
    *low = share[DRAWS / 40];
    *high = share[DRAWS - 1 - DRAWS / 40];
}
