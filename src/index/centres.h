/* centres.h - which of a few thousand centres are nearest: k-means asks it of every row,
 * a search of lists asks it of every query.
 *
 * The centres lie twice: in floats, and rounded to bytes (code8.h), which tell all but a
 * few apart; those few are measured in floats. Answers are those of floats, with ties to
 * the lower number. SPDX-License-Identifier: MIT */
#ifndef MNI_INDEX_CENTRES_H
#define MNI_INDEX_CENTRES_H

#include "base/topk.h"
#include "index/code8.h"
#include "os/pool.h"

typedef struct mni_centres {
    const float *at;            /* n x dim; borrowed */
    uint32_t n, dim;
    mann_metric metric;         /* L2 or INNER; cosine counts as L2 */
    float *middle;              /* m of code8.h, owned with the rest below */
    uint8_t *blocks;
    float *plus;                /* n, filled up with +infinity to whole blocks */
    mni_around8 around;
} mni_centres;

/* Codes of `at`; fini accepts zeros. middle NULL: the mean of the centres. */
mann_status mni_centres_init(mni_centres *c, const float *at, uint32_t n, uint32_t dim,
                             mann_metric metric, const float *middle, mann_error *err);
void mni_centres_encode(mni_centres *c);    /* again, after `at` has changed */
void mni_centres_fini(mni_centres *c);

/* Room for one thread. */
typedef struct mni_centres_work {
    float *v, *value;           /* dim; n */
    int8_t *codes;
    int32_t *dots;
    uint32_t *index;
    mni_near *heap;             /* n */
} mni_centres_work;
enum { MNI_CENTRES_GROUP = 8 }; /* queries at a time */
size_t mni_centres_work_bytes(const mni_centres *c);
/* `room` has that many bytes and is 64-byte aligned. */
mni_centres_work mni_centres_work_in(const mni_centres *c, void *room);

/* Rounded queries, made once for many calls: codes are n x groups * 4. */
void mni_centres_round(const mni_centres *c, const float *x, size_t n, float *v,
                       int8_t *codes, mni_query8 *query); /* v: room for dim */
/* The nearest centre of each of n rows (packed floats) by squared L2. codes and query:
 * from mni_centres_round, or NULL. distance may be NULL. */
void mni_centres_assign(const mni_centres *c, const float *x, size_t n,
                        const int8_t *codes, const mni_query8 *query,
                        mni_centres_work *w, uint32_t *nearest, float *distance);
/* Centres of every row over the pool. grain rows a chunk. */
mann_status mni_centres_assign_all(const mni_centres *c, const float *x, size_t n,
                                   const int8_t *codes, const mni_query8 *query,
                                   mni_pool *pool, uint32_t *nearest, float *distance,
                                   mann_error *err);
/* The nearest centres of one query, into best (its k), by squared L2 or -q.c. query and
 * codes: rounded already, or NULL. */
void mni_centres_search(const mni_centres *c, const float *x, const int8_t *codes,
                        const mni_query8 *query, mni_centres_work *w, mni_topk *best);

#endif
