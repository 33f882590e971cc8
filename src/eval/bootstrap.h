/* bootstrap.h - how sure is a share? Efron, "Bootstrap methods: another look at the
 * jackknife" (Annals of Statistics 1979): draw as many as there are, with repeats, again
 * and again, and see how the share scatters. SPDX-License-Identifier: MIT */
#ifndef MNI_EVAL_BOOTSTRAP_H
#define MNI_EVAL_BOOTSTRAP_H

#include <stddef.h>
#include <stdint.h>

/* share = sum of hit / sum of n over clusters; what is drawn is clusters (classes: photos
 * of one class are alike and share their references, so that drawing photos would claim
 * too much). Clusters with n = 0 take no part. 1,000 draws by seed and `number`; low and
 * high: 2.5 % and 97.5 % of them. NaN if no cluster counts. */
void mni_bootstrap(const double *hit, const double *n, size_t n_clusters, uint64_t seed,
                   uint64_t number, double *low, double *high);

#endif
