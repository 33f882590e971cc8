/* ivf.h - inverted lists as an index kind: what ivf.c (making), ivf_change.c, ivf_file.c
 * and ivf_search.c share.
 *
 *     query --> centres: the nprobe nearest --> their lists: codes tell which rows may be
 *     near --> those rows, exactly
 *
 * Three names for one structure: "IVF1024,Flat" (codes of 8 bits with bounds: the answer
 * is that of measuring every row of the lists), "SQ8" (one list: the answer of Flat) and
 * "IVF1024,PQ32x4fs" (codes without bounds, pq.h). SPDX-License-Identifier: MIT */
#ifndef MNI_INDEX_IVF_H
#define MNI_INDEX_IVF_H

#include "index/centres.h"
#include "index/kinds.h"
#include "index/lists.h"
#include "index/pq.h"
#include "index/spec.h"

enum {
    MNI_IVF_FILL = 128,         /* byte of an empty code8 slot */
    MNI_IVF_ROWS = 100,         /* rows a centre that k-means looks at, at most */
    MNI_IVF_ROUNDS = 10,
    MNI_IVF_ASKED = 256,        /* queries that choose nprobe */
    MNI_IVF_K = 10
};
#define MNI_IVF_RECALL 0.95
#define MNI_IVF_WITHIN 0.98     /* share of true neighbours within the margin ... */
#define MNI_IVF_LEAST 0.1f      /* ... which is at least that */

typedef struct mni_ivf {
    mni_ann base;               /* knob: nprobe */
    uint32_t n_lists, dim, n_rows;
    mann_metric metric;
    float *centre;              /* owned, n_lists x dim */
    mni_centres centres;        /* of `centre`; its middle is m of code8.h */
    mni_around8 *around;        /* owned, n_lists; of PQ: `error` is the mean of the
                                   squared |r - r'|, `reach` the largest, `scale` the
                                   mean of the `centre` rows that came later */
    mni_pq *pq;                 /* owned; NULL: codes of code8.h */
    float margin;               /* of PQ, see ivfpq_search.c; infinity: not known */
    mni_lists lists;
    uint32_t learned;           /* rows when the centres were learned */
    double error;               /* mean squared distance of rows to their centres then, */
    double moved;               /* and its sum over the rows added since; */
    uint64_t added;             /* how many */
} mni_ivf;

static inline mni_ivf *mni_ivf_of(mni_ann *a) { return (mni_ivf *)(void *)a; }
static inline const mni_ivf *mni_ivf_const(const mni_ann *a)
{
    return (const mni_ivf *)(const void *)a;
}

/* What putting a row into a list takes; one per thread. */
typedef struct mni_ivf_room {
    float *r, *turned, *kept;   /* dim; the last two for PQ */
    float *centre;              /* turned c - m of `list` */
    uint8_t *codes;
    uint32_t list;              /* MNI_NO_ROW: of none yet */
    int later;                  /* rows that words and centres were not learned from */
} mni_ivf_room;
mann_status mni_ivf_room_init(mni_ivf_room *r, const mni_ivf *v, mann_error *err);
void        mni_ivf_room_fini(mni_ivf_room *r);

/* ivf.c */
mann_status mni_ivf_new(mni_ivf **out, const mni_rows *rows, uint32_t n_lists,
                        mann_error *err);
mann_status mni_ivf_build(mni_ann **out, const char *spec, const mni_ann_job *job,
                          mann_error *err);
void        mni_ivf_free(mni_ann *a);
/* Lists of rows [first, rows->n) into list[0..). sum: of squared distances; may be
 * NULL. */
mann_status mni_ivf_assign(const mni_ivf *v, const mni_rows *rows, uint32_t first,
                           mni_pool *pool, uint32_t *list, double *sum, mann_error *err);
/* Codes of row `row` into slot `at` of a list. */
void        mni_ivf_put(mni_ivf *v, const mni_rows *rows, uint32_t list, uint32_t at,
                        uint32_t row, mni_ivf_room *r);
/* The scale of a list that is about to get its first rows: which[0..n). */
void        mni_ivf_scale(mni_ivf *v, const mni_rows *rows, uint32_t list,
                          const uint32_t *which, uint32_t n, mni_ivf_room *r);
/* Lists of these sizes, all slots empty. */
mann_status mni_ivf_lists(mni_ivf *v, const uint32_t *sizes, mann_error *err);
size_t      mni_ivf_code_bytes(const mni_ivf *v);       /* of a block */
size_t      mni_ivf_unit(const mni_ivf *v);             /* of lists.h */
/* ivf_tune.c: the smallest nprobe that reaches MNI_IVF_RECALL on rows of the set. */
mann_status mni_ivf_tune(mni_ivf *v, const mni_rows *rows, mni_pool *pool,
                         mann_error *err);

/* ivf_change.c */
mann_status mni_ivf_fold(mni_ann **out, const mni_ann *old, const mni_ann_job *job,
                         const uint32_t *from, mann_error *err);
mann_status mni_ivf_add(mni_ann *a, const mni_rows *rows, uint32_t first, mni_pool *pool,
                        mann_error *err);
mann_status mni_ivf_remove(mni_ann *a, const mni_rows *rows, const uint32_t *gone,
                           size_t n, mni_pool *pool, mann_error *err);
mann_status mni_ivf_own(mni_ann *a, mann_error *err);

/* ivf_file.c */
mann_status mni_ivf_open(mni_ann **out, const char *spec, const mni_reader *r,
                         const mni_rows *rows, mann_error *err);
void        mni_ivf_write(const mni_ann *a, mni_writer *w);
mann_status mni_ivf_check(const mni_ann *a, const mni_rows *rows, mann_error *err);
size_t      mni_ivf_report(const mni_ann *a, const mni_rows *rows, mni_ann_fact *facts);

/* ivfpq.c: what PQ does instead */
mann_status mni_ivfpq_learn(mni_ivf *v, const mni_spec *s, const mni_ann_job *job,
                            mann_error *err);
void        mni_ivfpq_put(mni_ivf *v, uint32_t list, uint32_t at, mni_ivf_room *room);
int         mni_ivfpq_fits(const mni_ivf *v, uint32_t list, uint32_t at,
                           mni_ivf_room *room);
/* The estimate of a row's distance, from its codes; turned: q - m. */
double      mni_ivfpq_estimate(const mni_ivf *v, uint32_t list, uint32_t at,
                               float to_centre, const float *turned, mni_ivf_room *room);
void        mni_ivfpq_write(const mni_ivf *v, mni_writer *w);
mann_status mni_ivfpq_read(mni_ivf *v, const mni_reader *r, uint32_t pieces,
                           uint32_t bits, int turned, int learned, mann_error *err);

/* ivfpq_search.c */
typedef struct mni_ivfpq_room {
    float *turned, *floats;     /* dim; pieces x (width + 1) */
    uint8_t *tables;
    mni_near *waiting;          /* MNI_SHORT_ROWS */
} mni_ivfpq_room;
/* The lists near[0..n), nearest first. from_middle: q - m. */
void        mni_ivfpq_ask(const mni_ivf *v, const mni_rows *rows, const float *query,
                          const float *from_middle, const mni_ann_params *p,
                          const mni_near *near, size_t n, const mni_ivfpq_room *room,
                          mni_topk *best);

/* ivf_search.c */
mann_status mni_ivf_search(const mni_ann *a, const mni_rows *rows, const float *queries,
                           size_t n_queries, const mni_ann_params *p,
                           mni_scratch *scratch, mni_topk *best, mann_error *err);

#endif
