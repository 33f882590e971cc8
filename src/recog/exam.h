/* exam.h - an evaluation from the inside: what its files share.
 *
 *   evaluate.c    who is asked what: a gallery, or references split off a data set
 *   eval_ask.c    one question: distances, classes, verdict, and what the index says
 *   eval_tell.c   figures, intervals, and the caller's list
 *   eval_draw.c   the worst mistakes and the open-set curve, as pictures
 *
 * SPDX-License-Identifier: MIT */
#ifndef MNI_RECOG_EXAM_H
#define MNI_RECOG_EXAM_H

#include "eval/metrics.h"
#include "recog/evaluate.h"

enum { MNI_REFUSED = 0, MNI_ACCEPTED_RIGHT = 1, MNI_ACCEPTED_WRONG = 2 };

/* What came of one query. Classes are numbers of the exam; rows too. */
typedef struct mni_outcome {
    mni_query_scores scores;
    uint32_t first, first_row;  /* best class, its nearest row; none: MANN_NO_CLASS */
    uint32_t own_row;           /* nearest row of the right class, or MNI_NO_ROW */
    float score, margin, own_score;
    float judged;               /* blend of the first class: verdicts are about it */
    uint8_t verdict;
    uint8_t shadowed;           /* tighten: nearest row has a look-alike as near to it */
    uint8_t looked_up;          /* 1: the index was asked too: */
    uint8_t found;              /*    of the exact 10 nearest, how many it found */
    uint8_t nearest_right;      /*    the exact nearest row is of the right class, */
    uint8_t index_right;        /*    and the one that it found */
} mni_outcome;

/* The references, however they came about. */
typedef struct mni_exam_sheet {
    mni_outcome *outcome;       /* n_queries */
    const float *queries;       /* n_queries x dim */
    const uint32_t *truth;     /* class among the references; MANN_NO_CLASS: a stranger */
    const uint32_t *self;       /* own row, or MNI_NO_ROW; NULL: nobody has one */
    const uint32_t *row_labels; /* n_rows */
    size_t n_queries, n_rows, dim, recall_step;
    uint32_t n_classes;
    float threshold, min_margin;
    mann_metric metric;
    const mni_state *state;     /* references are this gallery's rows ... */
    const float *rows;          /* ... or these (n_rows x dim) */
    const mann_search *search;
    double *sums;               /* n_classes x dim, of the rows; NULL: not wanted */
    float *prototypes;          /* cosine: these at unit length */
    uint32_t *class_size;
    /* for those who are told: */
    mni_gallery *g;
    const mni_labelled *set;
    const uint64_t *image;      /* n_queries: number in the set */
    const uint64_t *row_image;  /* n_rows: likewise; NULL: rows are the gallery's */
    const uint32_t *label;      /* n_queries: class in the set */
    const mann_eval_config *config;
} mni_exam_sheet;

/* (eval_ask.c) Fills e->outcome. */
mann_status mni_exam_ask(mni_exam_sheet *e, mni_pool *pool, mann_error *err);
/* (eval_tell.c) Figures into *out, which holds what was counted before; the callback. */
mann_status mni_exam_tell(const mni_exam_sheet *e, mann_scores *out, mann_error *err);
/* Name of a class of the exam into `out` (at least MNI_MAX_NAME + 1), path of a row. */
const char *mni_exam_class(const mni_exam_sheet *e, uint32_t klass, char *out);
const char *mni_exam_source(const mni_exam_sheet *e, uint32_t row, char *out,
                            size_t size);
/* (eval_draw.c) */
mann_status mni_exam_worst(const mni_exam_sheet *e, const char *path, uint32_t n_worst,
                           mann_error *err);
mann_status mni_exam_curve(const mni_exam_sheet *e, const char *path, mann_error *err);

#endif
