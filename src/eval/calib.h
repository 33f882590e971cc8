/* calib.h - when is the nearest class good enough? Thresholds for a stated rate of false
 * accepts.
 *
 * A stranger (a query of a class that the gallery does not hold) gets the score of its
 * nearest wrong class. The more classes, the higher that score: the threshold must rise
 * with the number of classes C. The table keeps, for C = 1, 2, 4, ..., the scores that a
 * share of 10 %, 5 %, 2 %, 1 %, ... of strangers reach, measured by drawing random sets
 * of C other classes for held-out queries; the last C is all of them. Between and beyond
 * the measured C, log(1 - score) is taken as linear in log C: scores near 1 come from a
 * distance near 0, whose distribution is a power law there (extreme values: the maximum
 * of C draws). SPDX-License-Identifier: MIT */
#ifndef MNI_EVAL_CALIB_H
#define MNI_EVAL_CALIB_H

#include "base/status.h"
#include "os/pool.h"

enum { MNI_CALIB_SIZES = 20, MNI_CALIB_RATES = 8, MNI_CALIB_GENUINE = 21 };
/* A class is known from one to three photos. Held-out classes have twenty: a stranger's
 * nearest of twenty is nearer than the nearest of three, so a model is measured with so
 * many of each. */
enum { MNI_CALIB_PHOTOS = 3 };
/* A gallery of so many classes is measured itself, and that is believed: how near its
 * kind of stranger comes, a model that held out other kinds cannot know (README.md: wrong
 * by a factor of fifty, where 22 classes scatter by a few). Fewer, from MNI_CALIB_FEWEST
 * on, are measured as well, and the stricter of the two is believed. */
enum { MNI_CALIB_FEWEST = 8, MNI_CALIB_OWN = 20 };
#define MNI_CALIB_TAG "CALB"

typedef struct mni_calib {
    uint32_t n_sizes;                   /* 0: not calibrated */
    uint32_t n_queries, n_classes;      /* measured on */
    uint32_t n_genuine;     /* queries with another row of their class */
    uint32_t metric;                    /* mann_metric of the scores */
    /* impostor[s][r]: score that a share mni_calib_rates[r] of strangers reach among 2^s
     * classes (the last s: among n_classes - 1, as many as there were) */
    float impostor[MNI_CALIB_SIZES][MNI_CALIB_RATES];
    /* genuine[i]: i/20 quantile of scores of the nearest row of the right class
     * (NaN where n_genuine is 0) */
    float genuine[MNI_CALIB_GENUINE];
} mni_calib;

/* 0.5 0.2 0.1 0.05 0.02 0.01 0.005 0.002 */
extern const float mni_calib_rates[MNI_CALIB_RATES];

/* Measures on rows (n x dim, prepared for `metric`) with labels 0..n_classes-1: every row
 * in turn is the query, other classes are its impostors, other rows of its class its
 * genuines. per_class: so many rows of each class (the first) can be met, all can ask; 0:
 * all. Blockwise: memory O(n). More than max_queries rows: that many are drawn by
 * seed (0: 4096). Needs MNI_CALIB_FEWEST classes. Distances that are not finite (the
 * vectors are, but larger than 1e18) say nothing: n_sizes is 0 then, as without a
 * calibration. */
mann_status mni_calib_measure(mni_calib *c, const float *rows, const uint32_t *labels,
                              size_t n, uint32_t dim, uint32_t n_classes,
                              mann_metric metric, uint32_t per_class,
                              size_t max_queries, uint64_t seed, mni_pool *pool,
                              mann_error *err);
/* As how many classes a gallery counts for a table that was measured with
 * MNI_CALIB_PHOTOS of each: one with more photos than that crowds like more classes. */
static inline uint64_t mni_calib_crowd(uint64_t n_classes, uint64_t n_rows)
{
    const uint64_t n = (n_rows + MNI_CALIB_PHOTOS - 1) / MNI_CALIB_PHOTOS;
    return n > n_classes ? n : n_classes;
}

/* Share of genuine scores below `threshold`: members refused. NaN: not known. */
float mni_calib_fnmr(const mni_calib *c, float threshold);
/* Score that a share `false_accept` of strangers (per query) reaches among n_classes.
 * Beyond the measured sizes and rates it is extrapolated (src/eval/README.md). NaN if not
 * calibrated. */
float mni_calib_threshold(const mni_calib *c, uint64_t n_classes, float false_accept);
/* The same for a gallery of n_rows, from its own table and its model's (either may be
 * without sizes): which of them is believed, MNI_CALIB_OWN says. */
float mni_calib_decide(const mni_calib *own, const mni_calib *model, uint64_t n_classes,
                       uint64_t n_rows, float false_accept);

/* Are all scores finite and rising, as decode asks? */
int         mni_calib_is_sane(const mni_calib *c);
size_t      mni_calib_bytes(void);
void        mni_calib_encode(const mni_calib *c, uint8_t *out);
mann_status mni_calib_decode(mni_calib *c, const void *bytes, size_t n_bytes,
                             mann_error *err);

#endif
