/* base_plan.h - a new base between compact.c, which decides what is in it, and
 * base_write.c, which lays it on the disk. Private to the two.
 * SPDX-License-Identifier: MIT */
#ifndef MNI_RECOG_BASE_PLAN_H
#define MNI_RECOG_BASE_PLAN_H

#include "recog/gallery.h"

/* Everything about the new base that is computed before the first byte is written. */
typedef struct mni_base_plan {
    const mni_state *state;
    mni_meta meta;
    uint32_t *rows;                 /* n: rows of the state that live on, ascending */
    uint32_t n, n_keys;             /* n_keys of them have one */
    uint32_t n_old;                 /* of them the old base has; the rest is the tail's */
    uint8_t *tail_codes;            /* n - n_old x dim of the storage type */
    uint8_t *codes;                 /* n x dim; NULL: nobody asks for them in a row */
    float *scales;                  /* n, int8 only */
    mni_rows view;                  /* of codes */
    uint32_t *klass;                /* n */
    uint32_t *from;                 /* n: row of the old base, or MNI_NEW_ROW */
    mni_ann *ann;
    mni_calib calib;
    mni_keep_row_fn keep;           /* NULL: every live row */
    void *keep_user;
} mni_base_plan;

/* The stored vector of row i. Codes are copied, never rounded a second time. */
static inline const uint8_t *mni_base_code(const mni_base_plan *p, uint32_t i,
                                           size_t row_bytes)
{
    if (p->codes) return p->codes + i * row_bytes;
    if (i >= p->n_old) return p->tail_codes + (i - p->n_old) * row_bytes;
    return (const uint8_t *)p->state->base->rows.data + p->rows[i] * row_bytes;
}

/* The plan as a gallery file at `path`, of the generation after the state's. */
mann_status mni_base_write(mni_gallery *g, mni_base_plan *p, const char *path,
                           mann_error *err);
/* A gallery of no records. Of `m`, generation and uuid are taken too. */
mann_status mni_base_write_empty(const mni_vfs *v, const char *path, mni_meta *m,
                                 const mann_gallery_config *c, mann_error *err);

#endif
